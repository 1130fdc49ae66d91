/* What weft counts. Written by the carrier's thread, read by whoever prints. */
#ifndef WEFT_STATS_H
#define WEFT_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "raw.h"

struct weft__task;
struct weft__carrier;

/** How many start routines are kept of those whose tasks compute long. */
#define WEFT__HOGS 32

/** A start routine, and what its tasks have had without a switch. */
struct weft__hog {
	uint64_t name;       /* weft__stats_name() of them */
	uint64_t preempted;  /* how often one was stopped */
	uint64_t longest_ns; /* 0, and preempted too: the place is free */
};

struct weft__stats {
	uint64_t tasks;      /* started in all */
	uint64_t idle_waits; /* looks at the loop that had time to wait */
	uint64_t offloads;
	uint64_t caught; /* carriers whose work another took over (crew.h) */
	unsigned int offload_threads;
	uint64_t longest_run_ns;           /* without a switch; only while WEFT__WATCH_RUNS */
	uint64_t longest_run_task;         /* weft__stats_name() of who it was */
	struct weft__hog hogs[WEFT__HOGS]; /* in no order; only while WEFT__WATCH_RUNS */
};

extern WEFT__SHARED struct weft__stats weft__stats;

/** Count one more. As cheap as ++; two carriers that count at once may count one. */
#define weft__count(counter) \
	__atomic_store_n(&(counter), __atomic_load_n(&(counter), __ATOMIC_RELAXED) + 1, \
			 __ATOMIC_RELAXED)

/** Why somebody looks at the end of each run. */
enum weft__watch {
	WEFT__WATCH_RUNS = 1, /* statistics: each is timed, which costs 25 ns a switch */
	WEFT__WATCH_CPU = 2,  /* processor time is counted (cpu.h) */
};

/** Bits of enum weft__watch. While there are none, a switch costs nothing more for any. */
extern WEFT__SHARED volatile unsigned int weft__watched;

/** How to name a task in a line of statistics; NULL: not named. Called as its run ends. */
extern WEFT__SHARED uint64_t (*weft__stats_name)(const struct weft__task *task);

/** While watched: note that a task stops running now, or that the hub does (NULL). */
void weft__run_ended(struct weft__carrier *carrier, struct weft__task *task);

/**
 * Note that a task which computes is made to make way, if anybody wants to know.
 *
 * Context    the carrier's thread, a signal handler too unless it interrupts weft's code
 */
WEFT__SHARED void weft__run_stopped(const struct weft__task *task);

/** Whether one has been stopped more often than another or, of equals, has run longer. */
WEFT__SHARED bool weft__hog_is_worse(const struct weft__hog *hog, const struct weft__hog *other);

#endif
