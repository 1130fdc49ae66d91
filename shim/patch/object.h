/* Loaded objects, as far as patching needs to know them. */
#ifndef WEFT_PATCH_OBJECT_H
#define WEFT_PATCH_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The executable segment of a loaded object. */
struct weft__text {
	uintptr_t start, end;
};

/** The bounds of a function, from its unwind information. */
struct weft__function {
	uintptr_t start, end;
};

/**
 * Find the text of the object whose file name begins with `prefix`.
 *
 * @return 0, or
 *   -ENOENT   no such object is loaded
 *   -ENOTSUP  it has more than one executable segment
 */
int weft__find_text(const char *prefix, struct weft__text *text);

/** Find the function that an address lies in; false when no unwind information covers it. */
bool weft__find_function(uintptr_t address, struct weft__function *function);

#endif
