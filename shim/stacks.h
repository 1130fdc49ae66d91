/*
 * Stacks of very many threads.
 *
 * A process may have 65,530 mappings. The kernel joins neighbouring stacks into one, but each stack
 * that is unmapped in the middle parts it, and glibc aborts when an munmap(2) of a stack fails. So
 * where there are thousands of threads their stacks come from chunks, a mapping each, which are
 * unmapped as a whole; a stack in between is emptied.
 */
#ifndef WEFT_STACKS_H
#define WEFT_STACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * A stack out of a chunk, readable and writable; its pages are zero and without guard.
 *
 * @return 0 when there are few threads, address space is limited, or there is no room: the kernel
 * has to be asked for a mapping of its own
 */
uintptr_t weft__thread_stack_take(size_t bytes);

/** Whether a stack is out of a chunk. */
bool weft__thread_stack_is_slot(uintptr_t start);

/** Give a stack back, and its memory to the system; false when it is not all of one of a chunk's. */
bool weft__thread_stack_give(uintptr_t start, size_t bytes);

#endif
