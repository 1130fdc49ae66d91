/* Turning the sites of libc into jumps to weft's stubs, all of them or none. */
#ifndef WEFT_PATCH_H
#define WEFT_PATCH_H

#include <stddef.h>

struct weft__patch_result {
	size_t patched, unfit;
	const char *refused; /* why nothing was patched, when that is so */
};

/**
 * Patch libc.
 *
 * Context  the process has one thread
 *
 * @return 0, or a negative errno with result->refused set; then nothing has changed
 */
int weft__patch_libc(struct weft__patch_result *result);

#endif
