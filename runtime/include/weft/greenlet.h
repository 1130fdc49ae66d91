/*
 * Coroutines that hand over to each other by name, as greenlets do in Python.
 *
 *     static weft_co *eater, *player;
 *
 *     static void *eat(void *unused)
 *     {
 *         puts("eat 1");
 *         weft_switch(player, NULL, NULL);
 *         puts("eat 2");
 *         return unused;
 *     }
 *
 *     static void *play(void *unused)
 *     {
 *         puts("play 1");
 *         weft_switch(eater, NULL, NULL);
 *         puts("play 2");
 *         return unused;
 *     }
 *
 *     int main(void)
 *     {
 *         weft_co_new(&eater, eat, 0);
 *         weft_co_new(&player, play, 0);
 *         weft_switch(eater, NULL, NULL);
 *         weft_co_free(eater);
 *         weft_co_free(player);
 *     }
 *
 * prints eat 1, play 1, eat 2, and ends: who eats has returned to its parent, who made it, and who
 * plays has stopped in the middle; freeing it lets it clean up.
 *
 * There is no scheduler in this. A coroutine runs until it switches to another, and a value goes with
 * each switch: what one gives to weft_switch(), the other's own weft_switch() hands out. They need no
 * weft_run(), work in any thread, and belong to the thread or task that made them; no other can
 * switch to them. When one waits, in weft_sleep() say, the whole task does.
 *
 * Where a task or thread has not switched yet, it runs its root: a coroutine like the others, but on
 * the stack of the task or thread, and without a parent.
 */
#ifndef WEFT_GREENLET_H
#define WEFT_GREENLET_H

#include <weft/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A coroutine: a function on a stack of its own, that runs when it is switched to. */
typedef struct weft_co weft_co;

/** What becomes of a coroutine. */
enum weft_co_state {
	WEFT_CO_NEW,       /* it has not been switched to */
	WEFT_CO_RUNNING,   /* it is the one that runs */
	WEFT_CO_SUSPENDED, /* it has switched to another */
	WEFT_CO_DEAD,      /* its function has returned, or never will run */
};

/**
 * Make a coroutine, whose parent is the current one.
 *
 * The first switch to it runs fn(value) with what that passes. What fn returns goes to its parent,
 * which goes on as if it had been switched to.
 *
 * Switches   no
 * Context    any thread; not a signal handler
 * Ownership  *ret_co is the caller's, to be freed by weft_co_free()
 *
 * @param stack_bytes  up to 1 GB of address space, of which a page guards the end, rounded up to a
 *                     power of two and to 16 KB; 0: 128 KB
 *
 * @return 0, or
 *   -EINVAL  ret_co or fn is NULL, or stack_bytes too large
 *   -ENOMEM  no room
 */
WEFT_API int weft_co_new(weft_co **ret_co, weft_func *fn, size_t stack_bytes);

/**
 * Free a coroutine.
 *
 * One that is suspended gets -ECANCELED from the weft_switch() in which it is, so that it can clean
 * up and return, to the caller; if it switches to the caller instead, it goes on living. Its children
 * become those of its parent.
 *
 * Of one whose thread or task has ended only the memory is freed, and by any thread.
 *
 * Switches   yes, if it is suspended
 * Context    the thread or task that it belongs to
 * Ownership  co is gone when this returns 0
 *
 * @return 0, or
 *   -EINVAL  co is NULL, a root, or a generator's
 *   -EPERM   it belongs to another thread or task
 *   -EBUSY   it is the one that runs, or is being freed, or it goes on living
 *   what was thrown at the caller, while it goes on living
 */
WEFT_API int weft_co_free(weft_co *co);

/**
 * Go on in another coroutine.
 *
 * Switches   yes, to co; other tasks do not run
 * Context    the thread or task that it belongs to
 * Ownership  values are passed as they are
 *
 * @param value      what the other is given: from its weft_switch(), or as its function's argument
 * @param ret_value  where what the caller is given goes, when it is switched to again; may be NULL
 *
 * @return 0, or
 *   -EINVAL  co is NULL
 *   -EPERM   it belongs to another thread or task
 *   -ESRCH   it is dead
 *   -EBUSY   it is the one that runs, or a generator's between two values
 *   what was thrown at the caller
 */
WEFT_API int weft_switch(weft_co *co, void *value, void **ret_value);

/**
 * Go on in another coroutine with an error, which its weft_switch() returns.
 *
 * One that has not started ends at once, and its parent is given the error.
 *
 * Switches   yes, unless it is the caller who is given the error
 * Context    the thread or task that it belongs to
 *
 * @param error      a negative errno value
 * @param ret_value  as for weft_switch()
 *
 * @return as weft_switch(), or
 *   -EINVAL  error is not a negative errno value
 */
WEFT_API int weft_throw(weft_co *co, int error, void **ret_value);

/**
 * Name the coroutine that runs.
 *
 * Switches   no
 * Context    any thread; not a signal handler
 * Ownership  no reference is handed out
 *
 * @return the coroutine, or the root of the thread or task; NULL if there is no room for that
 */
WEFT_API weft_co *weft_co_current(void);

/**
 * Name the parent of a coroutine, dead or alive. When one ends, it is the nearest of its parent,
 * that one's parent and so on that is not dead that goes on.
 *
 * Switches   no
 * Context    the thread or task that it belongs to
 * Ownership  no reference is handed out
 *
 * @return the parent; NULL for a root, for NULL, and for one whose thread or task has ended
 */
WEFT_API weft_co *weft_co_parent(const weft_co *co);

/**
 * Give a coroutine another parent.
 *
 * Switches   no
 * Context    the thread or task that both belong to
 *
 * @return 0, or
 *   -EINVAL  co or parent is NULL, co a root, or co would be its own ancestor
 *   -EPERM   one of them belongs to another thread or task
 */
WEFT_API int weft_co_set_parent(weft_co *co, weft_co *parent);

/**
 * Tell what has become of a coroutine.
 *
 * Switches   no
 * Context    the thread or task that it belongs to
 *
 * @return an enum weft_co_state, or
 *   -EINVAL  co is NULL
 *   -EPERM   it belongs to another thread or task
 */
WEFT_API int weft_co_state(const weft_co *co);

#ifdef __cplusplus
}
#endif

#endif
