/* The stacks of native tasks and coroutines. */
#ifndef WEFT_NATIVE_STACK_H
#define WEFT_NATIVE_STACK_H

#include <stddef.h>

/** Take a stack of at least so many bytes; its lowest usable address, NULL: there is no room. */
void *weft__stack_take(size_t bytes, size_t *ret_bytes);

/** Give one back. It must not be the one that is run on. */
void weft__stack_give(void *stack, size_t bytes);

#endif
