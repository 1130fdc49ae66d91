/*
 * Signals that are pending: queued for one thread, or for the process while no thread admits them.
 *
 * Context of all: the carrier, outside of signal handlers (they allocate).
 */
#ifndef WEFT_PENDING_H
#define WEFT_PENDING_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct weft__thread;

/** Queue a signal for a thread, or with NULL for the process: 0 or -EAGAIN. */
long weft__pending_add(struct weft__thread *thread, const siginfo_t *info);

/** The set of those queued for the process. */
uint64_t weft__pending_for_process(void);

/** Forget those of the process: for a child after fork(2). */
void weft__pending_clear(void);

/** Take the first signal of a set that is pending for a thread; false when there is none. */
bool weft__signal_take(struct weft__thread *thread, uint64_t set, siginfo_t *info);

/** Take the first signal of a set that is pending for a thread alone; false when there is none. */
bool weft__signal_take_own(struct weft__thread *thread, uint64_t set, siginfo_t *info);

/** What is pending for a thread alone, or for the process, as far as weft holds it. */
uint64_t weft__signals_pending(const struct weft__thread *thread);

/** Forget what is pending for a thread that ends. */
void weft__signals_drop(struct weft__thread *thread);

#endif
