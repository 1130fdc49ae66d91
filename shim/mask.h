/*
 * Signal masks: each task's own, and the kernel thread's, which is what all tasks have in common.
 *
 * Faults are let in always, and the signal by which tasks are preempted; what a caught call raises
 * is, where there is such a thing (catch.h).
 *
 * The first carrier takes the signals that are for the process. The others admit only what comes of
 * what they do themselves.
 *
 * A signal that every task blocks stays pending in the kernel, as it would with threads; any other
 * is let in, and signal.c finds a task that admits it. Few masks are in use at a time, so tasks
 * with the same one share a group; only when a group comes or goes does the common part change.
 */
#ifndef WEFT_MASK_H
#define WEFT_MASK_H

#include <signal.h>
#include <stdint.h>

#include "list.h"

struct weft__carrier;
struct weft__thread;

struct weft__mask_group {
	uint64_t mask;
	unsigned long threads;     /* 0: free for another mask */
	struct weft__link members; /* by their `fellows`, in the order in which they came */
	struct weft__mask_group *next;
};

/** SIGKILL and SIGSTOP. */
#define WEFT__UNBLOCKABLE (UINT64_C(1) << (SIGKILL - 1) | UINT64_C(1) << (SIGSTOP - 1))

static inline uint64_t weft__signal_bit(int signal)
{
	return UINT64_C(1) << (signal - 1);
}

/**
 * The mask in which weft's handler for the kernel runs: guarded accesses may fault there, and a
 * handler of the program's that is called at once may make a call that is caught.
 */
uint64_t weft__mask_in_handler(void);

/** Start over with one thread that has the kernel thread's mask. */
void weft__mask_begin(struct weft__thread *only);

/** Give a new thread a mask of all signals: it has no say in which of them are admitted. */
void weft__mask_fill(struct weft__thread *thread);

/** Give a new thread the mask of another. */
void weft__mask_inherit(struct weft__thread *thread, const struct weft__thread *from);

/** Take a thread that ends out of account. */
void weft__mask_end(struct weft__thread *thread);

/** Note that a thread waits for signals, blocked or not (sigwait(3)); 0: no longer. */
void weft__mask_wait_for(struct weft__thread *thread, uint64_t set);

/** A thread that does not block a signal, else one that waits for it; NULL: there is none. */
struct weft__thread *weft__mask_admitting(int signal);

/** Change a thread's mask, and the kernel's when that makes a difference. */
void weft__mask_set(struct weft__thread *thread, uint64_t mask);

/** The mask of a thread. */
uint64_t weft__mask_of(const struct weft__thread *thread);

/** Give the kernel thread the mask it is to have, unless it has it. */
void weft__mask_tell_kernel(void);

/** What the mask of the first carrier's kernel thread is to be. */
uint64_t weft__mask_common(void);

/** What that of any other's is; and what the caller's is to be. */
uint64_t weft__mask_of_others(void);
uint64_t weft__mask_here(void);

/** Give the kernel thread that mask: after its handler, or weft__mask_close(). */
void weft__mask_open(void);

/**
 * The calling kernel thread, the spare's, goes on as that of a caught carrier: give it the mask of that.
 * The one that is caught keeps its own while that makes no difference.
 */
void weft__mask_become(const struct weft__carrier *caught);

/** Let no signal in but the faults that guarded accesses have. */
void weft__mask_close(void);

/**
 * Swap in the mask that ppoll(2) and its like wait with, read from the program's memory; the task's
 * own goes back when the call is over.
 *
 * @param pointer  NULL: none
 *
 * @return 0, -EINVAL or -EFAULT
 */
long weft__mask_swap(long pointer, long bytes);

/** The call is over with a result, which is passed on; without a signal the mask goes back here. */
long weft__mask_restore(long result);

/** What the kernel thread's mask is to be, to be set by rt_sigreturn(2). */
uint64_t weft__mask_returning(void);

#endif
