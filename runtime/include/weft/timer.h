/*
 * Timers: functions that are called after a while, once or again and again.
 *
 *     weft_timer *timer;
 *
 *     weft_timer_new(&timer, remind, "tea");
 *     weft_timer_start(timer, 3 * WEFT_S, 0);
 *     ...
 *     weft_timer_cancel(timer);
 *     weft_timer_free(timer);
 *
 * As threading.Timer, but one can be started again, and repeat. While it waits a timer is a record of
 * some 200 bytes; its function is called by a task that is made for that, and may wait as any other.
 *
 * A timer that repeats is due at multiples of its interval after the first time, however long its
 * function takes; while that has not returned, times are passed over.
 *
 * A timer that is armed keeps weft_run() from returning; one that repeats must be cancelled in the end.
 */
#ifndef WEFT_TIMER_PUBLIC_H
#define WEFT_TIMER_PUBLIC_H

#include <weft/wait.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A timer. It is an object: ready while it is not armed, and its function not being called. */
typedef struct weft_timer weft_timer;

/**
 * Make a timer, which is not armed yet.
 *
 * Switches   no
 * Context    any thread
 * Ownership  arg stays the caller's; *ret_timer is freed by weft_timer_free()
 *
 * @return 0, or
 *   -EINVAL  ret_timer or fn is NULL
 *   -ENOMEM  no room
 */
WEFT_API int weft_timer_new(weft_timer **ret_timer, void (*fn)(void *arg), void *arg);

/**
 * Arm a timer, anew if it is armed.
 *
 * Switches   no
 * Context    a task, or a callback of the loop; of the run in which it is armed already
 *
 * @param duration_ns  from now until it is due
 * @param interval_ns  from then on, and so on; 0: it is due once
 *
 * @return 0, or
 *   -EINVAL  timer is NULL, or a time negative
 *   -ENOMEM  no room for the task that waits for timers
 *   -EAGAIN  in a patched program, as for pthread_create(3)
 *   -EPERM   the calling thread runs no tasks, or those of another run
 */
WEFT_API int weft_timer_start(weft_timer *timer, int64_t duration_ns, int64_t interval_ns);

/**
 * Have the time begin anew, with the durations that weft_timer_start() was given last.
 *
 * Switches   no
 * Context    as for weft_timer_start()
 *
 * @return 0, or what weft_timer_start() returns, or
 *   -ENOENT  it has never been started
 */
WEFT_API int weft_timer_reset(weft_timer *timer);

/**
 * Disarm a timer. A call of its function that has begun goes on.
 *
 * Switches   no
 * Context    as for weft_timer_start()
 *
 * @return 1: it was armed, 0: it was not, or
 *   -EINVAL  timer is NULL
 *   -EPERM   it is armed, and the calling thread runs no tasks, or those of another run
 */
WEFT_API int weft_timer_cancel(weft_timer *timer);

/**
 * Tell whether a timer is armed.
 *
 * Switches   no
 * Context    as for weft_timer_start()
 *
 * @return whether it is
 */
WEFT_API bool weft_timer_armed(const weft_timer *timer);

/**
 * Wait until a timer is not armed, and its function has returned.
 *
 * Switches   yes, unless that is so
 * Context    a task
 *
 * @return 0, or
 *   -EINVAL     timer is NULL, or deadline_ns negative
 *   -ETIMEDOUT  the deadline came first
 *   -EPERM      the caller is no task
 *   what was raised
 */
WEFT_API int weft_timer_join(weft_timer *timer, int64_t deadline_ns);

/**
 * Free a timer; one that is armed is cancelled. Its function may do so, too.
 *
 * Switches   no
 * Context    as for weft_timer_start(); any thread if it is not armed
 * Ownership  timer is gone. A call that has begun goes on. NULL is nothing
 *
 * @return 0, or
 *   -EBUSY  a task waits for it; it stays
 *   -EPERM  it is armed, and the calling thread runs no tasks, or those of another run
 */
WEFT_API int weft_timer_free(weft_timer *timer);

#ifdef __cplusplus
}
#endif

#endif
