/* Turning the sites of an object into jumps to weft's stubs, all of them or none. */
#ifndef WEFT_PATCH_H
#define WEFT_PATCH_H

#include <stddef.h>

struct weft__patch_result {
	size_t patched, unfit; /* sites; valid when nothing was refused */
};

/**
 * Patch libc.
 *
 * Context  the process has one thread
 *
 * @return NULL, or what refused it; then nothing has changed
 */
const char *weft__patch_libc(struct weft__patch_result *result);

/** As weft__patch_libc(), for the calls that the kernel's own library makes: clocks it cannot read. */
const char *weft__patch_vdso(struct weft__patch_result *result);

#endif
