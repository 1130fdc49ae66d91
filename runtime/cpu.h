/*
 * Processor time: how much of its carrier's each task has had.
 *
 * Accounting looks at a clock at every switch, so it begins when somebody first asks for a task's
 * time, and stays. The carrier's own clock is a system call, 0.3 to 1 us: it is asked after long
 * runs, and the wall's clock (25 ns) after short ones. Until then a periodic timer's samples must
 * do, if there is one: whoever runs when it ticks is taken to have run all the tick.
 */
#ifndef WEFT_CPU_H
#define WEFT_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include "raw.h"

struct weft__task;
struct weft__carrier;

/** What a carrier keeps for it. */
struct weft__cpu {
	uint64_t given_ns; /* of its processor time, what belongs to somebody */
	uint64_t short_ns; /* what has been given beyond, for short runs */
	bool exact;        /* accounting has begun */
	uint64_t since_ns; /* when the running task or hub began, or was last counted (wall) */
};

/** Take the calling thread's time so far to be the first task's. Context: the carrier's thread. */
WEFT__SHARED void weft__cpu_begin(struct weft__carrier *carrier, struct weft__task *first);

/**
 * Note that a tick has passed, and who ran then, if a task.
 *
 * Context    any, a signal handler too
 *
 * @param outside  it was in the program's code, so that accounts may be looked at
 */
WEFT__SHARED void weft__cpu_sample(struct weft__task *running, uint64_t ns, bool outside);

/**
 * The processor time of a task, never less than before; accounting begins. Of one that runs on
 * another carrier, the time up to a tick ago.
 *
 * Context    a task of the same crew
 */
WEFT__SHARED uint64_t weft__cpu_time(const struct weft__task *task);

/** Note that a task stops running now; NULL: the hub does. */
void weft__cpu_run_ended(struct weft__carrier *carrier, struct weft__task *task);

#endif
