/*
 * Executors: functions on kernel threads of their own, for what blocks or computes for long.
 *
 * A task that computes, or calls what blocks the kernel thread, keeps all others of its run from
 * going on. An executor has threads for that (concurrent.futures.ThreadPoolExecutor), and a future
 * tells when one of its functions has returned, and what:
 *
 *     weft_executor *executor;
 *     weft_future *future;
 *     void *digest;
 *
 *     weft_executor_new(&executor, 3);
 *     weft_executor_submit(executor, &future, hash_file, "a file");
 *     weft_future_result(future, WEFT_FOREVER, &digest);
 *     weft_future_release(future);
 *     weft_executor_shutdown(executor, false, WEFT_FOREVER);
 *     weft_executor_free(executor);
 *
 * What runs on such a thread is no task: weft_self() is NULL there, and what switches fails with
 * -EPERM. It fails by weft_set_error(), as a task does. In a patched program its threads are tasks
 * like all threads, and what it computes does keep the others from going on, on one carrier.
 *
 * A function that has been submitted keeps weft_run() from returning until it has been told of; so
 * one that never returns keeps it for ever. An executor is shut down at the end of its weft_run()
 * at the latest.
 *
 * An inbox is for threads that are no tasks: they have a function called in the run by that, which
 * wakes tasks or spawns them (asyncio's call_soon_threadsafe()).
 */
#ifndef WEFT_EXECUTOR_H
#define WEFT_EXECUTOR_H

#include <weft/wait.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Kernel threads that run functions. It is an object: ready when shut down, and its threads gone. */
typedef struct weft_executor weft_executor;

/** A function of an executor, and its result. It is an object: ready when done, or canceled. */
typedef struct weft_future weft_future;

/**
 * Make an executor. Its threads are made when there is something to do, one at a time.
 *
 * They have all signals blocked. A child of fork(2) has none of them.
 *
 * Switches   no
 * Context    a task, or a callback of the loop. The executor is for those of the same run
 * Ownership  *ret_executor is freed by weft_executor_free()
 *
 * @param most  how many threads it has at most, up to 10000; 0: four more than processors, 32 at most
 *
 * @return 0, or
 *   -EINVAL  ret_executor is NULL, or most too large
 *   -ENOMEM  no room
 *   -EPERM   the calling thread runs no tasks
 */
WEFT_API int weft_executor_new(weft_executor **ret_executor, unsigned int most);

/**
 * Have a function called by one of an executor's threads; those submitted first, first.
 *
 * Switches   no
 * Context    a task of the executor's run, or a callback of its loop
 * Ownership  arg stays the caller's; *ret_future carries one reference, given back by
 *            weft_future_release(). With a ret_future of NULL there is none
 *
 * @return 0, or
 *   -EINVAL     executor or fn is NULL
 *   -ESHUTDOWN  the executor has been shut down
 *   -ENOMEM     no room
 *   -EAGAIN     it has no thread, and none could be made
 *   -EPERM      the calling thread runs no tasks, or those of another run
 */
WEFT_API int weft_executor_submit(weft_executor *executor, weft_future **ret_future, weft_func *fn,
				  void *arg);

/**
 * Have a function called for each of several items, and wait for all.
 *
 * Switches   yes
 * Context    a task of the executor's run
 * Ownership  the arrays stay the caller's. An item is fn's until this returns: what is not begun is
 *            canceled if the wait ends early, and what is begun is waited for
 *
 * @param values  room for n: set to what fn gave for each item, if this returns 0; may be NULL
 *
 * @return 0, or the first error of an item in their order, or what weft_executor_submit() returns, or
 *   -EINVAL     items or fn is NULL, or deadline_ns negative
 *   -ETIMEDOUT  the deadline came first
 *   what was raised
 */
WEFT_API int weft_executor_map(weft_executor *executor, weft_func *fn, void *const items[],
			       size_t n, void *values[], int64_t deadline_ns);

/**
 * Admit nothing any more, and wait until all that was submitted is done, and the threads have gone.
 *
 * Switches   yes, if the deadline lets it wait and there is what to wait for
 * Context    a task of the executor's run; a callback of its loop with a deadline of 0
 *
 * @param cancel       whether what has not begun is canceled
 * @param deadline_ns  how long to wait; 0: not at all, which is no error here
 *
 * @return 0, or
 *   -EINVAL     executor is NULL, or deadline_ns negative
 *   -ETIMEDOUT  it is not done yet; it is shut down
 *   -EPERM      the calling thread runs no tasks, or those of another run, or would have to wait
 *               and is no task
 *   what was raised; it is shut down
 */
WEFT_API int weft_executor_shutdown(weft_executor *executor, bool cancel, int64_t deadline_ns);

/**
 * Free an executor that has been shut down.
 *
 * Switches   no
 * Context    a task of its run, or any thread after that has ended
 * Ownership  executor is gone. NULL is nothing. Its futures stay
 *
 * @return 0, or
 *   -EBUSY  it has not been shut down, or has threads; it stays
 */
WEFT_API int weft_executor_free(weft_executor *executor);

/**
 * Give the executor of the calling task's run, which is made when first asked for.
 *
 * Switches   no
 * Context    a task, or a callback of the loop
 * Ownership  it stays the run's, which shuts it down and frees it at its end
 *
 * @return 0, or what weft_executor_new() returns
 */
WEFT_API int weft_executor_default(weft_executor **ret_executor);

/**
 * Take another reference to a future.
 *
 * Switches   no
 * Context    a task of its run, or a callback of its loop
 * Ownership  given back by weft_future_release()
 *
 * @return future
 */
WEFT_API weft_future *weft_future_ref(weft_future *future);

/**
 * Give a reference back. The function runs on, or is run, nevertheless.
 *
 * Switches   no
 * Context    a task of its run, or any thread after that has ended
 * Ownership  future is not the caller's any more. NULL is nothing
 */
WEFT_API void weft_future_release(weft_future *future);

/**
 * Cancel a function that has not begun.
 *
 * Switches   no
 * Context    a task of its run, or a callback of its loop
 *
 * @return 0: it will never run, or
 *   -EINVAL    future is NULL
 *   -EBUSY     it runs
 *   -EALREADY  it has returned, or been canceled
 */
WEFT_API int weft_future_cancel(weft_future *future);

/**
 * Wait for the end of a function, and tell what it gave.
 *
 * Switches   yes, unless it is done
 * Context    a task of its run
 *
 * @param ret_value  where what the function gave is put; may be NULL
 *
 * @return 0, or
 *   -ECANCELED  it was canceled
 *   -EINVAL     future is NULL, or deadline_ns negative
 *   -ETIMEDOUT  the deadline came first
 *   -EPERM      the caller is no task
 *   what the function said by weft_set_error()
 *   what was raised
 */
WEFT_API int weft_future_result(weft_future *future, int64_t deadline_ns, void **ret_value);

/**
 * Tell how a function has ended.
 *
 * Switches   no
 * Context    a task of its run, or any thread after that has ended
 *
 * @return 0: well, or
 *   -EINPROGRESS  it has not ended
 *   -ECANCELED    it was canceled
 *   -EINVAL       future is NULL
 *   what the function said by weft_set_error()
 */
WEFT_API int weft_future_error(weft_future *future);

/**
 * Tell whether a function has returned, or been canceled.
 *
 * Switches   no
 * Context    a task of its run, or any thread after that has ended
 *
 * @return whether it has
 */
WEFT_API bool weft_future_done(weft_future *future);

/**
 * Tell whether a function has begun, and not been told of.
 *
 * Switches   no
 * Context    a task of its run, or a callback of its loop
 *
 * @return whether it has
 */
WEFT_API bool weft_future_running(weft_future *future);

/**
 * Have a function called when a future is done.
 *
 * They are called one after the other, in the order in which they were added, by a task; by the
 * caller, before this returns, if the future is done.
 *
 * Switches   no, unless fn does
 * Context    a task of its run, or a callback of its loop
 * Ownership  arg stays the caller's; fn is given a reference for the time of the call
 *
 * @return 0, or
 *   -EINVAL  future or fn is NULL
 *   -ENOMEM  no room to keep it, or for the task
 *   -EAGAIN  in a patched program, as for pthread_create(3)
 */
WEFT_API int weft_future_add_done_callback(weft_future *future,
					   void (*fn)(weft_future *future, void *arg), void *arg);

/** What other threads put calls into. */
typedef struct weft_inbox weft_inbox;

/**
 * Give the inbox of the calling task's run, for other threads.
 *
 * Switches   no
 * Context    a task, or a callback of the loop
 * Ownership  *ret_inbox is valid until weft_inbox_free(), also when the run has ended
 *
 * @return 0, or
 *   -EINVAL  ret_inbox is NULL
 *   -ENOMEM  no room
 *   -EPERM   the calling thread runs no tasks
 */
WEFT_API int weft_inbox_new(weft_inbox **ret_inbox);

/**
 * Have a function called in a run, soon; what was put in first, first.
 *
 * It is called as a callback of the loop, so everything may be called that does not switch; in a
 * patched program by a task, which may wait, and holds the following ones up then. What has been
 * put in before the last task of the run ends is called. It does not keep the run from ending.
 *
 * Switches   no
 * Context    any thread; not a signal handler
 * Ownership  arg stays the caller's
 *
 * @return 0, or
 *   -EINVAL     inbox or fn is NULL
 *   -ESHUTDOWN  the run has ended
 *   -ENOMEM     no room
 *   -EAGAIN     in a patched program, as for pthread_create(3)
 */
WEFT_API int weft_inbox_call(weft_inbox *inbox, void (*fn)(void *arg), void *arg);

/**
 * Give an inbox back. What is in it is called nevertheless.
 *
 * Switches   no
 * Context    any thread
 * Ownership  inbox is not the caller's any more. NULL is nothing
 */
WEFT_API void weft_inbox_free(weft_inbox *inbox);

#ifdef __cplusplus
}
#endif

#endif
