/* Calls for which readiness cannot be waited: made by an offload thread while the task parks. */
#ifndef WEFT_BLOCKING_H
#define WEFT_BLOCKING_H

#include <stdbool.h>
#include <stdint.h>

#include "call.h"

/** How long a call waits between tries when no offload thread can make it. */
#define WEFT__TRY_AGAIN_NS UINT64_C(5000000)

/** A form of a call that does not wait; -EAGAIN when the call would have to. */
typedef long weft__attempt(const struct weft__call *c);

/**
 * Make a call that may last until somebody else does something, and let other tasks run while it
 * does.
 *
 * When no offload thread is to be had, it is tried again every few milliseconds.
 *
 * Switches   yes
 * Context    a task
 *
 * @param attempt  how to try it first; NULL: it cannot be
 *
 * @return the call's result; -EINTR when the task is wanted meanwhile
 */
long weft__blocking(const struct weft__call *c, weft__attempt *attempt);

/** As weft__blocking(), but false when no offload thread is to be had, and *ret_result is not set. */
bool weft__blocking_once(const struct weft__call *c, long *ret_result);

/**
 * As weft__blocking(), for a call whose argument `timeout_arg` points to how long it may wait.
 *
 * @param deadline_ns  when that ends; 0: never
 */
long weft__blocking_until(const struct weft__call *c, weft__attempt *attempt, int timeout_arg,
			  uint64_t deadline_ns);

/**
 * Make a call that works on a disk or the like, and ends by itself, on an offload thread.
 *
 * With no thread to be had the carrier makes it, all its tasks waiting.
 *
 * Switches   yes
 * Context    a task
 *
 * @return the call's result; a SIGPIPE or SIGXFSZ that goes with it is sent to the task
 */
long weft__offloaded(const struct weft__call *c);

/** As weft__offloaded(), after all calls of an order that were made before (offload.h). */
long weft__offloaded_in_order(const struct weft__call *c, uint32_t order);

#endif
