/* Turning the sites of an object into jumps to weft's stubs, all of them or none. */
#ifndef WEFT_PATCH_H
#define WEFT_PATCH_H

#include <stddef.h>
#include <stdint.h>

#include "object.h"
#include "site.h"
#include "text.h"

struct weft__patch {
	size_t patched, unfit;     /* sites; unfit are answered calls for which no way was found */
	size_t missed;             /* of which these are calls for sure */
	struct weft__region stubs; /* to be unmapped when the object is gone */
};

/**
 * Patch an object.
 *
 * @param entry  where its calls are to arrive
 *
 * @return NULL with *patch filled in, or what refused it; then nothing has changed but that
 * patch->unfit is set
 */
const char *weft__patch_object(const struct weft__object *object, weft__wanted *wanted,
			       void (*entry)(void), struct weft__patch *patch);

/** An object that was patched has gone, and nobody is in its code: give its stubs up. */
void weft__patch_forget(struct weft__region *region);

/**
 * Have whoever comes to a function go to another instead.
 *
 * @param function  an empty one: whatever stands there is lost
 *
 * @return NULL or what refused it; then nothing has changed
 */
const char *weft__patch_function(const struct weft__object *object,
				 const struct weft__function *function, void (*instead)(void));

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
