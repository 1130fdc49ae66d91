/*
 * Kernel threads of weft's own.
 *
 * libc does not know them: they are made by clone(2) itself, for pthread_create takes locks of
 * libc's, which a task may hold that is stopped. They must call nothing of libc's that has state:
 * their thread pointer has room for the variables of libweft.so, which are all zero at first, and
 * for nothing else.
 */
#ifndef WEFT_KERNEL_THREAD_H
#define WEFT_KERNEL_THREAD_H

#include <stdbool.h>

#include "raw.h"

/**
 * Make a kernel thread that calls run(arg), and ends when that returns.
 *
 * It has the ids, capabilities and all else that the caller's kernel thread has, and blocks all
 * signals.
 *
 * Switches   no
 * Context    any thread of which libc knows
 *
 * @return 0 or a negative errno of mmap(2) or clone(2)
 */
WEFT__SHARED int weft__kernel_thread_make(void (*run)(void *arg), void *arg);

/** The id of the calling kernel thread of weft's own; no system call tells it. */
int weft__kernel_thread_id(void);

/** Whether there are any. One that has just ended may still be the kernel's for a moment. */
WEFT__SHARED bool weft__kernel_threads_left(void);

/** Free the stacks of all that were: for a child after fork(2), where none of them is. */
void weft__kernel_threads_forked(void);

#endif
