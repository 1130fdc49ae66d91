/* Patching every object of the process: those that are loaded, and those that will be. */
#ifndef WEFT_PATCH_LOADED_H
#define WEFT_PATCH_LOADED_H

#include <stdbool.h>
#include <stddef.h>

struct weft__patches {
	size_t sites, unfit;     /* patched; answered calls for which no way was found */
	size_t missed;           /* of which these are calls for sure */
	size_t objects, refused; /* with sites patched; with sites that were not */
	const char *why;         /* the first that was refused; valid when refused > 0 */
	bool later;              /* those that are loaded later are patched, too */
};

extern struct weft__patches weft__patches;

/**
 * Patch all that is loaded but weft itself, and what is loaded from now on.
 *
 * Context  the process has one thread
 *
 * @return NULL, or why libc cannot be patched; then nothing has changed
 */
const char *weft__patch_all(void);

/** Whether calls of a number are patched: every handler's, and -1, which only shows at run time. */
int weft__is_answered(int nr);

/** What the loader tells debuggers of (entry_loaded_x86_64.S, and the hook it calls). */
void weft__entry_loaded(void);
void weft__objects_changed(void);

#endif
