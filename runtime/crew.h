/*
 * A crew: the carriers that share tasks.
 *
 * Each has its own kernel thread, hub, run queue, timers and readiness set. What they share,
 * which is every record of weft's, is guarded by one lock: who runs weft's code holds it, but for the
 * calls of the kernel in between (weft__raw_free()) and the first steps of the hottest handlers. The
 * program's own code runs without it, on all carriers at once.
 *
 * A task goes on where it ran before. It moves when a carrier that has nothing to do takes it from
 * one that has more than it can run now. Its thread pointer goes with it, so it cannot tell.
 *
 * A carrier may be caught in a call that weft could not answer, or a page fault. Where there are
 * several, one more, the spare, looks after the others while any is awake. It runs no task but takes
 * over what a caught one is to do: its own kernel thread goes on with the hub of that one, and the
 * other's, when it comes back, with its own. Only the task that was caught is the spare's then.
 *
 * While there is one carrier, none of this costs more than a look at `weft__parallel`.
 */
#ifndef WEFT_CREW_H
#define WEFT_CREW_H

#include <stdbool.h>
#include <stdint.h>

#include "scheduler.h"

#define WEFT__MOST_CARRIERS 64

struct weft__crew {
	struct weft__carrier *carrier[WEFT__MOST_CARRIERS];
	unsigned int carriers;
	struct weft__carrier *spare; /* one of them; NULL: there is none */
	/* The two have swapped their kernel threads: what else goes with these. */
	void (*swapped)(struct weft__carrier *spare, struct weft__carrier *caught);
	struct weft__fd **descriptors; /* ready.c's; NULL until one is waited for */
	uint32_t polls;                /* that have begun to wait (ready.c) */
	unsigned int vain; /* looks of the spare that found all others asleep, in a row */
	bool unwatched;    /* the spare sleeps until one of them wakes; atomic */
	uint64_t asleep;   /* whose hub waits and is to be rung, a bit each by number; atomic */
};

/** Whether there are several carriers: then the lock is taken. */
extern WEFT__SHARED volatile bool weft__parallel;

/** Make a carrier the first of a crew, or one more; whether there was room. */
WEFT__SHARED bool weft__crew_join(struct weft__crew *crew, struct weft__carrier *carrier);

/** How many tasks are alive, on all carriers. */
WEFT__SHARED unsigned int weft__crew_tasks(const struct weft__crew *crew);

/** Whether a ready task of any carrier waits for its turn. */
WEFT__SHARED bool weft__crew_others_wait(const struct weft__crew *crew);

/** The carrier that a new task of one here is to be on. Context: the lock. */
struct weft__carrier *weft__crew_place(struct weft__carrier *here);

/** For the spare's hub: until when it may sleep at most, 0 is not at all; UINT64_MAX: for ever. */
uint64_t weft__crew_watches_until(struct weft__carrier *spare);

/** For the spare's hub: hand its own tasks out, and take over from who is caught. Context: the lock. */
void weft__crew_watch(struct weft__carrier *spare);

/** Whether a carrier with nothing to do should take a task from another. Context: the lock. */
bool weft__crew_has_work(struct weft__carrier *idle);

/** Take a ready task from another carrier, which is now the caller's; NULL. Context: the lock. */
struct weft__task *weft__crew_steal(struct weft__carrier *idle);

/** Have a carrier that has nothing to do look for work, if there is one. Context: any. */
WEFT__SHARED void weft__crew_call_help(struct weft__carrier *busy);

/** A carrier's hub is about to wait, and is to be rung from now on; or has waited. */
void weft__crew_fall_asleep(struct weft__carrier *carrier);
void weft__crew_awake(struct weft__carrier *carrier);

/** Ring a carrier if its hub is asleep. Context: any. */
WEFT__SHARED void weft__crew_rouse(struct weft__carrier *carrier);

/** Forget all carriers but the first: for a child after fork(2). */
WEFT__SHARED void weft__crew_forked(struct weft__crew *crew);

/**
 * The state of a kernel thread, proc(5): S waits in the kernel, D does and is in no signal's reach; ?
 * is not known.
 */
WEFT__SHARED char weft__crew_state(int kernel_thread);

/** What a kernel thread does of itself when another carrier asks for it. Context: that thread. */
WEFT__SHARED void weft__crew_do_errand(struct weft__carrier *here);

/**
 * Whether the caller holds the lock: a task, a hub, or another thread. Who switches holds it, and who
 * goes on has it: it is handed over with the kernel thread. So has who begins, and is to note it.
 */
extern WEFT__SHARED __thread bool weft__holds_lock __attribute__((tls_model("initial-exec")));

/** Take the lock, unless the caller holds it; and give it back, if it does. */
WEFT__SHARED void weft__crew_lock(void);
WEFT__SHARED void weft__crew_unlock(void);

static inline void weft__lock(void)
{
	if (weft__unlikely(weft__parallel))
		weft__crew_lock();
}

static inline void weft__unlock(void)
{
	if (weft__unlikely(weft__parallel))
		weft__crew_unlock();
}

/** Let others have it in between. */
static inline void weft__breathe(void)
{
	weft__unlock();
	weft__lock();
}

/** A call of the kernel without the lock: others may change all records meanwhile. */
WEFT__SHARED long weft__crew_raw(long nr, long a, long b, long c, long d, long e, long f);

static inline long weft__raw_free6(long nr, long a, long b, long c, long d, long e, long f)
{
	if (weft__unlikely(weft__parallel))
		return weft__crew_raw(nr, a, b, c, d, e, f);
	return weft__raw6(nr, a, b, c, d, e, f);
}

#define WEFT__RAW_FREE7(nr, a, b, c, d, e, f, ...) \
	weft__raw_free6((long)(nr), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), \
			(long)(f))

/** weft__raw(), without the lock. Context: a task or hub. */
#define weft__raw_free(...) WEFT__RAW_FREE7(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

#endif
