/*
 * Several carriers (WEFT_CARRIERS): their kernel threads, and what one has another do.
 */
#ifndef WEFT_CARRIERS_H
#define WEFT_CARRIERS_H

#include <stdbool.h>

#include "call.h"
#include "crew.h"

/** The crew of all carriers, of which weft__process is the first. */
extern struct weft__crew weft__crew;

/** The number of carriers there are to be: as set, but one where calls are caught (catch.h). */
unsigned int weft__carriers_wanted(void);

/**
 * Make the others, with a hub each, while weft wakes; when it is awake, let them run.
 *
 * Context    the first carrier's thread, in the program's code
 *
 * @param make_hub  makes a hub's stack and thread pointer; 0 or -errno
 *
 * @return 0, or a negative errno when there are less
 */
int weft__carriers_make(unsigned int wanted, int (*make_hub)(struct weft__carrier *carrier));
int weft__carriers_run(void);

/**
 * Have a carrier's kernel thread do something of itself, and wait until it has, unless the kernel does not
 * let it. Context: the lock.
 */
void weft__errand_for(struct weft__carrier *carrier, weft__errand *errand);

/** Have all carriers but the caller's make a call, each for its own kernel thread. Context: the lock. */
void weft__call_for_others(const struct weft__call *c);

/**
 * End all but the first, on which the caller goes on: of the program's threads it is the only one.
 *
 * Switches   maybe
 * Context    a task, the lock
 */
void weft__carriers_end(void);

/** Forget them: for a child after fork(2). */
void weft__carriers_forked(void);

#endif
