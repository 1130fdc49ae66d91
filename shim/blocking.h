/* Calls for which readiness cannot be waited: tried, then made by an offload thread. */
#ifndef WEFT_BLOCKING_H
#define WEFT_BLOCKING_H

#include <stdint.h>

#include "call.h"

/** A form of a call that does not wait; -EAGAIN when the call would have to. */
typedef long weft__attempt(const struct weft__call *c);

/**
 * Make a call that may block, and let other tasks run while it does.
 *
 * When no offload thread is to be had, it is tried again every few milliseconds.
 *
 * Switches   yes
 * Context    a task
 *
 * @param attempt  how to try it first
 *
 * @return the call's result; -EINTR when the task is wanted meanwhile
 */
long weft__blocking(const struct weft__call *c, weft__attempt *attempt);

/**
 * As weft__blocking(), for a call whose argument `timeout_arg` points to how long it may wait.
 *
 * @param deadline_ns  when that ends; 0: never
 */
long weft__blocking_until(const struct weft__call *c, weft__attempt *attempt, int timeout_arg,
			  uint64_t deadline_ns);

#endif
