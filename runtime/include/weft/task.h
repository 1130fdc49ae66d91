/*
 * Tasks: functions that take turns, as greenlets do in gevent.
 *
 *     static void *say(void *name)
 *     {
 *         for (int i = 0; i < 3; i++) {
 *             printf("%s %d\n", (char *)name, i);
 *             weft_sleep(WEFT_MS);
 *         }
 *         return NULL;
 *     }
 *
 *     static void *both(void *unused)
 *     {
 *         weft_task *other;
 *
 *         weft_spawn(&other, say, "spawned");
 *         say("first");
 *         weft_join(other, WEFT_FOREVER);
 *         weft_release(other);
 *         return unused;
 *     }
 *
 *     int main(void) { return weft_run(both, NULL, NULL) == 0 ? 0 : 1; }
 *
 * A task runs until it waits: nothing else of its run does meanwhile. A handle carries a reference
 * and stays valid until that is given back by weft_release(), however long the task has ended.
 *
 * C has no exceptions. What gevent raises in a task ends the wait of weft's in which the task is, or
 * else the next one that it begins, with a negative errno: -ECANCELED for weft_kill(), what was
 * asked for for weft_raise() and timeouts. The task cleans up and returns, as after any error; what
 * it has deferred runs when it ends, however that comes. One raise ends one wait. What the wait was
 * for is not lost by it: a wait that has been granted what it waits for ends with that.
 *
 * All tasks of a run belong to the thread that is in weft_run(), and are nobody else's business: another
 * thread, or a task of its, that joins or kills one that has not ended is told -EPERM.
 *
 * In a patched program each task is a thread of its own, any thread may use these functions, and
 * weft_run() is not needed. Raises and timeouts end waits of weft's own there, too, but not read(2)
 * and other calls of the program.
 */
#ifndef WEFT_TASK_H
#define WEFT_TASK_H

#include <weft/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A task: a function on a stack of its own. */
typedef struct weft_task weft_task;

struct uv_loop_s;

/**
 * Run a task and everything it spawns, to the end, on the calling thread.
 *
 * The thread becomes a carrier: fn(arg) is its first task, on the thread's own stack. When
 * that task has returned, the others go on until the last one has ended. Timers that are armed are
 * waited for, too, and what has been submitted to executors. In a patched program the thread is a
 * task already, and this waits for what fn(arg) has spawned.
 *
 * Switches   yes
 * Context    a thread that is not in weft_run() already
 * Ownership  arg stays the caller's
 *
 * @param ret_value  where what fn(arg) gives is put; may be NULL
 *
 * @return 0, or
 *   -EINVAL  fn is NULL
 *   -EPERM   the thread runs tasks already
 *   -ENOMEM  no room for the hub
 *   -EMFILE, -ENFILE  no descriptor left for the loop
 */
WEFT_API int weft_run(weft_func *fn, void *arg, void **ret_value);

/**
 * Start a task.
 *
 * The task runs fn(arg) on a stack of its own, of 128 KB, in the carrier of the caller, and not
 * before the caller next switches; in a patched program it may run at once.
 *
 * Switches   no
 * Context    a task, or a callback of the loop; not a signal handler
 * Ownership  arg stays the caller's; *ret_task carries one reference, given back by
 *            weft_release(). With a ret_task of NULL there is none
 *
 * @return 0, or
 *   -EINVAL  fn is NULL
 *   -ENOMEM  no room for the task or its stack
 *   -EAGAIN  in a patched program, as for pthread_create(3)
 *   -EPERM   the calling thread runs no tasks
 */
WEFT_API int weft_spawn(weft_task **ret_task, weft_func *fn, void *arg);

/**
 * Start a task with a stack of another size.
 *
 * As weft_spawn(), for functions that need much stack, or have very many tasks.
 *
 * Switches   no
 * Context    a task, or a callback of the loop; not a signal handler
 * Ownership  as for weft_spawn()
 *
 * @param stack_bytes  8192 to 1 GB of address space, of which a page guards the end, rounded up to a
 *                     power of two and to 16 KB
 *
 * @return 0, or what weft_spawn() returns, or
 *   -EINVAL  stack_bytes is out of range
 */
WEFT_API int weft_spawn_sized(weft_task **ret_task, size_t stack_bytes, weft_func *fn, void *arg);

/**
 * Start a task after a while.
 *
 * Until then it counts as not started: weft_kill() takes it back.
 *
 * Switches   no
 * Context    a task, or a callback of the loop
 * Ownership  as for weft_spawn()
 *
 * @return 0, or what weft_spawn() returns, or
 *   -EINVAL  duration_ns is negative
 */
WEFT_API int weft_spawn_later(weft_task **ret_task, int64_t duration_ns, weft_func *fn, void *arg);

/**
 * Start a function as a task that nobody can name, wait for or kill from outside.
 *
 * Switches   no
 * Context    a task, or a callback of the loop
 * Ownership  arg stays the caller's
 *
 * @return 0, or what weft_spawn() returns
 */
WEFT_API int weft_spawn_raw(weft_func *fn, void *arg);

/**
 * Take another reference to a task.
 *
 * Switches   no
 * Context    any that has a reference
 * Ownership  given back by weft_release()
 *
 * @return task
 */
WEFT_API weft_task *weft_ref(weft_task *task);

/**
 * Give a reference back; the task is freed when it has ended and there is none.
 *
 * Switches   no
 * Context    any that has a reference; after weft_run(), too
 * Ownership  task is not the caller's any more. NULL is nothing
 */
WEFT_API void weft_release(weft_task *task);

/**
 * Wait until a task has ended.
 *
 * Any number may wait for the same one, before and after its end.
 *
 * Switches   yes, unless the task has ended already
 * Context    a task
 *
 * @return 0, or
 *   -EINVAL     task is NULL, or deadline_ns negative
 *   -EDEADLK    task is the caller
 *   -ETIMEDOUT  the deadline came first
 *   -EPERM      the caller is no task, or task another thread's
 *   what was raised
 */
WEFT_API int weft_join(weft_task *task, int64_t deadline_ns);

/**
 * Wait until so many of the tasks have ended.
 *
 * Switches   yes, unless they have already
 * Context    a task
 * Ownership  the array is read before this returns
 *
 * @param n      how many tasks there are
 * @param count  how many of them to wait for; 0 is all
 *
 * @return how many have ended, or
 *   -EINVAL     tasks or one of them is NULL, count is more than n, or deadline_ns negative
 *   -EDEADLK    one of them is the caller
 *   -ETIMEDOUT  the deadline came first
 *   -ENOMEM     no room to wait for as many
 *   -EPERM      the caller is no task, or one of them another thread's
 *   what was raised
 */
WEFT_API int weft_joinall(weft_task *const tasks[], size_t n, size_t count, int64_t deadline_ns);

/**
 * Wait until a task has ended, and tell how.
 *
 * Switches   yes, unless the task has ended already
 * Context    a task
 *
 * @param ret_value  where what its function gave is put; may be NULL
 *
 * @return 0, or the error with which it has ended (weft_error()), or what weft_join() returns
 */
WEFT_API int weft_get(weft_task *task, int64_t deadline_ns, void **ret_value);

/**
 * Kill a task: raise -ECANCELED in it, and wait until it has ended.
 *
 * One that has not started never runs. One that has ended is left alone. Who kills itself has it
 * raised at its next wait.
 *
 * Switches   yes, if the deadline lets it wait
 * Context    a task; a callback of the loop with a deadline of 0
 *
 * @param deadline_ns  how long to wait for its end; 0: not at all, which is no error here
 *
 * @return 0, or
 *   -EINVAL     task is NULL, or deadline_ns negative
 *   -ETIMEDOUT  it has not ended yet; the kill holds
 *   -EPERM      the caller is no task, and would have to wait; or task is another thread's
 *   what was raised in the caller meanwhile; the kill holds
 */
WEFT_API int weft_kill(weft_task *task, int64_t deadline_ns);

/**
 * Kill tasks, all at once, and wait until all have ended.
 *
 * Switches   yes, if the deadline lets it wait
 * Context    a task
 * Ownership  the array is read before this returns
 *
 * @return 0, or what weft_kill() returns, or
 *   -EINVAL  tasks or one of them is NULL
 */
WEFT_API int weft_killall(weft_task *const tasks[], size_t n, int64_t deadline_ns);

/**
 * Raise an error in a task: its wait, or the next that it begins, ends with that.
 *
 * An earlier one that has not been raised yet is replaced. A task that has not started never runs,
 * and ends with the error.
 *
 * Switches   no
 * Context    a task, or a callback of the loop
 *
 * @return 0, or
 *   -EINVAL  task is NULL, or error not a negative errno
 *   -ESRCH   the task has ended
 *   -EPERM   the task is another thread's
 */
WEFT_API int weft_raise(weft_task *task, int error);

/**
 * Tell whether the caller has been killed, now or at any time before.
 *
 * Switches   no
 * Context    any thread; in one that is no task it is false
 *
 * @return whether it has
 */
WEFT_API bool weft_killed(void);

/**
 * Have a function called when a task ends.
 *
 * The ending task calls them, in the order in which they were linked, after those who wait for it
 * have been woken. Of one that has ended it is called by a task of its own, soon.
 *
 * Switches   no
 * Context    a task, or a callback of the loop
 * Ownership  arg stays the caller's; fn is given a reference only for the time of the call
 *
 * @return 0, or
 *   -EINVAL  task or fn is NULL
 *   -ENOMEM  no room to keep it
 *   -EPERM   the task has ended, and the caller cannot spawn; or it is another thread's
 */
WEFT_API int weft_link(weft_task *task, void (*fn)(weft_task *task, void *arg), void *arg);

/**
 * Take back a weft_link() that has not been called.
 *
 * Switches   no
 * Context    a task, or a callback of the loop
 *
 * @return 0, or
 *   -EINVAL  task is NULL
 *   -ENOENT  there is no such link, or it is being called
 *   -EPERM   the task is another thread's
 */
WEFT_API int weft_unlink(weft_task *task, void (*fn)(weft_task *task, void *arg), void *arg);

/**
 * Have a function called when the calling task ends, whichever way; the last one first.
 *
 * What is deferred may wait. In a killed task that is as in any other.
 *
 * Switches   no
 * Context    a task
 * Ownership  arg stays the caller's
 *
 * @return 0, or
 *   -EINVAL  fn is NULL
 *   -ENOMEM  no room to keep it
 *   -EPERM   the caller is no task
 */
WEFT_API int weft_defer(void (*fn)(void *arg), void *arg);

/**
 * Take back what the calling task has deferred last.
 *
 * Switches   no, unless the function does
 * Context    a task
 *
 * @param call  whether to call it now
 *
 * @return 0, or
 *   -ENOENT  nothing is deferred
 *   -EPERM   the caller is no task
 */
WEFT_API int weft_undefer(bool call);

/**
 * Say that the calling task fails, with what its weft_error() is then; or, in a function that an
 * executor calls, that this does, with its future's weft_future_error().
 *
 * Switches   no
 * Context    a task, or a function of an executor
 *
 * @param error  a negative errno, or 0: it does not
 *
 * @return 0, or
 *   -EINVAL  error is positive
 *   -EPERM   the caller is no task
 */
WEFT_API int weft_set_error(int error);

/**
 * Tell what a task's function gave.
 *
 * Switches   no
 * Context    any thread that has a reference
 *
 * @return what it gave; NULL: it has not ended, or gave that, or never ran
 */
WEFT_API void *weft_value(const weft_task *task);

/**
 * Tell how a task has ended.
 *
 * Switches   no
 * Context    any thread that has a reference
 *
 * @return 0: well, or
 *   -EINPROGRESS  it has not ended
 *   -ECANCELED    it was killed, and has not said otherwise
 *   -EINVAL       task is NULL
 *   what it said by weft_set_error()
 */
WEFT_API int weft_error(const weft_task *task);

/**
 * Tell whether a task's function has begun.
 *
 * Switches   no
 * Context    any thread that has a reference
 *
 * @return whether it has; of one that was killed before, false for ever
 */
WEFT_API bool weft_started(const weft_task *task);

/**
 * Tell whether a task has ended.
 *
 * Switches   no
 * Context    any thread that has a reference
 *
 * @return whether it has
 */
WEFT_API bool weft_ended(const weft_task *task);

/**
 * Name the task that calls.
 *
 * Switches   no
 * Context    any thread
 * Ownership  no reference is handed out
 *
 * @return the task, or NULL in a thread that runs none
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
 *   -EINVAL  duration_ns is negative
 *   -EPERM   the caller is no task
 *   what was raised
 */
WEFT_API int weft_sleep(int64_t duration_ns);

/**
 * Wait until no other task is ready.
 *
 * For work that is to be done when there is nothing better to do. In a patched program it is
 * weft_sleep(0).
 *
 * Switches   yes
 * Context    a task
 *
 * @return 0, or
 *   -EINVAL     deadline_ns is negative
 *   -ETIMEDOUT  the deadline came first
 *   -EPERM      the caller is no task
 *   what was raised
 */
WEFT_API int weft_idle(int64_t deadline_ns);

/** A scope with a time limit, in the frame of who opens it. Its fields are weft's. */
typedef struct weft_timeout {
	struct weft_timeout *outer;
	weft_task *task;
	int64_t deadline_ns;
	int error;
	bool raised;
} weft_timeout;

/**
 * Open a scope: when it is not closed in time, an error is raised in the calling task, once.
 *
 * As gevent.Timeout. Scopes are closed in the opposite order.
 *
 * Switches   no
 * Context    a task
 * Ownership  *timeout is weft's until weft_timeout_end()
 *
 * @param error  what is raised, a negative errno; 0 is -ETIMEDOUT
 *
 * @return 0, or
 *   -EINVAL  timeout is NULL, duration_ns negative, or error positive
 *   -EPERM   the caller is no task
 */
WEFT_API int weft_timeout_begin(weft_timeout *timeout, int64_t duration_ns, int error);

/**
 * Close a scope, and what has been opened in it.
 *
 * Switches   no
 * Context    the task that opened it
 *
 * @return 1 if its error was raised, 0 if not, or
 *   -EINVAL  timeout is NULL, or not open in this task
 *   -EPERM   the caller is no task
 */
WEFT_API int weft_timeout_end(weft_timeout *timeout);

/** A variable that each task has for itself. */
typedef struct weft_local weft_local;

/**
 * Make a variable that is NULL in each task until it sets it.
 *
 * Switches   no
 * Context    any thread
 * Ownership  *ret_local is freed by weft_local_free()
 *
 * @param destroy  called at the end of a task with what is not NULL then; may be NULL
 *
 * @return 0, or
 *   -EINVAL  ret_local is NULL
 *   -ENOMEM  no room
 */
WEFT_API int weft_local_new(weft_local **ret_local, void (*destroy)(void *value));

/**
 * Free a variable. What tasks have in it is not destroyed, and must not be asked for.
 *
 * Switches   no
 * Context    any thread
 * Ownership  local is gone. NULL is nothing
 *
 * @return 0, or
 *   -EBUSY  a task has a value in it; it stays
 */
WEFT_API int weft_local_free(weft_local *local);

/**
 * Set the calling task's value of a variable.
 *
 * Switches   no
 * Context    a task
 * Ownership  value stays the caller's
 *
 * @return 0, or
 *   -EINVAL  local is NULL
 *   -ENOMEM  no room
 *   -EPERM   the caller is no task
 */
WEFT_API int weft_local_set(weft_local *local, void *value);

/**
 * Tell the calling task's value of a variable.
 *
 * Switches   no
 * Context    any thread
 *
 * @return the value; NULL: not set, or no task
 */
WEFT_API void *weft_local_get(const weft_local *local);

/**
 * Give the libuv loop of the calling task's carrier, for handles of the program's own.
 *
 * The loop runs in the hub, between the turns of tasks. In its callbacks everything may be called
 * that does not switch: they set events, put into queues that have room, spawn. Handles do not
 * keep weft_run() from returning; they must be closed before it does.
 *
 * Switches   no
 * Context    a task, or a callback of the loop
 * Ownership  the loop stays the run's
 *
 * @return the loop (uv_loop_t); NULL: no task, or the program is patched
 */
WEFT_API struct uv_loop_s *weft_loop(void);

#ifdef __cplusplus
}
#endif

#endif
