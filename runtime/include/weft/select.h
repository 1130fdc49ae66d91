/*
 * Selectors: many descriptors watched by one task, as by Python's selectors.
 *
 *     weft_selector *selector;
 *     weft_ready ready[16];
 *     int n;
 *
 *     weft_selector_new(&selector);
 *     weft_selector_register(selector, listener, WEFT_IN, accept_one);
 *     while ((n = weft_selector_select(selector, ready, 16, WEFT_FOREVER)) > 0)
 *         for (int i = 0; i < n; i++)
 *             ((callback *)ready[i].data)(ready[i].fd, ready[i].events);
 *
 * The mechanism is epoll(7), the best that Linux has: a select costs what is ready and not what is
 * registered. It is level-triggered: what is left unread is ready again. Regular files, which epoll does
 * not take, are always ready, as for poll(2). A descriptor is unregistered before it is closed.
 */
#ifndef WEFT_SELECT_H
#define WEFT_SELECT_H

#include <weft/io.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A set of descriptors, each with the events that are wanted of it, and data of its own. */
typedef struct weft_selector weft_selector;

/** A descriptor that is ready. */
typedef struct weft_ready {
	int fd;
	int events; /* of those asked for; all of them after an error or a hang-up */
	void *data; /* what it was registered with */
} weft_ready;

/**
 * Make a selector that has no descriptors.
 *
 * Switches   no
 * Context    any thread
 * Ownership  *ret_selector is freed by weft_selector_free()
 *
 * @return 0, or
 *   -EINVAL  ret_selector is NULL
 *   -ENOMEM  no room
 *   -EMFILE, -ENFILE  no descriptor left
 */
WEFT_API int weft_selector_new(weft_selector **ret_selector);

/**
 * Close a selector: who waits in it, and all calls from then on, get -EBADF.
 *
 * The descriptors registered stay open.
 *
 * Switches   no
 * Context    a task
 *
 * @return 0, or
 *   -EINVAL  selector is NULL
 *   -EBADF   it is closed already
 */
WEFT_API int weft_selector_close(weft_selector *selector);

/**
 * Free a selector, closed or not.
 *
 * Switches   no
 * Context    any thread
 * Ownership  selector is gone. NULL is nothing
 *
 * @return 0, or
 *   -EBUSY  tasks wait in it; it stays
 */
WEFT_API int weft_selector_free(weft_selector *selector);

/**
 * Watch a descriptor. Who waits in the selector already is told of it, too.
 *
 * Switches   no
 * Context    any thread
 * Ownership  fd and data stay the caller's
 *
 * @param events  WEFT_IN, WEFT_OUT or both
 *
 * @return 0, or
 *   -EINVAL  selector is NULL, or events is empty or has other bits
 *   -EEXIST  fd is registered already
 *   -EBADF   fd is not open, or the selector is closed
 *   -ENOMEM, -ENOSPC  no room to keep it
 */
WEFT_API int weft_selector_register(weft_selector *selector, int fd, int events, void *data);

/**
 * Change what is wanted of a descriptor, and its data.
 *
 * Switches   no
 * Context    any thread
 *
 * @return 0, or
 *   -EINVAL  selector is NULL, or events is empty or has other bits
 *   -ENOENT  fd is not registered, or was closed since
 *   -EBADF   fd is not open any more, or the selector is closed
 */
WEFT_API int weft_selector_modify(weft_selector *selector, int fd, int events, void *data);

/**
 * Watch a descriptor no longer; it may have been closed already.
 *
 * Switches   no
 * Context    any thread
 *
 * @return 0, or
 *   -EINVAL  selector is NULL
 *   -ENOENT  fd is not registered
 *   -EBADF   the selector is closed
 */
WEFT_API int weft_selector_unregister(weft_selector *selector, int fd);

/**
 * Wait until descriptors are ready, and tell which.
 *
 * Switches   yes, unless one is ready
 * Context    a task
 * Ownership  ready stays the caller's; so many of it as are returned are set
 *
 * @param n  how many there is room for; what does not fit is told the next time, those first that have
 *           not been
 *
 * @return how many are ready, or
 *   -ETIMEDOUT  the deadline came first
 *   -EINVAL     selector or ready is NULL, n is 0 or more than INT_MAX, or deadline_ns is negative
 *   -EBADF      the selector is closed, perhaps in the meantime
 *   -ENOMEM, -EMFILE, -EPERM  as weft_wait_fd()
 *   what was raised
 */
WEFT_API int weft_selector_select(weft_selector *selector, weft_ready ready[], size_t n,
				  int64_t deadline_ns);

/**
 * Tell with what a descriptor is registered.
 *
 * Switches   no
 * Context    any thread
 *
 * @param ret_events, ret_data  either may be NULL
 *
 * @return 0, or
 *   -EINVAL  selector is NULL
 *   -ENOENT  fd is not registered
 *   -EBADF   the selector is closed
 */
WEFT_API int weft_selector_get_key(weft_selector *selector, int fd, int *ret_events,
				   void **ret_data);

/**
 * Count the descriptors that are registered.
 *
 * Switches   no
 * Context    any thread
 *
 * @return how many, or
 *   -EINVAL  selector is NULL
 *   -EBADF   it is closed
 */
WEFT_API int weft_selector_count(weft_selector *selector);

/**
 * Name the mechanism.
 *
 * Switches   no
 * Context    any thread
 * Ownership  a constant string
 *
 * @return "epoll"
 */
WEFT_API const char *weft_selector_mechanism(void);

#ifdef __cplusplus
}
#endif

#endif
