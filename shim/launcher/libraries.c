#include "libraries.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char library_name[] = "libweft-preload.so";

static bool try_place(char *path, size_t path_bytes, const char *root, const char *directory)
{
	int length = snprintf(path, path_bytes, "%s%s/%s", root, directory, library_name);

	return length > 0 && (size_t)length < path_bytes && access(path, R_OK) == 0;
}

static bool try_places(char *path, size_t path_bytes)
{
	static const char *const beside_bin[] = {"/lib", "/lib/x86_64-linux-gnu",
						 WEFT_INSTALL_LIBDIR};
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	/* Without /proc there is no telling where this program is. */
	if (length > 0) {
		self[length] = '\0';
		*strrchr(self, '/') = '\0';
		if (try_place(path, path_bytes, self, ""))
			return true;
	}
	/* The prefix is the parent; that of / is /, which "" stands for. */
	if (length > 0 && strrchr(self, '/') != NULL) {
		*strrchr(self, '/') = '\0';
		for (size_t i = 0; i < sizeof(beside_bin) / sizeof(beside_bin[0]); i++)
			if (try_place(path, path_bytes, self, beside_bin[i]))
				return true;
	}
	return try_place(path, path_bytes, WEFT_INSTALL_FULL_LIBDIR, "");
}

int weft__library_find(char *path, size_t path_bytes)
{
	if (!try_places(path, path_bytes))
		return -ENOENT;
	return strpbrk(path, " :$") == NULL ? 0 : -EINVAL;
}

/* Whether the entry names a preload library of weft's, in whatever directory. */
static bool is_own(const char *entry, size_t length)
{
	size_t name_length = strlen(library_name);

	if (length < name_length ||
	    memcmp(entry + length - name_length, library_name, name_length) != 0)
		return false;
	return length == name_length || entry[length - name_length - 1] == '/';
}

int weft__library_preload(const char *library)
{
	const char *entry = getenv("LD_PRELOAD");
	char *value;
	char *end;
	int failed;

	if (entry == NULL)
		entry = "";
	value = malloc(strlen(library) + 1 + strlen(entry) + 1);
	if (value == NULL)
		return -ENOMEM;

	end = stpcpy(value, library);
	while (*entry != '\0') {
		size_t length = strcspn(entry, " :");

		if (length > 0 && !is_own(entry, length)) {
			*end++ = ':';
			end = mempcpy(end, entry, length);
		}
		entry += length;
		entry += strspn(entry, " :");
	}
	*end = '\0';

	failed = setenv("LD_PRELOAD", value, 1);
	free(value);
	return failed ? -ENOMEM : 0;
}
