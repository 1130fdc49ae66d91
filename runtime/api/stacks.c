/* See native_stack.h. One mapping a stack, with a guard page below. */
#include "native_stack.h"

#include <sys/mman.h>

#define GUARD_BYTES ((size_t)4096)

void *weft__stack_take(size_t bytes, size_t *ret_bytes)
{
	size_t all = (bytes + 2 * GUARD_BYTES - 1) & ~(GUARD_BYTES - 1);
	char *stack = mmap(NULL, all, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	if (stack == MAP_FAILED)
		return NULL;
	mprotect(stack, GUARD_BYTES, PROT_NONE);
	*ret_bytes = all - GUARD_BYTES;
	return stack + GUARD_BYTES;
}

void weft__stack_give(void *stack, size_t bytes)
{
	munmap((char *)stack - GUARD_BYTES, bytes + GUARD_BYTES);
}
