/*
 * The program's threads: what the kernel would keep of each, and weft keeps instead.
 */
#ifndef WEFT_THREAD_H
#define WEFT_THREAD_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "call.h"
#include "list.h"
#include "mask.h"
#include "schedule.h"

/**
 * Task ids begin above every id the kernel hands out. Futex words have room for 30 bits; numbers of
 * clocks for 28, and the ids to whose clocks the kernel's own numbers would belong stay out of use
 * (call_clock.c).
 */
#define WEFT__FIRST_TID 0x10000000
#define WEFT__LAST_TID 0x1fffff00

struct weft__thread {
	struct weft__task task;           /* first: &thread->task is the thread */
	struct weft__thread *next_by_tid; /* with the same place in the table of ids */
	struct weft__link fellows;        /* its place among those who block the same signals */
	int tid;
	bool is_copy; /* of the main thread (iterative.h): it has its id, and no place in tables */
	bool is_hub;  /* or will be, when libc has begun it as a thread: no task to switch */
	uintptr_t clear_tid;   /* set_tid_address(2); 0: none */
	uintptr_t rseq;        /* rseq(2): its area; 0: none */
	uintptr_t robust_list; /* set_robust_list(2); 0: none */
	uintptr_t stack;       /* its lowest address, the guard's */
	uintptr_t stack_top;
	uintptr_t entry; /* what pthread_create was given, for the statistics; or 0 */
	char name[16];   /* prctl(PR_SET_NAME) */

	uint64_t user_ns, system_ns; /* its processor time, as last told in two parts */
	struct weft__schedule schedule;

	struct weft__mask_group *mask; /* the signals it blocks */
	uint64_t mask_after;     /* what it goes back to when a call such as ppoll(2) is over */
	bool mask_swapped;       /* mask_after is valid */
	uint64_t waiting_for;    /* signals that end its sigwait(3), blocked or not; 0: none */
	struct weft__link waits; /* its place among those who wait so (weft__mask_wait_for()) */
	uint64_t pending;        /* signals queued for this thread alone */
	bool watches;            /* it looks at descriptors, maybe at a signalfd(2) */
	struct weft__link queue; /* struct queued_signal of pending.c, oldest first */
	stack_t altstack;        /* sigaltstack(2) */
	uintptr_t spare_stack;   /* where weft goes on when its own may be small; 0: none */
	uint64_t run;            /* the number of the run in which a tick found it (preempt.c) */

	struct weft__link pi; /* its place among those who wait (call_futex_pi.c) */
	uintptr_t pi_word;    /* where it waits; 0: nowhere, or it was given the lock */
	uintptr_t pi_target;  /* FUTEX_WAIT_REQUEUE_PI: the lock it is to be moved to; or 0 */
	uint32_t pi_owner;    /* who held pi_word's lock when it was last looked at */

	int moved_to;    /* where the descriptor of the call in progress is now; 0: at its place */
	long moved_from; /* its argument in the program; valid if it has moved */

	uint64_t deadline_ns; /* of the call in progress, kept while it starts over */
} __attribute__((aligned(64)));

/** The thread that called main(). */
extern struct weft__thread weft__main_thread;

/**
 * Whether the main thread's name, which the kernel keeps, may have changed. Valid while weft is
 * awake.
 */
extern bool weft__main_renamed;

/** The thread that runs. Context: a task. */
static inline struct weft__thread *weft__thread_here(void)
{
	return (struct weft__thread *)weft__current;
}

/** The thread with an id; NULL when there is none among the tasks. */
struct weft__thread *weft__thread_by_tid(long tid);

/** Each thread in turn, in no order: the first after NULL, NULL after the last. */
struct weft__thread *weft__thread_next(const struct weft__thread *thread);

/** Whether an id has been a task's of this process. */
bool weft__tid_was_ours(long tid);

/**
 * Any thread that does not block a signal, or waits for it: the main one, the running one, another; or
 * NULL. As many steps as there are different masks, and threads that wait for other signals.
 */
struct weft__thread *weft__thread_admitting(int signal);

/** Fill in a copy of a thread, that goes on inside of weft; and free what a record has of its own. */
void weft__thread_init_copy(struct weft__thread *copy, struct weft__thread *of);
void weft__thread_free_parts(struct weft__thread *thread);

/** The thread that runs is at its end: it has no id any more, and no say in signals. */
void weft__thread_leave(struct weft__thread *me);

/** Make the record of the thread that runs, as the only task of a carrier. */
void weft__adopt_main(struct weft__carrier *carrier);

/** What the next thread to be made starts with (pthread_create's argument), 0 for unknown. */
extern __thread uintptr_t weft__next_entry __attribute__((tls_model("initial-exec")));

/** Say who runs under a thread pointer, which is not the caller's. */
void weft__set_current(uintptr_t fs_base, struct weft__task *task);

/** Where weft__current stands, relative to a thread pointer. */
intptr_t weft__current_offset(void);

/**
 * True while this thread is in pthread_create. glibc blocks all signals for a moment there: the
 * kernel is not told, and its mask is put right afterwards if need be.
 */
extern __thread bool weft__creating_thread __attribute__((tls_model("initial-exec")));

/** While not NULL, the next thread made becomes this carrier's hub and no task. */
extern struct weft__carrier *weft__making_hub;

/**
 * When a call has to be over, kept while the call starts over after a signal.
 *
 * @param fresh_ns  the deadline if the call starts now; 0: none
 */
uint64_t weft__call_deadline(uint64_t fresh_ns);

#endif
