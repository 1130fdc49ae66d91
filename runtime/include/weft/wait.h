/*
 * Waiting for any of several things: tasks that end, events that are set, queues that have something.
 *
 * Whatever can be waited for so is an object: weft_object(x) names that of x.
 *
 *     weft_object *either[] = {weft_object(task), weft_object(event)};
 *     int n = weft_wait(either, 2, 1, weft_after(WEFT_S), NULL);
 *
 * An object is ready as long as what it is waited for holds: weft_wait() takes nothing. Of a queue that
 * is ready somebody else may have taken the item by the time it is asked.
 */
#ifndef WEFT_WAIT_H
#define WEFT_WAIT_H

#include <weft/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What can be waited for. */
typedef struct weft_object weft_object;

/**
 * Name the object of a task, event, result, latch or queue, that are objects all of them.
 *
 * Context    any
 */
#define weft_object(x) ((weft_object *)(x))

/**
 * Wait until so many objects are ready.
 *
 * Switches   yes, unless so many are already
 * Context    a task
 * Ownership  the array stays the caller's
 *
 * @param n          how many objects there are
 * @param count      how many to wait for; 0 is all
 * @param ret_ready  room for n: set to which of them are ready; may be NULL
 *
 * @return how many are ready, or
 *   -EINVAL     objects or one of them is NULL, count is more than n, or deadline_ns negative
 *   -ETIMEDOUT  the deadline came first
 *   -ENOMEM     no room to wait for as many
 *   -EPERM      the caller is no task
 *   what was raised
 */
WEFT_API int weft_wait(weft_object *const objects[], size_t n, size_t count, int64_t deadline_ns,
		       bool ret_ready[]);

/** Objects as they become ready, one after the other. */
typedef struct weft_iwait weft_iwait;

/**
 * Begin to take objects as they become ready (gevent.iwait()), each once.
 *
 * Switches   no
 * Context    a task
 * Ownership  the objects must outlive *ret_iwait, which weft_iwait_free() frees
 *
 * @return 0, or
 *   -EINVAL  ret_iwait, objects or one of them is NULL
 *   -ENOMEM  no room
 */
WEFT_API int weft_iwait_new(weft_iwait **ret_iwait, weft_object *const objects[], size_t n);

/**
 * Wait for the next object that becomes ready; those that are ready at the same time, in their order.
 *
 * Switches   yes, unless one is ready
 * Context    a task
 *
 * @param ret_object  where it is put
 *
 * @return 1, or 0: all have been given, or
 *   -EINVAL     iwait or ret_object is NULL, or deadline_ns negative
 *   -ETIMEDOUT  the deadline came first
 *   -EPERM      the caller is no task
 *   what was raised
 */
WEFT_API int weft_iwait_next(weft_iwait *iwait, int64_t deadline_ns, weft_object **ret_object);

/**
 * End taking objects.
 *
 * Switches   no
 * Context    any
 * Ownership  iwait is gone. NULL is nothing
 *
 * @return 0, or
 *   -EBUSY  a task waits for the next; it stays
 */
WEFT_API int weft_iwait_free(weft_iwait *iwait);

#ifdef __cplusplus
}
#endif

#endif
