/* What the parts of the shim share: the process's one carrier, its state, settings and counters. */
#ifndef WEFT_SHIM_H
#define WEFT_SHIM_H

#include <stdbool.h>
#include <stdint.h>

#include "call.h"
#include "crew.h"
#include "preempt.h"
#include "rules.h"

/** The carrier of all tasks; its hub is there while weft is awake. */
extern struct weft__carrier weft__process;

/** WEFT_OFFLOAD_PATHS: who makes calls that look up a path; as the words in settings.def. */
enum weft__paths {
	WEFT__PATHS_AS_NEEDED, /* offload threads when a far file system is mounted */
	WEFT__PATHS_IN_PLACE,
	WEFT__PATHS_OFFLOADED,
};

/** WEFT_CATCH: what becomes of calls whose sites are not patched (catch.h); in that order. */
enum weft__catch_mode {
	WEFT__CATCH_AUTO, /* as none, until there is such a call for sure: then as all */
	WEFT__CATCH_NONE, /* they are the kernel's */
	WEFT__CATCH_ALL,  /* they are caught */
	WEFT__CATCH_ONLY, /* and no site is patched, by wish or because none may be */
};

/** What is set (settings.c). */
struct weft__settings {
	bool on;    /* WEFT: without it the library does nothing */
	bool stats; /* WEFT_STATS: print them when the process ends */
	unsigned int
		preempt_ms;    /* WEFT_PREEMPT_MS: how long a task may run at least; 0: for ever */
	unsigned int carriers; /* WEFT_CARRIERS: how many kernel threads run tasks */
	enum weft__paths paths;
	enum weft__catch_mode catch_mode;
};

extern struct weft__settings weft__settings;

/** What the rules say of this program. */
extern struct weft__rule weft__rule;

/** Read the environment and the rules; what is wrong is said in one line each, and left at its default. */
void weft__read_settings(void);

/** The program itself wants weft (weft_patch()): as if WEFT were 1. */
void weft__settings_turn_on(void);

/** Write one line to stderr, "weft: ...", whatever state libc is in. */
void weft__say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Whether calls are caught, or are to be from the first thread on. */
static inline bool weft__catches(void)
{
	return weft__settings.catch_mode >= WEFT__CATCH_ALL;
}

/** Objects have been loaded: catch calls from now on if some cannot be patched (preload.c). */
void weft__catch_missed(void);

/** Before a thread is made: be awake, if that is wanted and can be (preload.c). */
void weft__before_thread(void);

/** Whether glibc counts the hub among the program's threads, which it should not. */
extern bool weft__hub_counted;

/** Go to sleep (preload.c): the running task is the kernel's again, and every other is gone. */
void weft__asleep(void);

/** What is counted of calls, on each carrier (report.c). */
struct weft__counts {
	uint64_t parks[WEFT__CALLS];   /* by call: the task had to wait */
	uint64_t blocked[WEFT__CALLS]; /* by call: the kernel thread may have had to */
};

extern struct weft__counts weft__counts[WEFT__MOST_CARRIERS];

/** Note that a task has to wait in a call. */
static inline void weft__count_park(long nr)
{
	weft__counts[weft__current->carrier->number].parks[nr]++;
}

/** Note that a call which may wait is left to the kernel. Returns WEFT__PASS. */
static inline long weft__blocks(const struct weft__call *c)
{
	weft__counts[weft__current->carrier->number].blocked[c->nr]++;
	weft__preempt_not();
	return WEFT__PASS;
}

/** The name of a call that is in calls.def. */
const char *weft__call_name(long nr);

/** Begin the statistics of this process, or leave them to its parent. */
void weft__report_begin(void);
void weft__report_end(void);

/** Print the statistics to stderr, once, if they are wanted. */
void weft__report(void);

#endif
