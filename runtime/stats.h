/* What weft counts. Written by the carrier's thread, read by whoever prints. */
#ifndef WEFT_STATS_H
#define WEFT_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "raw.h"

struct weft_task;
struct weft__carrier;

struct weft__stats {
	uint64_t tasks; /* started in all */
	uint64_t switches;
	uint64_t looks;      /* the hub's at its loop */
	uint64_t idle_waits; /* of those, the ones that had time to wait */
	uint64_t offloads;
	unsigned int offload_threads;
	uint64_t longest_run_ns;   /* without a switch; only while weft__stats_wanted */
	uint64_t longest_run_task; /* weft__stats_name() of who it was */
};

extern WEFT__SHARED struct weft__stats weft__stats;

/** Count one more. As cheap as ++; two carriers that count at once may count one. */
#define weft__count(counter) \
	__atomic_store_n(&(counter), __atomic_load_n(&(counter), __ATOMIC_RELAXED) + 1, \
			 __ATOMIC_RELAXED)

/** Whether runs are timed, which costs 25 ns a switch. */
extern WEFT__SHARED bool weft__stats_wanted;

/** How to name a task in a line of statistics; NULL: not named. Called as its run ends. */
extern WEFT__SHARED uint64_t (*weft__stats_name)(const struct weft_task *task);

/** Note that a task stops running now. */
void weft__stats_run_ended(struct weft__carrier *carrier, const struct weft_task *task);

#endif
