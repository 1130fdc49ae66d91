/* What others need of call_futex.c, and what the files about futexes need of each other. */
#ifndef WEFT_FUTEX_H
#define WEFT_FUTEX_H

#include <stdbool.h>
#include <time.h>

#include "call.h"

struct weft__thread;

/** When a wait is to end. */
struct weft__until {
	uint64_t deadline_ns; /* CLOCK_MONOTONIC; 0: never */
	uint64_t realtime_ns; /* CLOCK_REALTIME, when it is that clock's; else 0 */
};

/** Wake waiters of a word, wherever they are, as FUTEX_WAKE does. */
void weft__futex_wake(uintptr_t word, int most);

/** Whether a call goes on after any signal's handler, SA_RESTART or not. */
bool weft__futex_always_restarts(const struct weft__call *c);

/** Whether a call goes on after the handler of a signal with SA_RESTART. */
bool weft__futex_restarts(const struct weft__call *c);

/** Whether a thread that is no task may wait in the kernel on a private futex. */
extern bool weft__foreign_waiters;

/** Whether a call is about a word that other processes may share. */
bool weft__futex_between(const struct weft__call *c, uintptr_t word);

/** Whether two words can be futexes at all: 0, -EINVAL or -EFAULT, as the kernel finds them. */
long weft__futex_check(uintptr_t first, uintptr_t second, bool private);

/** Read the point in time at which a wait is to end; NULL is never. 0, -EFAULT or -EINVAL. */
long weft__until_point(const struct timespec *from, bool realtime, struct weft__until *until);

/** Whether a deadline that has passed lies ahead again, since the clock was set back. */
bool weft__until_moved(struct weft__until *until);

/**
 * Wait for a word in the parking lot or, when processes share it, in the kernel.
 *
 * @return 0 when woken, or -EAGAIN the word differs, -ETIMEDOUT, -EINTR, -EFAULT
 */
long weft__futex_wait(uintptr_t word, uint32_t expected, uint32_t bitset, bool between,
		      struct weft__until *until);

/** The wait of a task in the kernel, by an offload thread (futex_kernel.c). */
long weft__futex_wait_between(uintptr_t word, uint32_t expected, uint32_t bitset,
			      const struct weft__until *until);

/** Wake at most `most` in the lot, and in the kernel when somebody may wait there. */
long weft__futex_wake_both(uintptr_t word, long most, uint32_t bitset, bool private);

/** FUTEX_CMP_REQUEUE of a private word in the lot, and in the kernel when somebody may wait there. */
long weft__futex_requeue_both(uintptr_t from, uintptr_t to, long wake, long move,
			      const uint32_t *expected);

/** How many wait for a word in the lot. */
long weft__futex_waiters(uintptr_t word);

/** How many threads wait for words under priority inheritance. */
extern unsigned int weft__pi_waiting;

/** Whether anybody waits for a word in a way that FUTEX_WAKE and FUTEX_REQUEUE do not know. */
bool weft__pi_waits(uintptr_t word);

/** The operations with priority inheritance (call_futex_pi.c). */
weft__handler weft__futex_pi;

/** What is wrong with such a call, in the kernel's order, and its deadline. */
long weft__futex_pi_check(const struct weft__call *c, long command, struct weft__until *until);

/** Replace a word: 0, -EFAULT, or -EAGAIN when it is no longer what it was. */
long weft__futex_replace(uintptr_t word, uint32_t value, uint32_t next);

/** Give the locks of a thread that dies to those who wait for them. */
void weft__pi_exit(const struct weft__thread *dead);

/** Forget all who wait: for a child after fork(2), where none of them is. */
void weft__pi_clear(void);

#endif
