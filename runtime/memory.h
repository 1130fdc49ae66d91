/*
 * weft's own memory.
 *
 * Not malloc: that one is the program's. A task may be stopped while it holds one of malloc's
 * locks, and neither the hub nor a signal's delivery can wait for that task.
 */
#ifndef WEFT_MEMORY_H
#define WEFT_MEMORY_H

#include <stddef.h>

#include "raw.h"

/**
 * A block of memory at a multiple of 64, as it comes: not zeroed.
 *
 * Context    any thread, but no signal handler that may have interrupted weft's own code
 * Ownership  the caller's, to be given back by weft__free() with the same size
 *
 * @return NULL when the system has no more
 */
WEFT__SHARED void *weft__alloc(size_t bytes) __attribute__((malloc));

/** Give a block back; NULL is none. */
WEFT__SHARED void weft__free(void *block, size_t bytes);

/** Forget who was about to take or give one: for a child after fork(2). */
WEFT__SHARED void weft__memory_forked(void);

#endif
