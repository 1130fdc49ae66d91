/*
 * futex(2).
 *
 * A futex of this process alone waits in the parking lot. One that other processes may wait on,
 * a word in a shared mapping, waits in the kernel, by way of an offload thread; wakes of it go to
 * the kernel, where the offload threads of all processes are.
 *
 * Threads that are no tasks come here as well (weft__foreign_futex): their wakes must find parked
 * tasks. Their waits are the kernel's, so from the first such wait on, wakes go both ways.
 */
#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <time.h>

#include "offload.h"
#include "parking.h"
#include "futex.h"
#include "handlers.h"
#include "sharing.h"
#include "shim.h"
#include "thread.h"
#include "times.h"

/* Whether any thread that is no task may wait in the kernel on a private futex. */
static bool foreign_waiters;

/* Whether a call is about a word that other processes may share. */
static bool between_processes(const struct weft__call *c)
{
	/* pthread_join waits for a thread id without the private flag; nobody shares a task's. */
	if ((c->arg[1] & FUTEX_PRIVATE_FLAG) != 0 ||
	    (c->arg[2] >= WEFT__FIRST_TID && c->arg[2] <= WEFT__LAST_TID))
		return false;
	return weft__is_shared((uintptr_t)c->arg[0]);
}

/* When a wait until a point in time ends: 0 for never. */
static long absolute_deadline(const struct weft__call *c, bool realtime, uint64_t *deadline_ns)
{
	struct timespec time, now;
	uint64_t ns;
	long err;

	*deadline_ns = 0;
	if (c->arg[3] == 0)
		return 0;
	err = weft__read_time((void *)c->arg[3], &time);
	if (err != 0)
		return err;
	ns = weft__to_ns(&time);
	if (realtime) {
		clock_gettime(CLOCK_REALTIME, &now);
		ns = ns > weft__to_ns(&now) ? weft__now_ns() + (ns - weft__to_ns(&now)) : 1;
	}
	*deadline_ns = ns == 0 ? 1 : ns;
	return 0;
}

static long wait_deadline(const struct weft__call *c, uint64_t *deadline_ns)
{
	if ((c->arg[1] & FUTEX_CMD_MASK) == FUTEX_WAIT && c->arg[3] != 0)
		return weft__deadline_after((void *)c->arg[3], deadline_ns);
	return absolute_deadline(c, (c->arg[1] & FUTEX_CLOCK_REALTIME) != 0, deadline_ns);
}

/* A wait in the kernel on behalf of a task. */
static long wait_between(const struct weft__call *c, uint32_t bitset, uint64_t deadline_ns)
{
	struct weft__job job = {.nr = SYS_futex,
				.arg = {c->arg[0], FUTEX_WAIT_BITSET, c->arg[2], 0, 0, bitset},
				.data_arg = -1};
	struct timespec deadline = {(time_t)(deadline_ns / 1000000000U),
				    (long)(deadline_ns % 1000000000U)};
	long result;

	if (deadline_ns != 0) {
		memcpy(job.data, &deadline, sizeof(deadline));
		job.data_arg = 3;
	}
	result = weft__offload(&job);
	return result == -ENOMEM ? weft__blocks(c) : result;
}

static long wait(struct weft__call *c, uint32_t bitset)
{
	uint64_t deadline_ns;
	uint32_t value;
	long err;

	if (bitset == 0 || (c->arg[0] & 3) != 0)
		return -EINVAL;
	err = wait_deadline(c, &deadline_ns);
	if (err == 0)
		err = weft__load((uintptr_t)c->arg[0], &value);
	if (err != 0)
		return err;
	if (value != (uint32_t)c->arg[2])
		return -EAGAIN;
	weft__counts.parks[SYS_futex]++;
	if (between_processes(c))
		return wait_between(c, bitset, deadline_ns);
	return weft__lot_wait((uintptr_t)c->arg[0], (uint32_t)c->arg[2], bitset, deadline_ns,
			      weft__load);
}

/* Wake in the kernel as well, when somebody may wait there. */
static long wake_kernel_too(const struct weft__call *c, long woken, long most)
{
	long more;

	if (woken >= most || ((c->arg[1] & FUTEX_PRIVATE_FLAG) != 0 &&
			      !__atomic_load_n(&foreign_waiters, __ATOMIC_RELAXED)))
		return woken;
	more = weft__raw(SYS_futex, c->arg[0], c->arg[1], most - woken, c->arg[3], c->arg[4],
			 c->arg[5]);
	return more > 0 ? woken + more : woken;
}

static long wake(const struct weft__call *c, uint32_t bitset)
{
	long most = (int)c->arg[2];
	uint32_t value;

	if (bitset == 0 || (c->arg[0] & 3) != 0)
		return -EINVAL;
	/* The kernel looks for the word only when it is shared. */
	if ((c->arg[1] & FUTEX_PRIVATE_FLAG) == 0 && weft__load((uintptr_t)c->arg[0], &value) != 0)
		return -EFAULT;
	if (most < 1)
		most = 1; /* as the kernel does: it looks whether it has woken enough afterwards */
	return wake_kernel_too(c, weft__lot_wake((uintptr_t)c->arg[0], most, bitset), most);
}

static long wake_and_settle(const struct weft__call *c, uint32_t bitset)
{
	long woken = wake(c, bitset);

	if (woken > 0 && weft__current != NULL)
		weft__settle();
	return woken;
}

void weft__futex_wake(uintptr_t word, int most)
{
	struct weft__call c = {.nr = SYS_futex, .arg = {(long)word, FUTEX_WAKE, most}};

	wake(&c, FUTEX_BITSET_MATCH_ANY);
}

static long requeue(const struct weft__call *c, bool compare)
{
	uint32_t expected = (uint32_t)c->arg[5];
	long wake = (int)c->arg[2], move = (int)c->arg[3], moved = 0, woken;

	if (wake < 0 || move < 0 || (c->arg[0] & 3) != 0 || (c->arg[4] & 3) != 0)
		return -EINVAL;
	if (between_processes(c))
		return WEFT__PASS; /* it does not wait */
	woken = weft__lot_requeue((uintptr_t)c->arg[0], wake, (uintptr_t)c->arg[4], move,
				  compare ? &expected : NULL, weft__load, &moved);
	if (woken < 0)
		return woken;
	if (woken < wake)
		woken = wake_kernel_too(c, woken, wake);
	return woken + moved;
}

/* FUTEX_WAKE_OP's second half: op, cmp, oparg and cmparg in one word (futex(2)). */
static long apply_op(uintptr_t word, uint32_t encoded, bool *wake_second)
{
	uint32_t op = encoded >> 28 & 7, cmp = encoded >> 24 & 15, value, found, next;
	int32_t arg = (int32_t)(encoded << 8) >> 20, cmp_arg = (int32_t)(encoded << 20) >> 20;

	if ((encoded >> 28 & FUTEX_OP_OPARG_SHIFT) != 0)
		arg = (int32_t)(1U << (arg & 31));
	if (op > FUTEX_OP_XOR || cmp > FUTEX_OP_CMP_GE)
		return -ENOSYS;
	if (weft__load(word, &value) != 0)
		return -EFAULT;
	for (;;) {
		next = op == FUTEX_OP_SET    ? (uint32_t)arg
		       : op == FUTEX_OP_ADD  ? value + (uint32_t)arg
		       : op == FUTEX_OP_OR   ? value | (uint32_t)arg
		       : op == FUTEX_OP_ANDN ? value & ~(uint32_t)arg
					     : value ^ (uint32_t)arg;
		if (weft__exchange(word, value, next, &found) != 0)
			return -EFAULT;
		if (found == value)
			break;
		value = found;
	}
	*wake_second = cmp == FUTEX_OP_CMP_EQ   ? (int32_t)value == cmp_arg
		       : cmp == FUTEX_OP_CMP_NE ? (int32_t)value != cmp_arg
		       : cmp == FUTEX_OP_CMP_LT ? (int32_t)value < cmp_arg
		       : cmp == FUTEX_OP_CMP_LE ? (int32_t)value <= cmp_arg
		       : cmp == FUTEX_OP_CMP_GT ? (int32_t)value > cmp_arg
						: (int32_t)value >= cmp_arg;
	return 0;
}

static long wake_op(const struct weft__call *c)
{
	struct weft__call second = *c;
	bool wake_second = false;
	long err, woken;

	if ((c->arg[0] & 3) != 0 || (c->arg[4] & 3) != 0)
		return -EINVAL;
	err = apply_op((uintptr_t)c->arg[4], (uint32_t)c->arg[5], &wake_second);
	if (err != 0)
		return err;
	second.arg[1] = FUTEX_WAKE | (c->arg[1] & FUTEX_PRIVATE_FLAG);
	woken = wake(&second, FUTEX_BITSET_MATCH_ANY);
	if (woken >= 0 && wake_second) {
		second.arg[0] = c->arg[4];
		second.arg[2] = c->arg[3];
		woken += wake(&second, FUTEX_BITSET_MATCH_ANY);
	}
	return woken;
}

/*
 * Priority inheritance, for tasks of one carrier: there is nothing to inherit, but the protocol is
 * the kernel's to keep. The word holds the owner's id, so that only it may unlock.
 */
static long lock_pi(struct weft__call *c, bool may_wait, bool realtime)
{
	const struct weft__thread *me = weft__thread_here();
	uintptr_t word = (uintptr_t)c->arg[0];
	uint32_t value, found, waiters = 0;
	uint64_t deadline_ns = 0;
	long err = may_wait ? absolute_deadline(c, realtime, &deadline_ns) : 0;

	while (err == 0 && (err = weft__load(word, &value)) == 0) {
		uint32_t owner = value & FUTEX_TID_MASK, next = value | FUTEX_WAITERS;

		if (owner == (uint32_t)me->tid)
			return -EDEADLK;
		if (owner != 0 && !may_wait)
			return -EAGAIN;
		if (owner != 0 && weft__thread_by_tid(owner) == NULL)
			return -ESRCH;
		if (owner == 0)
			next = value | (uint32_t)me->tid | waiters;
		err = weft__exchange(word, value, next, &found);
		if (err != 0 || found != value)
			continue;
		if (owner == 0)
			return 0;
		weft__counts.parks[SYS_futex]++;
		waiters = FUTEX_WAITERS; /* there may be others behind this one */
		err = weft__lot_wait(word, next, FUTEX_BITSET_MATCH_ANY, deadline_ns, weft__load);
		if (err == -EAGAIN)
			err = 0;
	}
	return err;
}

static long unlock_pi(const struct weft__call *c)
{
	uintptr_t word = (uintptr_t)c->arg[0];
	uint32_t value, found;
	long err = weft__load(word, &value);

	while (err == 0) {
		if ((value & FUTEX_TID_MASK) != (uint32_t)weft__thread_here()->tid)
			return -EPERM;
		err = weft__exchange(word, value, 0, &found);
		if (err == 0 && found == value)
			return weft__lot_wake(word, 1, FUTEX_BITSET_MATCH_ANY) < 0;
		value = found;
	}
	return err;
}

static long on_futex_pi(struct weft__call *c, long command)
{
	if ((c->arg[0] & 3) != 0)
		return -EINVAL;
	if (between_processes(c))
		return weft__blocks(c);
	switch (command) {
	case FUTEX_LOCK_PI:
		return lock_pi(c, true, true);
	case FUTEX_LOCK_PI2:
		return lock_pi(c, true, (c->arg[1] & FUTEX_CLOCK_REALTIME) != 0);
	case FUTEX_TRYLOCK_PI:
		return lock_pi(c, false, false);
	default:
		return unlock_pi(c);
	}
}

bool weft__futex_always_restarts(const struct weft__call *c)
{
	long command = c->arg[1] & FUTEX_CMD_MASK;

	return command == FUTEX_LOCK_PI || command == FUTEX_LOCK_PI2;
}

long on_futex(struct weft__call *c)
{
	long command = c->arg[1] & FUTEX_CMD_MASK;

	if ((c->arg[1] & FUTEX_CLOCK_REALTIME) != 0 && command != FUTEX_WAIT_BITSET &&
	    command != FUTEX_LOCK_PI2)
		return -ENOSYS;
	switch (command) {
	case FUTEX_WAIT:
		return wait(c, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAIT_BITSET:
		return wait(c, (uint32_t)c->arg[5]);
	case FUTEX_WAKE:
		return wake_and_settle(c, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAKE_BITSET:
		return wake_and_settle(c, (uint32_t)c->arg[5]);
	case FUTEX_REQUEUE:
		return requeue(c, false);
	case FUTEX_CMP_REQUEUE:
		return requeue(c, true);
	case FUTEX_WAKE_OP:
		return wake_op(c);
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
	case FUTEX_TRYLOCK_PI:
	case FUTEX_UNLOCK_PI:
		return on_futex_pi(c, command);
	default:
		return weft__blocks(c);
	}
}

long weft__foreign_futex(struct weft__call *c)
{
	switch (c->arg[1] & FUTEX_CMD_MASK) {
	case FUTEX_WAKE:
	case FUTEX_WAKE_BITSET:
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
	case FUTEX_WAKE_OP:
		return weft__process.hub == NULL ? WEFT__PASS : on_futex(c);
	default:
		if (weft__hub_of == NULL)
			__atomic_store_n(&foreign_waiters, true, __ATOMIC_RELAXED);
		return WEFT__PASS;
	}
}
