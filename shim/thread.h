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

/** Task ids begin above every id the kernel hands out; futex words have room for 30 bits. */
#define WEFT__FIRST_TID 0x10000000
#define WEFT__LAST_TID 0x3fffffff

struct weft__thread {
	struct weft_task task; /* first: &thread->task is the thread */
	struct weft__link by_tid;
	int tid;
	uintptr_t clear_tid;   /* set_tid_address(2); 0: none */
	uintptr_t robust_list; /* set_robust_list(2); 0: none */
	uintptr_t stack;       /* its lowest address; 0 for the main thread */
	uintptr_t entry;       /* what pthread_create was given, for the statistics; or 0 */
	char name[16];         /* prctl(PR_SET_NAME) */

	struct weft__mask_group *mask; /* the signals it blocks */
	uint64_t mask_after;     /* what it goes back to when a call such as ppoll(2) is over */
	bool mask_swapped;       /* mask_after is valid */
	uint64_t waiting_for;    /* signals that end its sigwait(3), blocked or not; 0: none */
	uint64_t pending;        /* signals queued for this thread alone */
	struct weft__link queue; /* struct queued_signal of pending.c, oldest first */

	struct weft__link pi; /* its place among those who wait (call_futex_pi.c) */
	uintptr_t pi_word;    /* where it waits; 0: nowhere, or it was given the lock */
	uintptr_t pi_target;  /* FUTEX_WAIT_REQUEUE_PI: the lock it is to be moved to; or 0 */
	uint32_t pi_owner;    /* who held pi_word's lock when it was last looked at */

	uint64_t deadline_ns; /* of the call in progress, kept while it starts over */
	bool restarted;       /* the call in progress starts over: deadline_ns holds */
} __attribute__((aligned(64)));

/** The thread that called main(). */
extern struct weft__thread weft__main_thread;

/** The thread that runs. Context: a task. */
static inline struct weft__thread *weft__thread_here(void)
{
	return (struct weft__thread *)weft__current;
}

/** The thread with an id; NULL when there is none among the tasks. */
struct weft__thread *weft__thread_by_tid(long tid);

/** Whether an id has been a task's of this process. */
bool weft__tid_was_ours(long tid);

/** Any thread that does not block a signal: the main one, the running one, another; or NULL. */
struct weft__thread *weft__thread_admitting(int signal);

/** Call a function for each thread there is. It must not end any. */
void weft__thread_each(void (*act)(struct weft__thread *thread));

/** Make the record of the thread that runs, as the only task of a carrier. */
void weft__adopt_main(struct weft__carrier *carrier);

/** What the next thread to be made starts with (pthread_create's argument), 0 for unknown. */
extern uintptr_t weft__next_entry;

/** Where weft__current stands, relative to a thread pointer. */
intptr_t weft__current_offset(void);

/**
 * True while this thread is in pthread_create. glibc blocks all signals for a moment there: the
 * kernel is not told, and its mask is put right afterwards if need be.
 */
extern __thread bool weft__creating_thread;

/** While true, the next thread made becomes the carrier's hub and no task. */
extern bool weft__making_hub;

/**
 * When a call has to be over, kept while the call starts over after a signal.
 *
 * @param fresh_ns  the deadline if the call starts now; 0: none
 */
uint64_t weft__call_deadline(uint64_t fresh_ns);

#endif
