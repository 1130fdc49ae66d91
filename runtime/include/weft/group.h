/*
 * Groups of tasks, and pools: groups with so many places.
 *
 * A group is joined or killed as a whole; who has ended leaves it. To spawn in a pool that is full
 * waits until one of its tasks has ended. A function can be applied to many items so, with no more
 * tasks at once than there are places:
 *
 *     weft_group *pool;
 *     void *pages[COUNT];
 *
 *     weft_pool_new(&pool, 3);
 *     weft_group_map(pool, fetch, urls, COUNT, pages);
 *     weft_group_free(pool);
 *
 * What imap gives, it gives one after the other, as soon as it is there:
 *
 *     weft_imap *pages;
 *     void *page;
 *
 *     weft_group_imap(pool, &pages, fetch, urls, COUNT, true);
 *     while (weft_imap_next(pages, WEFT_FOREVER, NULL, &page) == 1)
 *         show(page);
 *     weft_imap_free(pages);
 *
 * In C, as in gevent (Group, Pool). For functions that block the kernel thread there are executors.
 */
#ifndef WEFT_GROUP_H
#define WEFT_GROUP_H

#include <weft/wait.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Tasks. It is an object: ready while there are none. */
typedef struct weft_group weft_group;

/**
 * Make a group without tasks.
 *
 * Switches   no
 * Context    any thread; a group is for the tasks of one run
 * Ownership  *ret_group is freed by weft_group_free()
 *
 * @return 0, or
 *   -EINVAL  ret_group is NULL
 *   -ENOMEM  no room
 */
WEFT_API int weft_group_new(weft_group **ret_group);

/**
 * Make a group with so many places: a pool.
 *
 * Switches   no
 * Context    as for weft_group_new()
 * Ownership  as for weft_group_new()
 *
 * @return 0, or
 *   -EINVAL  ret_pool is NULL, or places 0
 *   -ENOMEM  no room
 */
WEFT_API int weft_pool_new(weft_group **ret_pool, size_t places);

/**
 * Free a group.
 *
 * Switches   no
 * Context    any that tasks of its run do not interrupt
 * Ownership  group is gone. NULL is nothing
 *
 * @return 0, or
 *   -EBUSY  it has tasks, or some wait for it, or to be in it; it stays
 */
WEFT_API int weft_group_free(weft_group *group);

/**
 * Start a task in a group, when there is a place.
 *
 * Switches   yes, if there is none
 * Context    a task; a callback of the loop if there is a place
 * Ownership  as for weft_spawn()
 *
 * @return 0, or
 *   -EINVAL     group or fn is NULL, or deadline_ns negative
 *   -ETIMEDOUT  the deadline came first
 *   -ENOMEM     no room for the task
 *   -EAGAIN     in a patched program, as for pthread_create(3)
 *   -EPERM      the calling thread runs no tasks, or would have to wait and is no task
 *   what was raised
 */
WEFT_API int weft_group_spawn(weft_group *group, weft_task **ret_task, weft_func *fn, void *arg,
			      int64_t deadline_ns);

/**
 * Put a task into a group, when there is a place. One may be in several groups.
 *
 * Switches   yes, if there is none
 * Context    a task; a callback of the loop if there is a place
 * Ownership  the group has a reference of its own
 *
 * @return 1: it is in it, 0: it has ended, so it is not, or
 *   -EINVAL     group or task is NULL, or deadline_ns negative
 *   -EEXIST     it is in the group already
 *   -ETIMEDOUT  the deadline came first
 *   -ENOMEM     no room
 *   -EPERM      the calling thread runs no tasks, or would have to wait and is no task; or task is
 *               another run's
 *   what was raised
 */
WEFT_API int weft_group_add(weft_group *group, weft_task *task, int64_t deadline_ns);

/**
 * Take a task out of a group. It goes on.
 *
 * Switches   no
 * Context    a task, or a callback of the loop
 *
 * @return 0, or
 *   -EINVAL  group or task is NULL
 *   -ENOENT  it is not in the group
 */
WEFT_API int weft_group_discard(weft_group *group, weft_task *task);

/**
 * Tell whether a task is in a group.
 *
 * Switches   no
 * Context    a task, or a callback of the loop
 *
 * @return whether it is
 */
WEFT_API bool weft_group_has(weft_group *group, const weft_task *task);

/**
 * Tell how many tasks are in a group.
 *
 * Switches   no
 * Context    a task, or a callback of the loop
 *
 * @return how many; 0 if group is NULL
 */
WEFT_API size_t weft_group_size(weft_group *group);

/**
 * Tell how many places of a group are free.
 *
 * Switches   no
 * Context    a task, or a callback of the loop
 *
 * @return how many, SIZE_MAX for a group without a limit; 0 if group is NULL
 */
WEFT_API size_t weft_group_free_places(weft_group *group);

/**
 * Wait until nothing is in a group, nor about to be by apply_async and imap.
 *
 * Switches   yes, unless that is so
 * Context    a task that is not in the group
 *
 * @return 0, or
 *   -EINVAL     group is NULL, or deadline_ns negative
 *   -EDEADLK    the caller is in the group
 *   -ETIMEDOUT  the deadline came first
 *   -EPERM      the caller is no task
 *   what was raised
 */
WEFT_API int weft_group_join(weft_group *group, int64_t deadline_ns);

/**
 * Kill all tasks of a group but the caller, and wait until they have ended and left it.
 *
 * What apply_async and imap have not begun is killed with them.
 *
 * Switches   yes, if the deadline lets it wait
 * Context    a task; a callback of the loop with a deadline of 0
 *
 * @param deadline_ns  how long to wait; 0: not at all, which is no error here. Who is in the group
 *                     does not wait
 *
 * @return 0, or
 *   -EINVAL     group is NULL, or deadline_ns negative
 *   -ETIMEDOUT  they have not ended yet; the kill holds
 *   -EPERM      the calling thread runs no tasks, or would have to wait and is no task
 *   what was raised in the caller meanwhile; the kill holds
 */
WEFT_API int weft_group_kill(weft_group *group, int64_t deadline_ns);

/**
 * Call a function by a task of a group, and wait for what it gives.
 *
 * Switches   yes
 * Context    a task
 * Ownership  arg stays the caller's; when the wait ends early, the task has it still
 *
 * @return 0, or the error with which the task has ended, or what weft_group_spawn() and
 *         weft_join() return
 */
WEFT_API int weft_group_apply(weft_group *group, weft_func *fn, void *arg, void **ret_value);

/**
 * Call a function by a task of a group, and another with what it gives.
 *
 * When the group is full this does not wait: the task does. The callback is called by that task, when
 * it has not failed and not been killed, and then it leaves the group.
 *
 * Switches   no
 * Context    a task, or a callback of the loop
 * Ownership  arg and callback_arg stay the caller's; as for weft_spawn()
 *
 * @param callback  may be NULL
 *
 * @return 0, or
 *   -EINVAL  group or fn is NULL
 *   -ENOMEM  no room
 *   -EAGAIN  in a patched program, as for pthread_create(3)
 *   -EPERM   the calling thread runs no tasks
 */
WEFT_API int weft_group_apply_async(weft_group *group, weft_task **ret_task, weft_func *fn,
				    void *arg, void (*callback)(void *value, void *arg),
				    void *callback_arg);

/**
 * Apply a function to each of several items by tasks of a group, and wait for all that it gives.
 *
 * Switches   yes
 * Context    a task
 * Ownership  the arrays stay the caller's; when the wait ends early, tasks may have their items still
 *
 * @param values  room for n: set to what fn gave for each item, if this returns 0; may be NULL
 *
 * @return 0, or the first error of an item in their order, or what weft_group_spawn() returns, or
 *   -EINVAL  items is NULL
 */
WEFT_API int weft_group_map(weft_group *group, weft_func *fn, void *const items[], size_t n,
			    void *values[]);

/** What a function gives for several items, one after the other. */
typedef struct weft_imap weft_imap;

/**
 * Begin to apply a function to each of several items by tasks of a group.
 *
 * Switches   no
 * Context    a task, or a callback of the loop
 * Ownership  items stays the caller's, what they point to must last as long as the tasks;
 *            *ret_imap is freed by weft_imap_free()
 *
 * @param ordered  whether what is given comes in the order of the items, or as it is there
 *
 * @return 0, or
 *   -EINVAL  ret_imap, group, fn or items is NULL
 *   -ENOMEM  no room
 *   -EAGAIN  in a patched program, as for pthread_create(3)
 *   -EPERM   the calling thread runs no tasks
 */
WEFT_API int weft_group_imap(weft_group *group, weft_imap **ret_imap, weft_func *fn,
			     void *const items[], size_t n, bool ordered);

/**
 * Wait for the next value.
 *
 * Switches   yes, unless it is there
 * Context    a task
 *
 * @param ret_index  where the number of its item is put, be the item's result a value or an error; may
 *                   be NULL
 * @param ret_value  where it is put; may be NULL
 *
 * @return 1, or 0: all have been given, or the error of the next item, which has been given so, or
 *   -EINVAL     imap is NULL, or deadline_ns negative
 *   -ETIMEDOUT  the deadline came first
 *   -EPERM      the caller is no task
 *   what was raised
 */
WEFT_API int weft_imap_next(weft_imap *imap, int64_t deadline_ns, size_t *ret_index,
			    void **ret_value);

/**
 * End taking values. What has not begun never does; tasks that have begun go on.
 *
 * Switches   no
 * Context    a task, or a callback of the loop
 * Ownership  imap is gone. NULL is nothing
 *
 * @return 0, or
 *   -EBUSY  a task waits for the next value; it stays
 */
WEFT_API int weft_imap_free(weft_imap *imap);

#ifdef __cplusplus
}
#endif

#endif
