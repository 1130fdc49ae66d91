/* See names.h. The first object of the loader's list is the program. */
#include "names.h"

#include <link.h>
#include <stdlib.h>
#include <string.h>

bool weft__program_has_libraries(void)
{
	const ElfW(Dyn) *entry = _r_debug.r_map->l_ld;

	while (entry->d_tag != DT_NULL && entry->d_tag != DT_NEEDED)
		entry++;
	return entry->d_tag == DT_NEEDED;
}

bool weft__program_names(const char *symbol)
{
	const ElfW(Dyn) *entry = _r_debug.r_map->l_ld;
	const char *names = NULL;
	size_t bytes = 0;

	for (; entry->d_tag != DT_NULL; entry++) {
		if (entry->d_tag == DT_STRTAB)
			names = (const char *)entry->d_un.d_ptr;
		else if (entry->d_tag == DT_STRSZ)
			bytes = entry->d_un.d_val;
	}
	/* A name may be the end of another's; none of those asked for is. */
	return names != NULL && memmem(names, bytes, symbol, strlen(symbol) + 1) != NULL;
}

static bool is_told(const char *variable)
{
	const char *options = getenv(variable);

	return options != NULL && strstr(options, "detect_leaks=0") != NULL;
}

bool weft__program_finds_leaks(void)
{
	return (weft__program_names("__asan_init") || weft__program_names("__lsan_init") ||
		weft__program_names("__lsan_is_turned_off")) &&
	       !is_told("ASAN_OPTIONS") && !is_told("LSAN_OPTIONS");
}

bool weft__program_traces(void)
{
	static int traces = -1;

	if (traces < 0)
		traces = weft__program_names("ptrace");
	return traces != 0;
}
