/*
 * What asyncio does with tasks: run until complete, gather, wait for, shield, as completed.
 *
 *     static void *main_task(void *unused)
 *     {
 *         weft_call calls[] = {{fetch, "a"}, {fetch, "b"}, {fetch, "c"}};
 *         void *pages[3];
 *
 *         weft_gather_calls(calls, 3, NULL, pages);
 *         return unused;
 *     }
 *
 *     int main(void)
 *     {
 *         return weft_run_until_complete(main_task, NULL, NULL) == 0 ? 0 : 1;
 *     }
 *
 * A function that waits is no different from any other here, so nothing is awaited but tasks. To
 * cancel is weft_kill(): -ECANCELED is CancelledError.
 */
#ifndef WEFT_AIO_H
#define WEFT_AIO_H

#include <weft/executor.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Run a task, and kill what it has spawned and left when it has returned (asyncio.run()).
 *
 * As weft_run(), but the other tasks are killed then, once, and timers cancelled; it returns when
 * all have ended. What has been submitted to executors is waited for.
 *
 * Switches   yes
 * Context    a thread that is not in weft_run() already
 * Ownership  arg stays the caller's
 *
 * @param ret_value  where what fn(arg) gives is put; may be NULL
 *
 * @return 0, or what weft_run() returns
 */
WEFT_API int weft_run_until_complete(weft_func *fn, void *arg, void **ret_value);

/**
 * Wait for several tasks, and take what they give (asyncio.gather()).
 *
 * With `errors` it waits for all. Without, the first error ends it, and the other tasks go on. What
 * is raised in the caller kills all of them that have not ended, and is not waited for.
 *
 * Switches   yes, unless all have ended
 * Context    a task
 * Ownership  the arrays stay the caller's
 *
 * @param errors  room for n: set to how each has ended (weft_error()), and then none of them ends
 *                the wait; may be NULL
 * @param values  room for n: set to what each has given, NULL if it has failed; may be NULL. Set,
 *                as errors is, if this returns 0
 *
 * @return 0, or the error of the first task that failed, or
 *   -EINVAL   tasks or one of them is NULL
 *   -EDEADLK  one of them is the caller
 *   -ENOMEM   no room
 *   -EPERM    the caller is no task, or one of them another run's
 *   what was raised
 */
WEFT_API int weft_gather(weft_task *const tasks[], size_t n, int errors[], void *values[]);

/** A function to be called, and its argument. */
typedef struct weft_call {
	weft_func *fn;
	void *arg;
} weft_call;

/**
 * Spawn a task for each of several calls, and gather them.
 *
 * Switches   yes
 * Context    a task
 * Ownership  the arrays stay the caller's. What the arguments point to must last as long as the
 *            tasks, which go on after an error
 *
 * @return 0, or what weft_gather() and weft_spawn() return; if one could not be spawned the others
 *         are killed
 */
WEFT_API int weft_gather_calls(const weft_call calls[], size_t n, int errors[], void *values[]);

/**
 * Wait for a task, and kill it if it takes too long (asyncio.wait_for()).
 *
 * When the time has come, or something is raised in the caller, the task is killed, and its end is
 * waited for, whatever is raised meanwhile.
 *
 * Switches   yes, unless it has ended
 * Context    a task
 *
 * @param ret_value  where what its function gave is put; may be NULL
 *
 * @return 0, or the error with which it has ended (weft_error()), or
 *   -EINVAL     task is NULL, or deadline_ns negative
 *   -EDEADLK    task is the caller
 *   -ETIMEDOUT  the deadline came first; it has been killed, and has ended
 *   -EPERM      the caller is no task, or task another run's
 *   what was raised; it has been killed, and has ended
 */
WEFT_API int weft_wait_for(weft_task *task, int64_t deadline_ns, void **ret_value);

/**
 * Stand a task before another, that can be killed instead of it (asyncio.shield()).
 *
 * The new task waits for the other and ends as it does, with its value or error. weft_gather() and
 * weft_wait_for() are given this one, and may kill it, while the other goes on.
 *
 * Switches   no
 * Context    a task, or a callback of the loop
 * Ownership  *ret_shield carries one reference, given back by weft_release(); it has a reference to
 *            task while it waits
 *
 * @return 0, or what weft_spawn() returns, or
 *   -EINVAL  ret_shield or task is NULL
 *   -EPERM   task is another run's
 */
WEFT_API int weft_shield(weft_task **ret_shield, weft_task *task);

/**
 * Begin to take tasks as they end (asyncio.as_completed()).
 *
 * Switches   no
 * Context    a task
 * Ownership  the tasks must outlive *ret_iwait, which weft_iwait_free() frees
 *
 * @return 0, or what weft_iwait_new() returns
 */
WEFT_API int weft_as_completed(weft_iwait **ret_iwait, weft_task *const tasks[], size_t n);

/**
 * Wait for the next task that ends.
 *
 * Switches   yes, unless one has ended
 * Context    a task
 * Ownership  no reference is handed out
 *
 * @param iwait     of weft_as_completed()
 * @param ret_task  where it is put
 *
 * @return 1, or 0: all have been given, or what weft_iwait_next() returns
 */
WEFT_API int weft_next_completed(weft_iwait *iwait, int64_t deadline_ns, weft_task **ret_task);

/**
 * Call a function on a thread of an executor, and wait for what it gives.
 *
 * What is raised in the caller takes it back if it has not begun. If it has, its end is waited for,
 * so arg may be the caller's own; then that is raised at the next wait.
 *
 * Switches   yes
 * Context    a task of the executor's run
 * Ownership  arg stays the caller's; the function has it only until this returns
 *
 * @param executor   NULL: weft_executor_default()
 * @param ret_value  where what it gave is put; may be NULL
 *
 * @return 0, or what the function said by weft_set_error(), or what weft_executor_submit() returns, or
 *   -ECANCELED  the executor has been shut down, and that with it
 *   what was raised; it has never run
 */
WEFT_API int weft_run_in_executor(weft_executor *executor, weft_func *fn, void *arg,
				  void **ret_value);

#ifdef __cplusplus
}
#endif

#endif
