/* Guards of stacks: pages that nobody can read or write, and that part no mapping. */
#ifndef WEFT_GUARD_H
#define WEFT_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "denied.h"
#include "raw.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

/**
 * Make a guard of pages, as a mark in the page table (Linux 6.13).
 *
 * @return false when the kernel is older, or does not do it here: memory is locked (mlockall(2)), or a
 * filter denies the call
 */
static inline bool weft__mark_guard(uintptr_t start, size_t bytes)
{
	return !weft__denied[SYS_madvise] &&
	       weft__raw(SYS_madvise, start, bytes, MADV_GUARD_INSTALL) == 0;
}

#endif
