/*
 * Tests on several carriers: a crew of kernel threads, whose tasks run the test at once.
 *
 * A task runs without the lock, as a program's own code does, and takes it for what is weft's. What it
 * finds it writes down; the test's own thread, which is no carrier, asserts when all have ended.
 */
#ifndef ON_CREW_H
#define ON_CREW_H

#include "crew.h"
#include "unit.h"

#define CARRIERS 3

/**
 * Make a crew of so many carriers, run entry(arg) in its first task, which begins on the first of
 * them, and return when all tasks have ended. The carriers stay, idle: once in a test.
 */
void run_on_crew(unsigned int carriers, void (*entry)(void *arg), void *arg);

/** The crew; NULL before it is made. */
extern struct weft__crew *crew;

/** Take the lock in a task, or in the test's thread when all have ended; and give it back. */
void enter_weft(void);
void leave_weft(void);

/** Start a task where the runtime has it. Its record stays valid. */
struct weft__task *start(void (*entry)(void *arg), void *arg);

/** The same. Context: the lock. */
struct weft__task *start_inside(void (*entry)(void *arg), void *arg);

/** Start a task on the caller's carrier. */
struct weft__task *start_here(void (*entry)(void *arg), void *arg);

/** The number of the carrier that the calling task is on. */
unsigned int where(void);

/** Where a task began and has ended. Context: all have ended. */
unsigned int where_began(const struct weft__task *task);
unsigned int where_ended(const struct weft__task *task);

/** How many tasks have been buried. */
unsigned int count_buried(void);

/** weft__park_firmly() and weft__wake(), each with the lock. */
int park_firmly(void);
bool wake(struct weft__task *task);

/** Wait, without the lock, until a number is at least so much; the task keeps its carrier. */
void compute_until(const unsigned int *number, unsigned int least);

/** The same, where ticks come meanwhile: others take what waits for this carrier. */
void compute_with_ticks(const unsigned int *number, unsigned int least);

/** Count one more, from whichever carrier. */
void count_one(unsigned int *number);

/** Go on when `members` tasks are here at once, which takes as many carriers. */
void meet(unsigned int *here, unsigned int members);

#endif
