/*
 * The hub: the context of a carrier in which the event loop runs, on a stack of its own.
 *
 * Three things can wake an idle carrier, and one epoll set holds them all: the descriptors tasks
 * wait for, edge-triggered (ready.h), the bell that other threads ring, and the libuv loop, whose
 * own backend descriptor is a member of the set. So an idle wait is one system call, epoll_pwait2
 * with a nanosecond timeout, and the loop runs (uv_run without waiting, as uv_backend_fd() provides
 * for) only when one of its handles has something to do.
 */
#ifndef WEFT_HUB_H
#define WEFT_HUB_H

#include "scheduler.h"

struct uv_loop_s;

/**
 * Make the loop and the readiness set of a carrier.
 *
 * Switches   no
 * Ownership  weft__hub_close() frees them
 *
 * @return 0 or a negative errno of epoll_create1(2), eventfd(2) or malloc(3)
 */
WEFT__SHARED int weft__hub_open(struct weft__carrier *carrier);

/** Give the libuv loop away: it runs at each look from now on. */
struct uv_loop_s *weft__hub_loop(struct weft__carrier *carrier);

/** Free loop and set. Context: the carrier's thread, when no task is left to come back to. */
WEFT__SHARED void weft__hub_close(struct weft__carrier *carrier);

/** Be the hub, for ever. Context: the hub's own. */
WEFT__SHARED void weft__hub_run(struct weft__carrier *carrier) __attribute__((noreturn));

/** Make an idle carrier look around. Context: any thread, a signal handler. */
WEFT__SHARED void weft__hub_ring(struct weft__carrier *carrier);

/**
 * Whether the hub, in its turn, would wake somebody.
 *
 * Context    the carrier's thread while no code of weft's is interrupted, a signal handler too
 */
WEFT__SHARED bool weft__hub_called(const struct weft__carrier *carrier);

/**
 * Make do without the calls that are denied from now on (denied.h).
 *
 * @return whether descriptors can still be waited for: else weft__ready_wait() is an error
 */
WEFT__SHARED bool weft__hub_restrict(struct weft__carrier *carrier);

/** The descriptor of the readiness set, and the one that a ring writes to. */
WEFT__SHARED int weft__hub_set(const struct weft__carrier *carrier);
WEFT__SHARED int weft__hub_bell(const struct weft__carrier *carrier);

#endif
