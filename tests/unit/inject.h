/*
 * Injection: a scenario is run again and again, and each time a kill, an error or a timeout is raised
 * in its k-th wait, until it has fewer than k. Whatever is raised wherever,
 *
 *	- all who can end do, and nobody is left in what they waited in (it can be freed),
 *	- nothing is lost and nothing twice: units, items and locks are counted,
 *	- nothing is leaked, as far as the address sanitizer sees.
 *
 * A scenario is a line of a table: what its tasks share, their bodies, and what must hold in the end.
 * Bodies clean up after errors as good programs do. The first `leaders` bodies must end by themselves,
 * whatever happens to each of them; then close() lets the others end.
 */
#ifndef INJECT_H
#define INJECT_H

#include "unit.h"

#define INJECT_ACTORS 6
#define INJECT_COUNTS 8

struct stage {
	void *x, *y, *z; /* what the actors share; the scenario's */
	int ends[2];
	weft_iwait *iwait;
	int counts[INJECT_COUNTS];
	weft_task *actors[INJECT_ACTORS];
};

struct scenario {
	void (*make)(struct stage *stage);
	weft_func *bodies[INJECT_ACTORS]; /* are given the stage */
	weft_func *also;                  /* of tasks that these make: to be injected into, too */
	size_t leaders;                   /* 0: all */
	void (*close)(struct stage *stage);
	/* Frees what was made, too. NULL: all is well, else what is not. */
	const char *(*check)(struct stage *stage);
};

/** Inject into each wait of a scenario, with tasks of weft's own, in each way and at each moment. */
void inject(const struct scenario *scenario);

/** The same at the beginning of each wait, with threads. */
void inject_on_threads(const struct scenario *scenario);

/** Count in a stage, from several kernel threads too. */
static inline int count_in(struct stage *stage, size_t which, int more)
{
	return __atomic_add_fetch(&stage->counts[which], more, __ATOMIC_SEQ_CST);
}

/** Whether an error is one of those that are injected. */
bool is_injected(int err);

/** Make a call until nothing is injected into it. */
#define UNTIL_DONE(err, call) \
	do \
		(err) = (call); \
	while (is_injected(err))

/** What is true when all is well, else named by its own text. */
#define MUST(condition) \
	do { \
		if (!(condition)) \
			return #condition; \
	} while (0)

/** A scenario of tasks of weft's own only. */
#define InjectedOwn(name, ...) \
	Test(inject, name, .timeout = HANG_S) \
	{ \
		static const struct scenario scenario = {__VA_ARGS__}; \
\
		inject(&scenario); \
	}

/** A scenario in both modes. */
#define Injected(name, ...) \
	InjectedOwn(name, __VA_ARGS__) Test(inject, name##_on_threads, .timeout = HANG_S) \
	{ \
		static const struct scenario scenario = {__VA_ARGS__}; \
\
		inject_on_threads(&scenario); \
	}

#endif
