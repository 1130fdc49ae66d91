/* `weft check`: what weft thinks of a program, of the machine and of its own installation. */
#include "commands.h"

#include "image.h"
#include "libraries.h"
#include "message.h"
#include "program.h"
#include "sites.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <unistd.h>

/* <asm/hwcap2.h>, <linux/mman.h> and <linux/prctl.h>; not all headers know them. */
#define FSGSBASE_IN_HWCAP2 (1UL << 1)
#define GUARD_INSTALL 102
#define USER_DISPATCH 59

/* The first kernel that lets a program switch its TLS by wrfsbase. */
#define KERNEL_MAJOR 5
#define KERNEL_MINOR 9

static const char *yes_or_no(bool yes)
{
	return yes ? "yes" : "no";
}

static bool has_fsgsbase(void)
{
	return getauxval(AT_HWCAP2) & FSGSBASE_IN_HWCAP2;
}

/* Whether the kernel brings calls to who asks for it; to turn it off changes nothing here. */
static bool has_dispatch(void)
{
	return prctl(USER_DISPATCH, 0, 0, 0, 0) == 0;
}

/* Asked of the kernel itself: its version does not tell what was ported back. */
static bool has_guard_install(void)
{
	size_t bytes = sysconf(_SC_PAGESIZE);
	void *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool has;

	if (page == MAP_FAILED)
		return false;
	has = madvise(page, bytes, GUARD_INSTALL) == 0;
	munmap(page, bytes);
	return has;
}

/*
 * Copy to version what a glibc says of itself in the banner it prints when it
 * is run: "GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36."
 */
static bool read_banner(const struct weft__image *libc, char *version, size_t version_bytes)
{
	static const char start[] = "GNU C Library (";
	static const char word[] = " version ";
	const char *banner;
	const char *end;
	const char *at;
	size_t length = 0;

	if (libc->data == NULL)
		return false;
	banner = memmem(libc->data, libc->size, start, strlen(start));
	if (banner == NULL)
		return false;
	end = (const char *)libc->data + libc->size;
	/* The banner's first line is well below 200 bytes, whoever packaged it. */
	if (end - banner > 200)
		end = banner + 200;
	at = memmem(banner, end - banner, word, strlen(word));
	if (at == NULL)
		return false;

	at += strlen(word);
	while (at + length < end && length + 1 < version_bytes &&
	       strchr("0123456789.", at[length]) != NULL && at[length] != '\0')
		length++;
	/* The full stop ends the sentence, not the number. */
	while (length > 0 && at[length - 1] == '.')
		length--;
	memcpy(version, at, length);
	version[length] = '\0';
	return length > 0;
}

/* The libc that lies beside the loader: the one used, unless a run path says otherwise. */
static void tell_libc(const char *loader)
{
	static const char name[] = "/libc.so.6";
	char path[PATH_MAX + sizeof(name)];
	struct weft__image libc;
	char version[16];

	if (realpath(loader, path) == NULL) {
		weft__tell("libc         unknown: %s: %s", loader, strerror(errno));
		return;
	}
	dirname(path);
	memcpy(path + strlen(path), name, sizeof(name));
	if (weft__image_open(&libc, path) != 0) {
		weft__tell("libc         unknown: none beside %s", loader);
		return;
	}
	if (read_banner(&libc, version, sizeof(version)))
		weft__tell("libc         glibc %s (%s)", version, path);
	else
		weft__tell("libc         unknown version (%s)", path);
	weft__image_close(&libc);
}

static void tell_imports(const char *path)
{
	static const struct {
		const char *symbol;
		const char *name;
	} starters[] = {
		{"pthread_create", "pthread_create"},
		{"thrd_create", "thrd_create"},
		{"_ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_"
		 "EEPFvvE",
		 "std::thread"},
	};
	struct weft__image image;
	bool any = false;

	if (weft__image_open(&image, path) != 0)
		return;
	for (size_t i = 0; i < sizeof(starters) / sizeof(starters[0]); i++) {
		if (!weft__image_imports(&image, starters[i].symbol))
			continue;
		weft__tell("threads      imports %s", starters[i].name);
		any = true;
	}
	if (!any)
		weft__tell("threads      imports nothing that starts one; a library may");
	weft__image_close(&image);
}

static void tell_program(const struct weft__program *program, enum weft__finding finding)
{
	weft__tell("program      %s", program->path);
	if (program->shell)
		weft__tell("kind         text without #!, run by %s", program->image);
	else if (program->scripts > 0)
		weft__tell("kind         script, run by %s", program->image);
	else if (finding == WEFT__FITS)
		weft__tell("kind         dynamically linked ELF, x86-64");
	if (program->loader[0] != '\0')
		weft__tell("loader       %s", program->loader);
	if (finding != WEFT__FITS)
		return;
	tell_libc(program->loader);
	tell_imports(program->image);
}

static bool tell_machine(void)
{
	struct utsname system;

	weft__tell("fsgsbase     %s", yes_or_no(has_fsgsbase()));
	weft__tell("guard pages  %s (MADV_GUARD_INSTALL, Linux 6.13; mprotect otherwise)",
		   yes_or_no(has_guard_install()));
	if (uname(&system) == 0)
		weft__tell("kernel       %s %s (needed: Linux %d.%d)", system.sysname,
			   system.release, KERNEL_MAJOR, KERNEL_MINOR);
	return has_fsgsbase();
}

/* Copy the library's path to path; whether it can be used. */
static bool tell_library(char *path, size_t path_bytes)
{
	int err = weft__library_find(path, path_bytes);

	if (err == -ENOENT)
		weft__tell("library      not found");
	else if (err == -EINVAL)
		weft__tell("library      %s: LD_PRELOAD cannot carry this path", path);
	else
		weft__tell("library      %s", path);
	return err == 0;
}

/* Whether the program's calls can be answered here. */
static bool tell_sites(const struct weft__program *program, const char *library)
{
	enum weft__sites sites = weft__sites_print(program, library, false);

	if (sites == WEFT__SITES_UNKNOWN)
		weft__tell("sites        not all could be looked at");
	if (sites != WEFT__SITES_CAUGHT)
		return true;
	weft__tell("catching     %s (some calls cannot be patched; Linux 5.11)",
		   yes_or_no(has_dispatch()));
	return has_dispatch();
}

static void tell_wrong(const char *file, unsigned int line, const char *why, bool named)
{
	(void)named;
	if (line == 0)
		weft__tell("bad rules    %s: %s", file, why);
	else
		weft__tell("bad rule     %s:%u: %s", file, line, why);
}

/* What is set for the program by a rule, which may also refuse it. */
static enum weft__finding tell_rule(struct weft__program *program, const char *library)
{
	enum weft__finding finding = weft__program_rule(program, library, tell_wrong);
	const struct weft__rule *rule = &program->rule;
	char set[256] = "";
	size_t used = 0;

	for (size_t i = 0; rule->line != 0 && i < WEFT__SETTINGS; i++)
		if (rule->value[i][0] != '\0')
			used += (size_t)snprintf(set + used, sizeof(set) - used, "%s=%s ",
						 weft__setting_table[i].name, rule->value[i]);
	if (rule->line == 0)
		weft__tell("profile      none");
	else
		weft__tell("profile      %s%s(%s:%u)", set,
			   rule->reason[0] != '\0' ? "refuse " : "", rule->file, rule->line);
	return finding;
}

int weft__check_print(const char *name)
{
	char why[PATH_MAX + 128];
	char library[PATH_MAX];
	static struct weft__program program;
	enum weft__finding finding = weft__program_find(&program, name);
	const char *lacking = NULL;
	bool has_machine;
	bool has_library;
	bool has_way = true;

	if (program.path[0] == '\0' || finding == WEFT__NOT_FOUND)
		weft__tell("program      %s", name);
	else
		tell_program(&program, finding);
	has_machine = tell_machine();
	has_library = tell_library(library, sizeof(library));
	if (finding == WEFT__FITS && has_library) {
		has_way = tell_sites(&program, library);
		finding = tell_rule(&program, library);
	}

	weft__program_explain(&program, finding, why, sizeof(why));
	if (finding != WEFT__FITS) {
		weft__tell("verdict      weft cannot work on it: %s", why);
		return weft__program_status(finding);
	}
	if (!has_machine)
		lacking = "the kernel has no FSGSBASE";
	else if (!has_library)
		lacking = "its library is missing";
	else if (!has_way)
		lacking = "it makes calls that cannot be patched, and the kernel catches none";
	if (lacking != NULL) {
		weft__tell("verdict      weft cannot work here: %s", lacking);
		return WEFT__EXIT_CANNOT;
	}
	weft__tell("verdict      %s", why);
	return WEFT__EXIT_OK;
}

int weft__check_sites_print(const char *name)
{
	char why[PATH_MAX + 128], library[PATH_MAX];
	struct weft__program program;
	enum weft__finding finding = weft__program_find(&program, name);

	if (finding != WEFT__FITS) {
		weft__program_explain(&program, finding, why, sizeof(why));
		weft__complain("%s: %s", name, why);
		return weft__program_status(finding);
	}
	if (weft__library_find(library, sizeof(library)) != 0) {
		weft__complain("libweft-preload.so: not found");
		return WEFT__EXIT_CANNOT;
	}
	return weft__sites_print(&program, library, true) != WEFT__SITES_UNKNOWN
		       ? WEFT__EXIT_OK
		       : WEFT__EXIT_CANNOT;
}
