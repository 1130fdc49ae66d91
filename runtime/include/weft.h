/*
 * weft: cooperative tasks on a libuv loop.
 *
 * A program that links libweft.so runs tasks of its own: weft_run() turns the calling thread into
 * a carrier, and what it spawns takes turns on that one kernel thread until it waits. Unmodified
 * programs need none of this: the preload library and the `weft` launcher bring them in.
 *
 * Every function says whether it switches, that is, whether other tasks may run before it
 * returns. Times are nanoseconds of CLOCK_MONOTONIC. Errors are negative errno values.
 */
#ifndef WEFT_H
#define WEFT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEFT_API __attribute__((visibility("default")))

#define WEFT_VERSION_MAJOR 0
#define WEFT_VERSION_MINOR 1
#define WEFT_VERSION_PATCH 0

/** A deadline that never comes. */
#define WEFT_FOREVER UINT64_C(0)

/** What weft_wait_fd() waits for, and returns; or-ed together. */
#define WEFT_IN 1
#define WEFT_OUT 2

/** A task: a function on a stack of its own. */
typedef struct weft_task weft_task;

/**
 * Name the version of the library that is loaded.
 *
 * Switches   no
 * Context    any thread
 * Ownership  a constant string
 *
 * @return "MAJOR.MINOR.PATCH"
 */
WEFT_API const char *weft_version(void);

/**
 * Run a task and everything it spawns, to the end, on the calling thread.
 *
 * The thread becomes a carrier: entry(arg) is its first task, on the thread's own stack. When
 * that task has returned, the others go on until the last one has ended.
 *
 * Switches   yes
 * Context    a thread that is not a carrier yet
 * Ownership  arg stays the caller's
 *
 * @return 0, or
 *   -EPERM   the thread is a carrier already
 *   -ENOMEM  no room for the hub
 *   -EMFILE, -ENFILE  no descriptor left for the loop
 */
WEFT_API int weft_run(void (*entry)(void *arg), void *arg);

/**
 * Start a task.
 *
 * The task runs entry(arg) on a stack of its own, in the carrier of the calling task, and not
 * before the caller next switches.
 *
 * Switches   no
 * Context    a task; not a signal handler
 * Ownership  arg stays the caller's; *ret_task carries one reference, given back by weft_join()
 *            or weft_detach()
 *
 * @return 0, or
 *   -ENOMEM  no room for the task or its stack
 *   -EPERM   the calling thread is not a carrier
 */
WEFT_API int weft_spawn(weft_task **ret_task, void (*entry)(void *arg), void *arg);

/**
 * Wait until a task has ended, and give its reference back.
 *
 * Switches   yes, unless the task has ended already
 * Context    a task of the same carrier
 * Ownership  task is gone when this returns 0
 *
 * @return 0, or
 *   -EDEADLK  task is the caller
 *   -EINVAL   another task waits for it already
 *   -EPERM    the calling thread is not a carrier
 */
WEFT_API int weft_join(weft_task *task);

/**
 * Give back the reference to a task; it is freed when it ends.
 *
 * Switches   no
 * Context    a task of the same carrier
 * Ownership  task is not the caller's any more
 */
WEFT_API void weft_detach(weft_task *task);

/**
 * Name the task that calls.
 *
 * Switches   no
 * Context    any thread
 * Ownership  no reference is handed out
 *
 * @return the task, or NULL in a thread that is not a carrier
 */
WEFT_API weft_task *weft_self(void);

/**
 * Let every other task that is ready run once (sched_yield(2)).
 *
 * Switches   yes, when another task is ready
 * Context    a task; in any other thread it does nothing
 */
WEFT_API void weft_yield(void);

/**
 * Wait for a time to pass; never shorter (nanosleep(2)).
 *
 * Switches   yes
 * Context    a task
 *
 * @return 0, or
 *   -EPERM  the calling thread is not a carrier
 */
WEFT_API int weft_sleep(uint64_t duration_ns);

/**
 * Tell the time in the clock of all deadlines (CLOCK_MONOTONIC).
 *
 * Switches   no
 * Context    any thread
 *
 * @return nanoseconds
 */
WEFT_API uint64_t weft_now(void);

/**
 * Wait until a descriptor can be read or written without waiting (poll(2)).
 *
 * A descriptor that is never waited for, such as a regular file, is ready at once.
 *
 * @param events       WEFT_IN, WEFT_OUT or both
 * @param deadline_ns  when to give up, or WEFT_FOREVER
 *
 * Switches   yes, unless it is ready
 * Context    a task
 *
 * @return the events of those asked for that came true; an error or a hang-up of the descriptor
 * makes all of them true, so that the next call on it tells; or
 *   -ETIMEDOUT  the deadline came first
 *   -EBADF      fd is not open
 *   -EINVAL     events is empty or has other bits
 *   -ENOMEM     no room to keep it
 *   -EPERM      the calling thread is not a carrier
 */
WEFT_API int weft_wait_fd(int fd, int events, uint64_t deadline_ns);

#ifdef __cplusplus
}
#endif

#endif
