/*
 * Timers that signal a task, or run on a task's processor time (timer_create(2)).
 *
 * The kernel has them all, and signals its one thread. Which task that is for, and whether the
 * task's time has come as well as the kernel thread's, weft finds out when the signal comes.
 */
#ifndef WEFT_TIMERS_H
#define WEFT_TIMERS_H

#include <signal.h>
#include <stdbool.h>

struct weft__thread;

/** Whom the signal of a timer is for. */
enum weft__timer_for {
	WEFT__FOR_PROCESS,
	WEFT__FOR_THREAD,
	WEFT__FOR_NOBODY, /* its thread is gone, or its time has not come yet */
};

/** Judge a signal that a timer sent (si_code SI_TIMER); with WEFT__FOR_THREAD, *thread says whom. */
enum weft__timer_for weft__timer_signal(const siginfo_t *info, struct weft__thread **thread);

/** Note that a signal of a timer's is being delivered: what timer_getoverrun(2) tells. */
void weft__timer_delivered(const siginfo_t *info);

/** Forget all timers: for a child after fork(2). */
void weft__timers_clear(void);

#endif
