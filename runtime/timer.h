/*
 * Timers: who is woken when, soonest first.
 *
 * A pairing heap whose links stand in the timers, so that arming one allocates nothing and cannot
 * fail: insert and "which is first" are constant, removal is logarithmic (amortised). Fredman,
 * Sedgewick, Sleator, Tarjan, "The pairing heap", Algorithmica 1, 1986.
 */
#ifndef WEFT_TIMER_H
#define WEFT_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "raw.h"

struct weft__timer {
	uint64_t deadline_ns;
	struct weft__timer *child;  /* the first of the later ones below this one */
	struct weft__timer *next;   /* the next with the same parent */
	struct weft__timer *prev;   /* the one before, or the parent; NULL at the root */
	struct weft__timers *armed; /* among these; NULL: it is not */
};

struct weft__timers {
	struct weft__timer *first; /* NULL when there is none */
	uint64_t soonest_ns;       /* its deadline; 0: none; atomic for who has not the lock */
};

/** Arm `timer`; it must not be armed. */
void weft__timer_arm(struct weft__timers *timers, struct weft__timer *timer, uint64_t deadline_ns);

/** Disarm `timer`; nothing happens when it is not armed. */
void weft__timer_disarm(struct weft__timer *timer);

/** CLOCK_MONOTONIC in nanoseconds; no system call (vdso(7)). */
WEFT__SHARED uint64_t weft__now_ns(void);

#endif
