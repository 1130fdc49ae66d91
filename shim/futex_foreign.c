/*
 * Futexes of threads that are no tasks: weft's own, and those that a program made past libc.
 *
 * Their wakes must find parked tasks. Their waits are the kernel's, so from the first such wait
 * on, wakes go both ways. Their locks with priority inheritance cannot wait in the kernel, which
 * knows no task that they could wait for.
 */
#include <errno.h>
#include <linux/futex.h>
#include <time.h>

#include "futex.h"
#include "handlers.h"
#include "shim.h"
#include "thread.h"

/* How often a lock is looked at. */
#define LOOK_NS 1000000

bool weft__foreign_waiters;

/* A thread that is no task: it looks at the lock until it is free. */
static long foreign_lock(const struct weft__call *c, bool between, bool may_wait,
			 struct weft__until *until)
{
	const struct timespec pause = {0, LOOK_NS};
	uintptr_t word = (uintptr_t)c->arg[0];
	uint32_t me = (uint32_t)weft__raw(SYS_gettid), value;

	for (;;) {
		long err = weft__load(word, &value);
		uint32_t owner = value & FUTEX_TID_MASK;

		if (err != 0 || owner == me)
			return err != 0 ? err : -EDEADLK;
		if (between && owner < WEFT__FIRST_TID)
			return WEFT__PASS;
		if (owner == 0) {
			err = weft__futex_replace(word, value, (value & FUTEX_OWNER_DIED) | me);
			if (err == -EAGAIN)
				continue;
			return err;
		}
		if (!may_wait)
			return -EAGAIN;
		if (until->deadline_ns != 0 && weft__now_ns() >= until->deadline_ns &&
		    !weft__until_moved(until))
			return -ETIMEDOUT;
		weft__raw(SYS_nanosleep, &pause, NULL);
	}
}

static long foreign_pi(struct weft__call *c)
{
	long command = (int)c->arg[1] & FUTEX_CMD_MASK;
	uintptr_t word = (uintptr_t)c->arg[0];
	bool between = weft__futex_between(c, word);
	struct weft__until until;
	uint32_t value;
	long err = weft__futex_pi_check(c, command, &until);

	/* A child of fork is the kernel's, but for locks that its parent's tasks may hold. */
	if (weft__process.hub == NULL && !between)
		return WEFT__PASS;
	if (err != 0)
		return err;
	if (command != FUTEX_UNLOCK_PI)
		return foreign_lock(c, between, command != FUTEX_TRYLOCK_PI, &until);
	if (between)
		return WEFT__PASS;
	err = weft__load(word, &value);
	if (err == 0 && (value & FUTEX_TID_MASK) != (uint32_t)weft__raw(SYS_gettid))
		err = -EPERM;
	return err != 0 ? err : weft__futex_replace(word, value, 0);
}

long weft__foreign_futex(struct weft__call *c)
{
	long command = c->arg[1] & FUTEX_CMD_MASK;

	if (weft__process.hub == NULL && (command < FUTEX_LOCK_PI || command > FUTEX_TRYLOCK_PI) &&
	    command != FUTEX_LOCK_PI2)
		return WEFT__PASS;
	switch (command) {
	case FUTEX_WAKE:
	case FUTEX_WAKE_BITSET:
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
	case FUTEX_WAKE_OP:
		return on_futex(c);
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
	case FUTEX_TRYLOCK_PI:
	case FUTEX_UNLOCK_PI:
		return weft__hub_of == NULL ? foreign_pi(c) : WEFT__PASS;
	default:
		if (weft__hub_of == NULL)
			__atomic_store_n(&weft__foreign_waiters, true, __ATOMIC_RELAXED);
		return WEFT__PASS;
	}
}
