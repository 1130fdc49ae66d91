/*
 * The scheduler: tasks take turns on a carrier, and know nothing of descriptors.
 *
 *   running --park--> parked --wake--> ready --its turn--> running
 *      |                                 |
 *      +--its slice is over--> stopped --+ when nobody is ready, or a while later
 *
 * A carrier is one kernel thread with a run queue (first in, first out, but for real-time
 * priorities) and a hub, the context in which the event loop runs. A task that parks switches
 * straight to the next ready task; the hub gets its turn when there is none, and every LOOK_EVERY
 * switches. Who computes for a whole slice stands apart, in a queue of those who did: else whoever
 * wakes from a short wait has a slice of each of them before it. The hub lets them in. They go back
 * there at their next few wakes, too.
 */
#ifndef WEFT_SCHEDULER_H
#define WEFT_SCHEDULER_H

#include <stdbool.h>
#include <stdint.h>

#include "context.h"
#include "cpu.h"
#include "list.h"
#include "raw.h"
#include "timer.h"

struct weft__carrier;
struct weft__crew;
struct weft__run;
struct weft__hub;
struct weft_co;

/** What a carrier's kernel thread is to do in between (crew.h). */
typedef void weft__errand(struct weft__carrier *here);

enum weft__task_state {
	WEFT__RUNNING,
	WEFT__READY,
	WEFT__PARKED,
	WEFT__HELD, /* parked firmly: only weft__wake() ends it */
	WEFT__DEAD,
};

/** A task's place among those that wait for a descriptor (ready.h). */
struct weft__waiter {
	struct weft__link link;
	struct weft__task *task;
};

/** The same for one of several descriptors. */
struct weft__poller {
	struct weft__waiter waiter;
	uint32_t events; /* that woke it, as epoll(7) told them */
	uint32_t since;  /* its number among the crew's polls */
};

/** A task's place in the parking lot (parking.h). */
struct weft__parked {
	struct weft__link link; /* among those who wait for the same word */
	struct weft__parked
		*next_word; /* the first for another word; valid in the first for its own */
	uintptr_t key;      /* guarded by the lock of the bucket it is in, like all of these */
	uint32_t bitset;
	uint8_t state;  /* enum parked_state of parking.c */
	uint32_t since; /* of its carrier's switches, it waits for a lock; 0: it is none */
};

struct weft__task {
	/* entry_x86_64.S knows the places of the first three, and writes two of them at once. */
	volatile uint8_t inside;    /* 1: in weft's code, so a signal handler must wait */
	uint8_t restarted;          /* 1: the call in progress has started over, after a signal */
	volatile uint8_t attention; /* 1: something is to be done before it leaves weft; it parks
				       only if that is not for itself (`wanted`) */
	uint8_t state;              /* enum weft__task_state */
	uint8_t priority;           /* real-time, 0: none; it stands before those of a lower one */
	uint8_t tired;              /* at so many more wakes it goes to `stopped` */
	uint8_t heir;    /* woken for what others wait for behind it: it stands before its equals */
	int wake_result; /* what park returns; written by who wakes */
	int moved; /* where what `waiter` waits for is now (weft__fd_move()); 0: at its place */
	struct weft__context context;
	struct weft__carrier *carrier; /* atomic for who wakes from elsewhere */
	struct weft__task *next; /* in the run queue, or `stopped`, (READY) or among the dead */
	struct weft__waiter waiter;

	/* To here a wait for a descriptor goes: one line of the cache. */

	bool owes; /* it was stopped where it may have held a lock: it yields when it frees one */
	struct weft__task *remote_next; /* in the carrier's list of wakes from other threads */
	bool woken_early; /* such a wake found it awake: its next firm park ends at once */
	struct weft__timer timer;
	struct weft__poller *pollers; /* room for a poll of several descriptors; owned */
	unsigned int pollers_room;
	struct weft__parked parked;
	void (*bury)(
		struct weft__task *task); /* frees it once it has left; NULL: nothing to free */
	bool has_made;                    /* another task, while there are several carriers */
	bool joined;                      /* native tasks: a reference is out */
	uint64_t cpu_ns;                  /* processor time, as far as it is counted (cpu.h) */
	struct weft_co *co; /* native tasks: its coroutine that runs; NULL: it has none */
};

struct weft__queue {
	struct weft__task *first; /* atomic for who asks for NULL only */
	struct weft__task *last;
};

struct weft__carrier {
	struct weft__queue ready;
	struct weft__queue stopped; /* their slice was over: READY, but not in the run queue yet */
	bool held_up; /* a tick has found the running task computing, and others ready; atomic */
	unsigned int passed; /* switches since one of them was let in, up to the last look; a tick
				counts for many; valid while there are any; atomic */
	unsigned int turns;  /* switches since the hub last looked at the loop */
	uint64_t switches, looks;           /* in all: the hub's at its loop, too */
	uint64_t seen_switches, seen_looks; /* when the crew's spare last looked */
	struct weft__task *running;         /* NULL: its hub, or nobody */
	unsigned int overtakes;             /* since then, tasks woken that went before others */
	unsigned int spent;        /* what the running task has done since it last switched */
	unsigned int random;       /* for where a task is stopped next */
	unsigned int tasks;        /* alive, that are here */
	uint32_t age;              /* looks at the loop, an idle one counts for many */
	unsigned int registered;   /* descriptors in the readiness set; and the loop, if shared */
	struct weft__task *behind; /* to stand behind those whom the hub's look wakes */
	struct weft__task *dead;
	struct weft__timers timers;
	struct weft__context hub_context;
	struct weft__hub *hub;
	uint32_t asked; /* how many of the crew's polls had begun when it last asked for events */
	struct weft__task *remote; /* tasks woken by other threads, newest first; atomic */
	unsigned int ringing;      /* other threads that are about to ring, or ring; atomic */
	struct weft__crew *crew;
	unsigned int number;  /* in its crew */
	int kernel_thread;    /* the id of its kernel thread; 0: not known */
	weft__errand *errand; /* for its kernel thread; NULL: none; atomic */
	unsigned int
		out; /* kernel threads that make a call without the lock, or are about to; atomic */
	void (*attend)(struct weft__carrier *carrier); /* the hub calls it when `attention` */
	volatile int attention;                        /* atomic for who is another thread */
	bool (*wanted)(struct weft__task *me); /* whether the running task's `attention` is for
						 itself; NULL: always */
	struct weft__run *run;                 /* native tasks: what they belong to */
	void (*at_rest)(struct weft__carrier *carrier); /* NULL, or called when no task is ready */
	uint64_t run_since_ns; /* statistics: since when the running task has run */
	struct weft__cpu cpu;
};

/** The task that runs in this thread's thread pointer; NULL in a hub or any other thread. */
extern WEFT__SHARED __thread struct weft__task *weft__current
	__attribute__((tls_model("initial-exec")));

/** The carrier whose hub runs in this thread pointer, else NULL. */
extern WEFT__SHARED __thread struct weft__carrier *weft__hub_of
	__attribute__((tls_model("initial-exec")));

/** The carrier of the running task or hub, NULL in other threads. */
static inline struct weft__carrier *weft__carrier_here(void)
{
	return weft__current != NULL ? weft__current->carrier : weft__hub_of;
}

/** Fill in a task that is RUNNING (the carrier's first) or is to be started by weft__start(). */
WEFT__SHARED void weft__task_init(struct weft__task *task, struct weft__carrier *carrier);

/** Put a task whose context is made at the end of the run queue. */
WEFT__SHARED void weft__start(struct weft__task *task);

/**
 * Wait until somebody wakes the running task.
 *
 * Switches   yes
 * Context    a task
 *
 * @param deadline_ns  when to give up, or 0 for never
 *
 * @return what weft__wake() was given, or
 *   -ETIMEDOUT  the deadline came first
 *   -EINTR      the task is wanted (weft__interrupt())
 */
WEFT__SHARED int weft__park(uint64_t deadline_ns);

/** As weft__park() without a deadline, but nothing except weft__wake() ends it. */
WEFT__SHARED int weft__park_firmly(void);

/** Make a parked task ready; false when it was not parked. Context: a carrier of its crew. */
WEFT__SHARED bool weft__wake(struct weft__task *task, int result);

/**
 * Make a parked task ready, from whichever thread; a wake of 0.
 *
 * When the task has been woken by something else before this arrives, its next weft__park_firmly()
 * ends at once: whoever may be woken so, and gives up, takes the wake by a firm park.
 */
WEFT__SHARED void weft__wake_remote(struct weft__task *task);

/** Tell a task that it is wanted: its park, now or next, ends with -EINTR. */
WEFT__SHARED void weft__interrupt(struct weft__task *task);

/** Let the other ready tasks run once, and look at the loop now and then; false: there is none. */
WEFT__SHARED bool weft__yield(void);

/** Whether there are any in a queue. A tick asks that without the crew's lock. */
static inline bool weft__any(const struct weft__queue *queue)
{
	return __atomic_load_n(&queue->first, __ATOMIC_RELAXED) != NULL;
}

/** Whether a carrier's hub is to call `attend`. */
static inline bool weft__wants_attention(const struct weft__carrier *carrier)
{
	return __atomic_load_n(&carrier->attention, __ATOMIC_RELAXED) != 0;
}

/** Whether another task could run. Context: the carrier's thread, a signal handler too. */
static inline bool weft__others_wait(const struct weft__carrier *carrier)
{
	return weft__any(&carrier->ready) || weft__any(&carrier->stopped);
}

/**
 * Stop the running task, which has had its share, and look at the loop.
 *
 * It may hold what the others are after, now and whenever it is stopped: a loop that locks, writes
 * and unlocks is always stopped in the write. So it goes behind whom the look wakes, is stopped
 * somewhere else next time, and owes a turn when it frees a lock: weft__settle().
 *
 * Who has had a slice (weft__end_slice()) goes behind whoever wakes later, too.
 */
WEFT__SHARED void weft__preempt(void);

/** The running task has just made way for somebody, by a wake: give the turn it may owe. */
static inline void weft__settle(void)
{
	if (weft__unlikely(weft__current->owes)) {
		weft__current->owes = false;
		weft__yield();
	}
}

/** What an idle wait adds to a carrier's age: of how long it was, nothing is known. */
#define WEFT__IDLE_AGE 16U

/** How much a task may do without waiting before the others have their turn. */
#define WEFT__BUDGET 128

/** What a call costs that found nothing to do: a task that polls is soon stopped. */
#define WEFT__EMPTY_HANDED 16

/** More than any call costs: the running task has computed all the while. */
#define WEFT__SLICE (1U << 20)

/**
 * Have the running task stopped for its slice at its next weft__preempt().
 *
 * Context    the carrier's thread, a signal handler too
 */
static inline void weft__end_slice(struct weft__carrier *carrier)
{
	carrier->spent = WEFT__SLICE;
}

/*
 * For how many wakes a slice has tired a task. Those who compute may all wait for somebody now and
 * then, in a JVM for who takes their stack traces: woken together, they would have their slices
 * before who only waits has its next turn. Now that is so at one wait in five.
 */
#define WEFT__TIRED_WAKES 4

/**
 * Note that a tick has passed: those who are stopped wait neither for many switches nor for long.
 *
 * Context    the carrier's thread, a signal handler too
 */
WEFT__SHARED void weft__tick(struct weft__carrier *carrier);

/**
 * Let the hub have its turn at the next switch.
 *
 * Context    the carrier's thread, a signal handler too
 */
WEFT__SHARED void weft__look_soon(struct weft__carrier *carrier);

/**
 * Count what the running task does without waiting, and yield when it is enough.
 *
 * Switches   now and then
 */
static inline void weft__spend(unsigned int cost)
{
	struct weft__carrier *carrier = weft__current->carrier;

	carrier->spent += cost;
	if (weft__unlikely(carrier->spent >= WEFT__BUDGET))
		weft__preempt();
}

/** End the running task, whose entry is to return the result at once (weft__ending_entry). */
struct weft__context *weft__task_end(void);

/** End the running task; its record is buried once its stack is out of use. */
WEFT__SHARED void weft__task_exit(void) __attribute__((noreturn));

/** Bury who has ended and left its stack. Context: a task. */
WEFT__SHARED void weft__bury_dead(struct weft__carrier *carrier);

/** Have a task that is in no queue belong to another carrier of its crew. Context: the lock. */
static inline void weft__hand_to(struct weft__task *task, struct weft__carrier *carrier)
{
	task->carrier->tasks--;
	carrier->tasks++;
	__atomic_store_n(&task->carrier, carrier, __ATOMIC_RELAXED); /* weft__wake_remote() asks */
}

/** Go on on another carrier of the crew. Switches. Context: a task, the lock. */
WEFT__SHARED void weft__move_to(struct weft__carrier *carrier);

/** The running task's turn is over before it began: it stands in a queue of the caller's. */
WEFT__SHARED void weft__hold_back(struct weft__task *task, struct weft__queue *queue)
	__attribute__((noreturn));

/** Have those who were held back run in their turn. */
WEFT__SHARED void weft__put_all_ready(struct weft__queue *queue);

/** Have a ready task that is in no queue stand in its carrier's. */
void weft__put_ready(struct weft__task *task);

/** Take the task that is to run next out of a carrier's queues; NULL: none is ready. */
struct weft__task *weft__next_ready(struct weft__carrier *carrier);

/** Tell a task that runs on another carrier, in its own code, to look at its `attention`. */
extern WEFT__SHARED void (*weft__kick)(struct weft__carrier *carrier);

/** Free what the runtime keeps for a task. Its owner calls it in `bury`. */
WEFT__SHARED void weft__task_release(struct weft__task *task);

/** For the hub: let ready tasks run until it is the hub's turn again. */
void weft__run_ready(struct weft__carrier *carrier);

/** For the hub: wake those whom other threads have woken, in that order. */
void weft__drain_remote(struct weft__carrier *carrier);

#endif
