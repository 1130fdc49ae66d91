/*
 * What tasks wait for each other with: events, results, semaphores, locks, conditions and latches.
 *
 *	event      a flag: who waits goes on when it is set (gevent.event.Event)
 *	result     a value or an error that is set once, with callbacks (gevent.event.AsyncResult)
 *	latch      counts down; who waits goes on at zero
 *	semaphore  a number of units, bounded or not (gevent.lock.Semaphore, BoundedSemaphore)
 *	lock       belongs to a task, which may take it again (gevent.lock.RLock)
 *	condition  waiting, with a lock, for what others change (threading.Condition)
 *	rwlock     many readers or one writer
 *
 *     static weft_semaphore *places;
 *
 *     static void *park(void *car)
 *     {
 *         if (weft_semaphore_acquire(places, weft_after(WEFT_S)) != 0)
 *             return NULL;
 *         weft_sleep(100 * WEFT_MS);
 *         weft_semaphore_release(places);
 *         return car;
 *     }
 *
 * Those who wait are served in the order in which they came, and what they wait for is handed to
 * them: nobody overtakes. Whoever has been handed something by the time its deadline comes, or
 * something is raised in it, has it, and its wait ends with 0.
 *
 * A plain lock, which anybody may release, is a semaphore of one unit and the bound 1. Nothing is
 * released when a task ends: what must be is deferred (weft_defer()).
 *
 * All these belong to the tasks of one weft_run(), or of a patched program; callbacks of the loop
 * may use them as far as they do not wait. A thread that runs no tasks is refused with -EPERM; one
 * that runs others must leave them alone.
 */
#ifndef WEFT_SYNC_H
#define WEFT_SYNC_H

#include <weft/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A flag that tasks wait for. */
typedef struct weft_event weft_event;

/**
 * Make an event that is not set.
 *
 * Switches   no
 * Context    any thread
 * Ownership  *ret_event is freed by weft_event_free()
 *
 * @return 0, or
 *   -EINVAL  ret_event is NULL
 *   -ENOMEM  no room
 */
WEFT_API int weft_event_new(weft_event **ret_event);

/**
 * Free an event.
 *
 * Switches   no
 * Context    a task, or a callback of the loop; after weft_run(), too
 * Ownership  event is gone. NULL is nothing
 *
 * @return 0, or
 *   -EBUSY  tasks wait for it, or watch it; it stays
 */
WEFT_API int weft_event_free(weft_event *event);

/**
 * Set an event, until it is cleared: all who wait for it go on.
 *
 * Switches   no
 * Context    a task, or a callback of the loop
 *
 * @return 0, or
 *   -EINVAL  event is NULL
 *   -EPERM   the thread runs no tasks
 */
WEFT_API int weft_event_set(weft_event *event);

/**
 * Clear an event: who waits for it from now on has to wait.
 *
 * Those who have been woken by then go on all the same.
 *
 * Switches   no
 * Context    a task, or a callback of the loop
 *
 * @return 0, or
 *   -EINVAL  event is NULL
 *   -EPERM   the thread runs no tasks
 */
WEFT_API int weft_event_clear(weft_event *event);

/**
 * Tell whether an event is set.
 *
 * Switches   no
 * Context    any thread
 *
 * @return whether it is; of NULL, false
 */
WEFT_API bool weft_event_is_set(const weft_event *event);

/**
 * Wait until an event is set.
 *
 * Switches   yes, unless it is set
 * Context    a task
 *
 * @return 0, or
 *   -EINVAL     event is NULL, or deadline_ns negative
 *   -ETIMEDOUT  the deadline came first
 *   -EPERM      the caller is no task
 *   what was raised
 */
WEFT_API int weft_event_wait(weft_event *event, int64_t deadline_ns);

/** A value or an error that is set once, and then is there for all. */
typedef struct weft_result weft_result;

/**
 * Make a result that is not set.
 *
 * Switches   no
 * Context    any thread
 * Ownership  *ret_result is freed by weft_result_free()
 *
 * @return 0, or
 *   -EINVAL  ret_result is NULL
 *   -ENOMEM  no room
 */
WEFT_API int weft_result_new(weft_result **ret_result);

/**
 * Free a result.
 *
 * A function that weft_result_link() has called may do so, if it is the last one.
 *
 * Switches   no
 * Context    a task, or a callback of the loop; after weft_run(), too
 * Ownership  result is gone, its value stays the caller's. NULL is nothing
 *
 * @return 0, or
 *   -EBUSY  tasks wait for it, or functions that are linked have not returned; it stays
 */
WEFT_API int weft_result_free(weft_result *result);

/**
 * Set a result to a value.
 *
 * All who wait for it are given that. Then the functions that are linked are called, by the caller.
 *
 * Switches   no, unless one of these functions does
 * Context    a task, or a callback of the loop
 * Ownership  value stays the caller's
 *
 * @return 0, or
 *   -EINVAL    result is NULL
 *   -EALREADY  it is set; it stays as it is
 *   -EPERM     the thread runs no tasks
 */
WEFT_API int weft_result_set(weft_result *result, void *value);

/**
 * Set a result to an error.
 *
 * As weft_result_set(): those who ask for its value are given the error.
 *
 * Switches   no, unless one of the functions that are linked does
 * Context    a task, or a callback of the loop
 *
 * @param error  a negative errno
 *
 * @return 0, or
 *   -EINVAL    result is NULL, or error not a negative errno
 *   -EALREADY  it is set; it stays as it is
 *   -EPERM     the thread runs no tasks
 */
WEFT_API int weft_result_set_error(weft_result *result, int error);

/**
 * Wait until a result is set, and tell to what.
 *
 * Switches   yes, unless it is set
 * Context    a task; a callback of the loop once it is set, or with a deadline of 0
 *
 * @param ret_value  where the value is put; may be NULL
 *
 * @return 0, or the error that it was set to, or
 *   -EINVAL     result is NULL, or deadline_ns negative
 *   -ETIMEDOUT  the deadline came first
 *   -EPERM      the caller is no task, and would have to wait
 *   what was raised
 */
WEFT_API int weft_result_get(weft_result *result, int64_t deadline_ns, void **ret_value);

/**
 * Wait until a result is set, to whatever.
 *
 * Switches   yes, unless it is set
 * Context    a task; a callback of the loop once it is set, or with a deadline of 0
 *
 * @return 0, or
 *   -EINVAL     result is NULL, or deadline_ns negative
 *   -ETIMEDOUT  the deadline came first
 *   -EPERM      the caller is no task, and would have to wait
 *   what was raised
 */
WEFT_API int weft_result_wait(weft_result *result, int64_t deadline_ns);

/**
 * Tell whether a result is set.
 *
 * Switches   no
 * Context    any thread
 *
 * @return whether it is; of NULL, false
 */
WEFT_API bool weft_result_is_ready(const weft_result *result);

/**
 * Tell the value of a result.
 *
 * Switches   no
 * Context    any thread
 *
 * @return the value; NULL: it is not set, or to that, or to an error
 */
WEFT_API void *weft_result_value(const weft_result *result);

/**
 * Tell the error of a result.
 *
 * Switches   no
 * Context    any thread
 *
 * @return 0: it is set to a value, or
 *   -EINPROGRESS        it is not set
 *   -EINVAL             result is NULL
 *   what it was set to
 */
WEFT_API int weft_result_error(const weft_result *result);

/**
 * Have a function called when a result is set.
 *
 * Who sets it calls them, in the order in which they were linked, after those who wait for it
 * have been woken; where that is a callback of the loop, they must not wait. Of one that is set
 * already it is called by a task of its own, soon.
 *
 * Switches   no
 * Context    a task, or a callback of the loop
 * Ownership  arg stays the caller's
 *
 * @return 0, or
 *   -EINVAL  result or fn is NULL
 *   -ENOMEM  no room to keep it, or for that task
 *   -EAGAIN  as for weft_spawn()
 *   -EPERM   the thread runs no tasks
 */
WEFT_API int weft_result_link(weft_result *result, void (*fn)(weft_result *result, void *arg),
			      void *arg);

/**
 * Take back a weft_result_link() that has not been called.
 *
 * Switches   no
 * Context    a task, or a callback of the loop
 *
 * @return 0, or
 *   -EINVAL  result is NULL
 *   -ENOENT  there is no such link, or it is being called
 *   -EPERM   the thread runs no tasks
 */
WEFT_API int weft_result_unlink(weft_result *result, void (*fn)(weft_result *result, void *arg),
				void *arg);

/** A number that is counted down to zero. */
typedef struct weft_latch weft_latch;

/**
 * Make a latch.
 *
 * Switches   no
 * Context    any thread
 * Ownership  *ret_latch is freed by weft_latch_free()
 *
 * @param count  from where it counts down; 0: nobody ever waits
 *
 * @return 0, or
 *   -EINVAL  ret_latch is NULL
 *   -ENOMEM  no room
 */
WEFT_API int weft_latch_new(weft_latch **ret_latch, size_t count);

/**
 * Free a latch.
 *
 * Switches   no
 * Context    a task, or a callback of the loop; after weft_run(), too
 * Ownership  latch is gone. NULL is nothing
 *
 * @return 0, or
 *   -EBUSY  tasks wait for it, or watch it; it stays
 */
WEFT_API int weft_latch_free(weft_latch *latch);

/**
 * Count down; at zero, all who wait go on.
 *
 * Switches   no
 * Context    a task, or a callback of the loop
 *
 * @param n  how far
 *
 * @return 0, or
 *   -EINVAL     latch is NULL
 *   -EOVERFLOW  n is more than what is left; nothing is counted
 *   -EPERM      the thread runs no tasks
 */
WEFT_API int weft_latch_count_down(weft_latch *latch, size_t n);

/**
 * Tell how much is left to count down.
 *
 * Switches   no
 * Context    any thread
 *
 * @return how much; of NULL, 0
 */
WEFT_API size_t weft_latch_value(const weft_latch *latch);

/**
 * Wait until a latch is at zero.
 *
 * Switches   yes, unless it is
 * Context    a task
 *
 * @return 0, or
 *   -EINVAL     latch is NULL, or deadline_ns negative
 *   -ETIMEDOUT  the deadline came first
 *   -EPERM      the caller is no task
 *   what was raised
 */
WEFT_API int weft_latch_wait(weft_latch *latch, int64_t deadline_ns);

/** Units that are acquired and released, by whichever task. */
typedef struct weft_semaphore weft_semaphore;

/**
 * Make a semaphore.
 *
 * Switches   no
 * Context    any thread
 * Ownership  *ret_semaphore is freed by weft_semaphore_free()
 *
 * @param units  how many there are to begin with
 * @param bound  how many there may be at most; 0: any number
 *
 * @return 0, or
 *   -EINVAL  ret_semaphore is NULL, or units more than a bound
 *   -ENOMEM  no room
 */
WEFT_API int weft_semaphore_new(weft_semaphore **ret_semaphore, size_t units, size_t bound);

/**
 * Free a semaphore.
 *
 * Switches   no
 * Context    a task, or a callback of the loop; after weft_run(), too
 * Ownership  semaphore is gone. NULL is nothing
 *
 * @return 0, or
 *   -EBUSY  tasks wait for it; it stays
 */
WEFT_API int weft_semaphore_free(weft_semaphore *semaphore);

/**
 * Take a unit, and wait until there is one.
 *
 * Switches   yes, unless there is one
 * Context    a task; a callback of the loop if there is one, or with a deadline of 0
 *
 * @return 0, or
 *   -EINVAL     semaphore is NULL, or deadline_ns negative
 *   -ETIMEDOUT  the deadline came first
 *   -EPERM      the caller is no task, and would have to wait
 *   what was raised
 */
WEFT_API int weft_semaphore_acquire(weft_semaphore *semaphore, int64_t deadline_ns);

/**
 * Give a unit: to the first who waits for one, or back.
 *
 * Switches   no
 * Context    a task, or a callback of the loop
 *
 * @return 0, or
 *   -EINVAL     semaphore is NULL
 *   -EOVERFLOW  there are as many as the bound, or as can be counted
 *   -EPERM      the thread runs no tasks
 */
WEFT_API int weft_semaphore_release(weft_semaphore *semaphore);

/**
 * Tell how many units could be taken without waiting.
 *
 * Switches   no
 * Context    any thread
 *
 * @return how many; of NULL, 0
 */
WEFT_API size_t weft_semaphore_count(const weft_semaphore *semaphore);

/** A lock that belongs to one task at a time. */
typedef struct weft_lock weft_lock;

/**
 * Make a lock that nobody holds.
 *
 * Switches   no
 * Context    any thread
 * Ownership  *ret_lock is freed by weft_lock_free()
 *
 * @return 0, or
 *   -EINVAL  ret_lock is NULL
 *   -ENOMEM  no room
 */
WEFT_API int weft_lock_new(weft_lock **ret_lock);

/**
 * Free a lock.
 *
 * Switches   no
 * Context    a task, or a callback of the loop; after weft_run(), too
 * Ownership  lock is gone. NULL is nothing
 *
 * @return 0, or
 *   -EBUSY  tasks wait for it, or are to have it back; a condition is made of it; or
 *          another task that has not ended holds it; it stays
 */
WEFT_API int weft_lock_free(weft_lock *lock);

/**
 * Take a lock, once more if the caller holds it.
 *
 * It is free when it has been released as often as it was taken.
 *
 * Switches   yes, unless it is free, or the caller's
 * Context    a task
 *
 * @return 0, or
 *   -EINVAL     lock is NULL, or deadline_ns negative
 *   -ETIMEDOUT  the deadline came first
 *   -EOVERFLOW  it has been taken as often as can be counted
 *   -EPERM      the caller is no task
 *   what was raised
 */
WEFT_API int weft_lock_acquire(weft_lock *lock, int64_t deadline_ns);

/**
 * Release a lock once; the first who waits for it has it then.
 *
 * Switches   no
 * Context    a task
 *
 * @return 0, or
 *   -EINVAL  lock is NULL
 *   -EPERM   the caller does not hold it
 */
WEFT_API int weft_lock_release(weft_lock *lock);

/**
 * Tell whether the calling task holds a lock.
 *
 * Switches   no
 * Context    any thread
 *
 * @return whether it does; of NULL, false
 */
WEFT_API bool weft_lock_is_held(const weft_lock *lock);

/** Tasks that wait, with a lock, for what others change. */
typedef struct weft_condition weft_condition;

/**
 * Make a condition.
 *
 * Switches   no
 * Context    any thread
 * Ownership  *ret_condition is freed by weft_condition_free(); lock must outlive it
 *
 * @return 0, or
 *   -EINVAL  ret_condition is NULL, or lock is
 *   -ENOMEM  no room
 */
WEFT_API int weft_condition_new(weft_condition **ret_condition, weft_lock *lock);

/**
 * Free a condition.
 *
 * Switches   no
 * Context    a task, or a callback of the loop; after weft_run(), too
 * Ownership  condition is gone. NULL is nothing
 *
 * @return 0, or
 *   -EBUSY  tasks wait for it; it stays
 */
WEFT_API int weft_condition_free(weft_condition *condition);

/**
 * Release the lock of a condition, wait until it is notified, and take the lock again.
 *
 * The lock is released however often the caller has taken it, and taken as often again, even when
 * the wait fails, however long that takes. What one waits for may have been changed back by then,
 * so one looks again:
 *
 *     while (err == 0 && queue_is_empty())
 *         err = weft_condition_wait(condition, deadline_ns);
 *
 * Switches   yes
 * Context    a task
 *
 * @return 0, or
 *   -EINVAL     condition is NULL, or deadline_ns negative
 *   -ETIMEDOUT  the deadline came first
 *   -EPERM      the caller does not hold the lock
 *   what was raised
 */
WEFT_API int weft_condition_wait(weft_condition *condition, int64_t deadline_ns);

/**
 * Have the first n that wait go on, as soon as they can have the lock.
 *
 * Switches   no
 * Context    a task
 *
 * @return how many there were, INT_MAX at most, or
 *   -EINVAL  condition is NULL
 *   -EPERM   the caller does not hold the lock
 */
WEFT_API int weft_condition_notify(weft_condition *condition, size_t n);

/**
 * Have all that wait go on, as soon as they can have the lock.
 *
 * Switches   no
 * Context    a task
 *
 * @return what weft_condition_notify() returns
 */
WEFT_API int weft_condition_notify_all(weft_condition *condition);

/** A lock for any number of readers, or one writer. */
typedef struct weft_rwlock weft_rwlock;

/**
 * Make a lock for readers and writers.
 *
 * All are served in the order in which they came: a reader that comes when a writer waits is behind
 * that one, and readers next to each other go on together. So neither have to wait for ever. Hence
 * who reads must not begin to read once more: a writer may be waiting for the first time to end.
 *
 * Switches   no
 * Context    any thread
 * Ownership  *ret_rwlock is freed by weft_rwlock_free()
 *
 * @return 0, or
 *   -EINVAL  ret_rwlock is NULL
 *   -ENOMEM  no room
 */
WEFT_API int weft_rwlock_new(weft_rwlock **ret_rwlock);

/**
 * Free such a lock.
 *
 * Switches   no
 * Context    a task, or a callback of the loop; after weft_run(), too
 * Ownership  rwlock is gone. NULL is nothing
 *
 * @return 0, or
 *   -EBUSY  tasks wait for it; or a task that has not ended holds it; it stays
 */
WEFT_API int weft_rwlock_free(weft_rwlock *rwlock);

/**
 * Take the lock for reading.
 *
 * Switches   yes, unless it is free for that
 * Context    a task
 *
 * @return 0, or
 *   -EINVAL     rwlock is NULL, or deadline_ns negative
 *   -EDEADLK    the caller writes
 *   -ETIMEDOUT  the deadline came first
 *   -EPERM      the caller is no task
 *   what was raised
 */
WEFT_API int weft_rwlock_acquire_read(weft_rwlock *rwlock, int64_t deadline_ns);

/**
 * Take the lock for writing.
 *
 * Switches   yes, unless it is free
 * Context    a task
 *
 * @return 0, or
 *   -EINVAL     rwlock is NULL, or deadline_ns negative
 *   -EDEADLK    the caller writes already
 *   -ETIMEDOUT  the deadline came first
 *   -EPERM      the caller is no task
 *   what was raised
 */
WEFT_API int weft_rwlock_acquire_write(weft_rwlock *rwlock, int64_t deadline_ns);

/**
 * Have one reader less.
 *
 * Switches   no
 * Context    a task, or a callback of the loop
 *
 * @return 0, or
 *   -EINVAL  rwlock is NULL
 *   -EPERM   there is none, or the thread runs no tasks
 */
WEFT_API int weft_rwlock_release_read(weft_rwlock *rwlock);

/**
 * End writing.
 *
 * Switches   no
 * Context    a task
 *
 * @return 0, or
 *   -EINVAL  rwlock is NULL
 *   -EPERM   the caller does not write
 */
WEFT_API int weft_rwlock_release_write(weft_rwlock *rwlock);

#ifdef __cplusplus
}
#endif

#endif
