/* When the running task has had its turn, and makes way for the others though it makes no call. */
#ifndef WEFT_PREEMPT_H
#define WEFT_PREEMPT_H

#include <signal.h>
#include <stdbool.h>

struct weft__thread;
struct weft__ucontext;

/** Let tasks that run for longer than a period, in milliseconds, make way: 0 or -errno. */
long weft__preempt_begin(unsigned int period_ms);

/** Two carriers, by number, have swapped their kernel threads, which keep their timers. */
void weft__preempt_swap(unsigned int a, unsigned int b);

/** Preempt nobody from now on; whether anybody was. */
bool weft__preempt_end(void);

/**
 * A timer of weft's has gone off.
 *
 * Context    the kernel's handler
 *
 * @param me  the task that it found running; NULL: the hub
 *
 * @return whether the task is to make way now
 */
bool weft__preempt_tick(struct weft__thread *me, const siginfo_t *info,
			const struct weft__ucontext *ucontext);

/** Stop the running task, for a tick or another's signal. Switches. Context: a task, in weft's code. */
void weft__preempt_make_way(struct weft__thread *me);

/** The next call waits in the kernel, and is not to be interrupted. Context: a task, in weft's code. */
void weft__preempt_not(void);

#endif
