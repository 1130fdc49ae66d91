/*
 * The stacks that native tasks and coroutines stand on.
 *
 * They come out of a pool: making and ending a task costs no system call most of the time, and a
 * million of them need neither as many mappings nor as many bytes of page tables.
 */
#ifndef WEFT_NATIVE_STACK_H
#define WEFT_NATIVE_STACK_H

#include <stdbool.h>
#include <stddef.h>

/*
 * What a stack takes of the address space unless somebody asks for another size. musl gives its
 * threads as much, and what is written in C runs there. Of each only the pages that have been
 * written to are memory, but the page tables are: 8 bytes for each page of address space.
 */
#define WEFT__STACK_BYTES ((size_t)128 * 1024)

/** The most that can be asked for. */
#define WEFT__MOST_STACK_BYTES ((size_t)1 << 30)

/**
 * Take a stack. Below it is a page that nobody can read or write.
 *
 * Switches   no
 * Context    any thread, a hub too; not a signal handler
 * Ownership  the caller's, to be given back by weft__stack_give(), by any thread
 *
 * @param bytes      of address space, guard page included, which is rounded up to a power of two;
 *                   0: WEFT__STACK_BYTES
 * @param ret_bytes  how many can be used, a multiple of 64
 *
 * @return the lowest usable address, a multiple of 64; its contents are undefined. NULL: there is
 * no room, or more than WEFT__MOST_STACK_BYTES are asked for
 */
void *weft__stack_take(size_t bytes, size_t *ret_bytes);

/** Give a stack back that nobody stands on, with the size that weft__stack_take() told. */
void weft__stack_give(void *stack, size_t bytes);

/** Give back what the calling thread has kept for its next ones; it is about to end. */
void weft__stack_thread_ends(void);

#endif
