/*
 * Queues: items that some tasks put in and others get out.
 *
 * There are four kinds, which differ in what is got first: first in first out; last in first out;
 * by priority, as a function of the program decides; and channels, which keep nothing: who puts
 * waits until somebody gets (gevent.queue.Queue, LifoQueue, PriorityQueue, Channel).
 *
 *     static void *serve(void *orders)
 *     {
 *         void *order;
 *
 *         while (weft_queue_next(orders, WEFT_FOREVER, &order) == 1) {
 *             cook(order);
 *             weft_queue_task_done(orders);
 *         }
 *         return NULL;
 *     }
 *
 * An item is a pointer, which the queue does not look at; it may be NULL. Who waits for an item is
 * handed it, and those who wait are served in the order in which they came. An item that has been
 * handed to somebody is not lost by a deadline, or a raise, that comes at the same time: the wait
 * ends with 0.
 *
 * A queue that is closed takes no more. What is left can be got, and after that -EPIPE is.
 *
 * A queue belongs to the tasks of one weft_run(), or of a patched program; callbacks of the loop
 * may use it as far as they do not wait. A thread that runs no tasks is refused with -EPERM; one
 * that runs others must leave it alone.
 *
 * A queue is an object (weft_wait()), ready as long as a get would not wait: also if it is closed.
 */
#ifndef WEFT_QUEUE_H
#define WEFT_QUEUE_H

#include <weft/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A queue of items, of any kind. */
typedef struct weft_queue weft_queue;

/**
 * Make a queue: first in, first out.
 *
 * Switches   no
 * Context    any thread
 * Ownership  *ret_queue is freed by weft_queue_free()
 *
 * @param capacity  how many items are in it at most; 0: any number
 *
 * @return 0, or
 *   -EINVAL  ret_queue is NULL
 *   -ENOMEM  no room
 */
WEFT_API int weft_queue_new(weft_queue **ret_queue, size_t capacity);

/**
 * Make a queue of which the last in is the first out.
 *
 * Switches   no
 * Context    any thread
 * Ownership  *ret_queue is freed by weft_queue_free()
 *
 * @param capacity  how many items are in it at most; 0: any number
 *
 * @return 0, or
 *   -EINVAL  ret_queue is NULL
 *   -ENOMEM  no room
 */
WEFT_API int weft_queue_new_lifo(weft_queue **ret_queue, size_t capacity);

/**
 * Make a queue from which the item that comes first is got.
 *
 * Of equal ones it is the one that was put first. The function must neither wait nor use the
 * queue.
 *
 * Switches   no
 * Context    any thread
 * Ownership  *ret_queue is freed by weft_queue_free()
 *
 * @param capacity  how many items are in it at most; 0: any number
 * @param compare   given two items: negative if the first comes before the second, 0 if they are
 *                  equal, positive if it comes after
 *
 * @return 0, or
 *   -EINVAL  ret_queue is NULL, or compare is
 *   -ENOMEM  no room
 */
WEFT_API int weft_queue_new_priority(weft_queue **ret_queue, size_t capacity,
				     int (*compare)(const void *a, const void *b));

/**
 * Make a channel: each put waits for a get.
 *
 * It is always empty, and full.
 *
 * Switches   no
 * Context    any thread
 * Ownership  *ret_queue is freed by weft_queue_free()
 *
 * @return 0, or
 *   -EINVAL  ret_queue is NULL
 *   -ENOMEM  no room
 */
WEFT_API int weft_queue_new_channel(weft_queue **ret_queue);

/**
 * Free a queue.
 *
 * Switches   no
 * Context    a task, or a callback of the loop; after weft_run(), too
 * Ownership  queue is gone, items that are left in it are the caller's. NULL is nothing
 *
 * @return 0, or
 *   -EBUSY  tasks wait in it, or watch it; it stays
 */
WEFT_API int weft_queue_free(weft_queue *queue);

/**
 * Put an item in, and wait until there is room.
 *
 * Switches   yes, if there is no room
 * Context    a task; a callback of the loop if there is room, or with a deadline of 0
 * Ownership  item is for who gets it, if this gives 0; otherwise it stays the caller's
 *
 * @return 0, or
 *   -EINVAL     queue is NULL, or deadline_ns negative
 *   -EPIPE      it is closed, or has been meanwhile
 *   -ETIMEDOUT  the deadline came first
 *   -ENOMEM     no room in memory
 *   -EDEADLK    the caller is called to compare its items
 *   -EPERM      the caller is no task, and would have to wait
 *   what was raised
 */
WEFT_API int weft_queue_put(weft_queue *queue, void *item, int64_t deadline_ns);

/**
 * Take out the item that comes first, and wait until there is one.
 *
 * Switches   yes, if there is none
 * Context    a task; a callback of the loop if there is one, or with a deadline of 0
 * Ownership  the item is the caller's
 *
 * @param ret_item  where it is put
 *
 * @return 0, or
 *   -EINVAL     queue or ret_item is NULL, or deadline_ns negative
 *   -EPIPE      it is closed, and empty
 *   -ETIMEDOUT  the deadline came first
 *   -EDEADLK    the caller is called to compare its items
 *   -EPERM      the caller is no task, and would have to wait
 *   what was raised
 */
WEFT_API int weft_queue_get(weft_queue *queue, int64_t deadline_ns, void **ret_item);

/**
 * Take out the next item, until there never is another.
 *
 * As weft_queue_get(), for loops.
 *
 * Switches   yes, if there is none
 * Context    a task; a callback of the loop if there is one, or with a deadline of 0
 * Ownership  the item is the caller's
 *
 * @param ret_item  where it is put
 *
 * @return 1, or 0: the queue is closed, and empty, or
 *   -EINVAL     queue or ret_item is NULL, or deadline_ns negative
 *   -ETIMEDOUT  the deadline came first
 *   -EDEADLK    the caller is called to compare its items
 *   -EPERM      the caller is no task, and would have to wait
 *   what was raised
 */
WEFT_API int weft_queue_next(weft_queue *queue, int64_t deadline_ns, void **ret_item);

/**
 * Tell the item that comes first, and wait until there is one, but leave it in.
 *
 * It tells what is in the queue. An item that is handed to somebody who waits to get one never is.
 *
 * Switches   yes, if there is none
 * Context    a task; a callback of the loop if there is one, or with a deadline of 0
 * Ownership  the item stays for who gets it
 *
 * @param ret_item  where it is put
 *
 * @return 0, or
 *   -EINVAL     queue or ret_item is NULL, or deadline_ns negative
 *   -EPIPE      it is closed, and empty
 *   -ETIMEDOUT  the deadline came first
 *   -EDEADLK    the caller is called to compare its items
 *   -EPERM      the caller is no task, and would have to wait
 *   what was raised
 */
WEFT_API int weft_queue_peek(weft_queue *queue, int64_t deadline_ns, void **ret_item);

/**
 * Close a queue.
 *
 * Who waits to put, or for an item, goes on with -EPIPE. What is in it can still be got. To close
 * it once more is nothing.
 *
 * Switches   no
 * Context    a task, or a callback of the loop
 *
 * @return 0, or
 *   -EINVAL   queue is NULL
 *   -EDEADLK  the caller is called to compare its items
 *   -EPERM    the thread runs no tasks
 */
WEFT_API int weft_queue_close(weft_queue *queue);

/**
 * Tell whether a queue is closed.
 *
 * Switches   no
 * Context    any thread
 *
 * @return whether it is; of NULL, false
 */
WEFT_API bool weft_queue_is_closed(const weft_queue *queue);

/**
 * Tell how many items are in a queue.
 *
 * Switches   no
 * Context    any thread
 *
 * @return how many; of NULL, 0
 */
WEFT_API size_t weft_queue_size(const weft_queue *queue);

/**
 * Tell whether there is nothing in a queue.
 *
 * Switches   no
 * Context    any thread
 *
 * @return whether there is nothing; of NULL, true
 */
WEFT_API bool weft_queue_is_empty(const weft_queue *queue);

/**
 * Tell whether there is no room in a queue.
 *
 * Switches   no
 * Context    any thread
 *
 * @return whether there is none; of NULL, false
 */
WEFT_API bool weft_queue_is_full(const weft_queue *queue);

/**
 * Say that what was to be done with an item is done (gevent.queue.JoinableQueue).
 *
 * An item counts as unfinished from when it is in the queue, or handed over, until this is called
 * for it.
 *
 * Switches   no
 * Context    a task, or a callback of the loop
 *
 * @return 0, or
 *   -EINVAL     queue is NULL
 *   -EOVERFLOW  it has been said as often as items were put
 *   -EPERM      the thread runs no tasks
 */
WEFT_API int weft_queue_task_done(weft_queue *queue);

/**
 * Tell how many items are unfinished.
 *
 * Switches   no
 * Context    any thread
 *
 * @return how many; of NULL, 0
 */
WEFT_API size_t weft_queue_unfinished(const weft_queue *queue);

/**
 * Wait until no item is unfinished.
 *
 * Switches   yes, if one is
 * Context    a task; a callback of the loop with a deadline of 0
 *
 * @return 0, or
 *   -EINVAL     queue is NULL, or deadline_ns negative
 *   -ETIMEDOUT  the deadline came first
 *   -EPERM      the caller is no task, and would have to wait
 *   what was raised
 */
WEFT_API int weft_queue_join(weft_queue *queue, int64_t deadline_ns);

#ifdef __cplusplus
}
#endif

#endif
