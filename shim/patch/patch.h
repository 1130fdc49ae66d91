/* Turning the sites of an object into jumps to weft's stubs, all of them or none. */
#ifndef WEFT_PATCH_H
#define WEFT_PATCH_H

#include <stddef.h>
#include <stdint.h>

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

/**
 * Translate an address within a stub to the one in the patched text that it stands for: a moved
 * instruction's own, or that of the system call when it is on the way to weft or the kernel.
 *
 * Context  any, signal handlers too
 *
 * @return the address in the text; pc itself when it lies in no stub
 */
uintptr_t weft__original_pc(uintptr_t pc);

#endif
