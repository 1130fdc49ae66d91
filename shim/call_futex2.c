/*
 * The younger calls: futex_waitv (Linux 5.16), futex_wake, futex_wait and futex_requeue (6.7).
 *
 * What may be wrong with their arguments the kernel says: each is asked first for what does not
 * wait and wakes nobody.
 */
#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <time.h>

#include "futex.h"
#include "handlers.h"
#include "offload.h"
#include "parking.h"
#include "shim.h"
#include "thread.h"

static const struct timespec long_ago = {0, 1};

/* Whether weft knows what a word's flags mean: 32 bits, private or not. */
static bool is_known(long flags)
{
	return ((unsigned int)flags & ~(unsigned int)FUTEX_PRIVATE_FLAG) == FUTEX_32;
}

/* As a call of futex(2), for what is told by its flags. */
static struct weft__call as_futex(uintptr_t word, long flags)
{
	return (struct weft__call){.nr = SYS_futex,
				   .arg = {(long)word, flags & FUTEX_PRIVATE_FLAG}};
}

/* The point in time of futex_wait and futex_waitv. */
static long read_until(const struct timespec *from, long clock, struct weft__until *until)
{
	if (from != NULL && clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC)
		return -EINVAL;
	return weft__until_point(from, clock == CLOCK_REALTIME, until);
}

/* long futex_wake(void *word, unsigned long mask, int nr, unsigned int flags) */
long on_futex_wake(struct weft__call *c)
{
	long result = weft__raw(c->nr, c->arg[0], c->arg[1], 0, c->arg[3]);

	if (result != 0 || (int)c->arg[2] <= 0 || !is_known(c->arg[3]))
		return result != 0 ? result : WEFT__PASS;
	return weft__futex_wake_both((uintptr_t)c->arg[0], (int)c->arg[2], (uint32_t)c->arg[1],
				     (c->arg[3] & FUTEX_PRIVATE_FLAG) != 0);
}

/* long futex_wait(void *, unsigned long val, unsigned long mask, unsigned int, timespec *, clock) */
long on_futex_wait(struct weft__call *c)
{
	uintptr_t word = (uintptr_t)c->arg[0];
	struct weft__call plain = as_futex(word, c->arg[3]);
	struct weft__until until;
	long result;

	if (read_until((void *)c->arg[4], (int)c->arg[5], &until) != 0)
		return WEFT__PASS; /* it fails, one way or the other */
	result =
		weft__raw(c->nr, word, c->arg[1], c->arg[2], c->arg[3], &long_ago, CLOCK_MONOTONIC);
	if (result != -ETIMEDOUT)
		return result;
	if (!is_known(c->arg[3]))
		return weft__blocks(c);
	return weft__futex_wait(word, (uint32_t)c->arg[1], (uint32_t)c->arg[2],
				weft__futex_between(&plain, word), &until);
}

/* long futex_requeue(struct futex_waitv *two, unsigned int flags, int nr_wake, int nr_requeue) */
long on_futex_requeue(struct weft__call *c)
{
	long result = weft__raw(c->nr, c->arg[0], c->arg[1], 0, 0);
	struct futex_waitv two[2];
	struct weft__call plain;
	uint32_t expected;

	if (result != 0 || (int)c->arg[2] < 0 || (int)c->arg[3] < 0)
		return result != 0 ? result : -EINVAL;
	if (weft__copy(two, (void *)c->arg[0], sizeof(two)) != 0)
		return -EFAULT;
	plain = as_futex((uintptr_t)two[0].uaddr, two[0].flags);
	if (!is_known(two[0].flags) || !is_known(two[1].flags) ||
	    weft__futex_between(&plain, (uintptr_t)two[0].uaddr))
		return WEFT__PASS;
	expected = (uint32_t)two[0].val;
	return weft__futex_requeue_both((uintptr_t)two[0].uaddr, (uintptr_t)two[1].uaddr,
					(int)c->arg[2], (int)c->arg[3], &expected);
}

/*
 * long futex_waitv(struct futex_waitv *words, unsigned int n, unsigned int flags, timespec *, clock)
 *
 * A task has one place in the parking lot, so it waits for several words in the kernel, and wakes
 * go there too from then on.
 */
long on_futex_waitv(struct weft__call *c)
{
	struct weft__job job = {.nr = c->nr, .data_arg = -1};
	struct weft__until until;
	long result;

	if (read_until((void *)c->arg[3], (int)c->arg[4], &until) != 0)
		return WEFT__PASS; /* it fails, one way or the other */
	__atomic_store_n(&weft__foreign_waiters, true, __ATOMIC_RELAXED);
	result = weft__raw(c->nr, c->arg[0], c->arg[1], c->arg[2], &long_ago, CLOCK_MONOTONIC);
	if (result != -ETIMEDOUT)
		return result;
	memcpy(job.arg, c->arg, sizeof(job.arg));
	weft__count_park(c->nr);
	return weft__offload_call(&job) != 0 ? weft__blocks(c) : job.result;
}
