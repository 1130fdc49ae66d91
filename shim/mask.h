/*
 * Signal masks: each task's own, and the kernel thread's, which is what all tasks have in common.
 *
 * A signal that every task blocks stays pending in the kernel, as it would with threads; any other
 * is let in, and signal.c finds a task that admits it. Few masks are in use at a time, so tasks
 * with the same one share a group; only when a group comes or goes does the common part change.
 */
#ifndef WEFT_MASK_H
#define WEFT_MASK_H

#include <signal.h>
#include <stdint.h>

struct weft__thread;

struct weft__mask_group {
	uint64_t mask;
	unsigned long threads; /* 0: free for another mask */
	struct weft__mask_group *next;
};

/** SIGKILL and SIGSTOP. */
#define WEFT__UNBLOCKABLE (UINT64_C(1) << (SIGKILL - 1) | UINT64_C(1) << (SIGSTOP - 1))

static inline uint64_t weft__signal_bit(int signal)
{
	return UINT64_C(1) << (signal - 1);
}

/** Start over with one thread that has the kernel thread's mask. */
void weft__mask_begin(struct weft__thread *only);

/** Give a new thread the mask of another. */
void weft__mask_inherit(struct weft__thread *thread, const struct weft__thread *from);

/** Take a thread that ends out of account. */
void weft__mask_end(struct weft__thread *thread);

/** Change a thread's mask, and the kernel's when that makes a difference. */
void weft__mask_set(struct weft__thread *thread, uint64_t mask);

/** The mask of a thread. */
uint64_t weft__mask_of(const struct weft__thread *thread);

/** Note that the kernel runs a handler of weft's, which has all signals blocked. */
void weft__mask_in_handler(void);

/** Give the kernel thread the mask it is to have, unless it has it. */
void weft__mask_tell_kernel(void);

/** What the kernel thread's mask is to be. */
uint64_t weft__mask_common(void);

#endif
