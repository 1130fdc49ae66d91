/*
 * futex(2).
 *
 * A futex of this process alone waits in the parking lot. One that other processes may wait on,
 * a word in a shared mapping, waits in the kernel, by way of an offload thread; wakes of it go to
 * the kernel, where the offload threads of all processes are.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <time.h>

#include "denied.h"
#include "parking.h"
#include "futex.h"
#include "handlers.h"
#include "sharing.h"
#include "shim.h"
#include "thread.h"
#include "times.h"

/* The end of what a program may map, with four levels of page tables (x86-64, TASK_SIZE_MAX). */
#define USER_END 0x7ffffffff000U

static bool is_private(const struct weft__call *c)
{
	return (c->arg[1] & FUTEX_PRIVATE_FLAG) != 0;
}

/* Whether a wait is pthread_join's, which is without the private flag: for a task to end. */
static bool is_join(const struct weft__call *c)
{
	const struct weft__thread *thread = weft__thread_by_tid((uint32_t)c->arg[2]);

	return thread != NULL && thread->clear_tid == (uintptr_t)c->arg[0];
}

bool weft__futex_between(const struct weft__call *c, uintptr_t word)
{
	return !is_private(c) && weft__is_shared(word);
}

/*
 * Whether a wait is for the end of a thread that is no task, or of a process that shares memory:
 * the kernel clears the word then, and wakes who waits in the kernel (set_tid_address(2)).
 */
static bool is_foreign_join(uint32_t value)
{
	if (value == (uint32_t)weft__main_thread.tid || (int)value <= 0)
		return false;
	if (weft__denied[SYS_kill] || weft__denied[SYS_tgkill] || weft__denied[SYS_getpid])
		return false;
	if (__atomic_load_n(&weft__foreign_waiters, __ATOMIC_RELAXED))
		return weft__raw(SYS_kill, value, 0) == 0;
	return weft__raw(SYS_tgkill, weft__raw(SYS_getpid), value, 0) == 0;
}

/* To move nobody nowhere asks for the words alone. */
long weft__futex_check(uintptr_t first, uintptr_t second, bool private)
{
	if (weft__likely(private && ((first | second) & 3) == 0 && first < USER_END &&
			 second < USER_END))
		return 0;
	return weft__raw(SYS_futex, first, FUTEX_REQUEUE | (private ? FUTEX_PRIVATE_FLAG : 0), 0, 0,
			 second);
}

/* The monotonic time at which the other clock will show a time, if nobody sets it meanwhile. */
static uint64_t translate(uint64_t realtime_ns)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return realtime_ns > weft__to_ns(&now) ? weft__now_ns() + (realtime_ns - weft__to_ns(&now))
					       : 1;
}

long weft__until_point(const struct timespec *from, bool realtime, struct weft__until *until)
{
	struct timespec time;
	long err;

	*until = (struct weft__until){.deadline_ns = 0};
	if (from == NULL)
		return 0;
	err = weft__read_time(from, &time);
	if (err != 0)
		return err;
	until->deadline_ns = weft__to_ns(&time);
	if (realtime) {
		until->realtime_ns = until->deadline_ns;
		until->deadline_ns = translate(until->realtime_ns);
	}
	if (until->deadline_ns == 0)
		until->deadline_ns = 1;
	return 0;
}

bool weft__until_moved(struct weft__until *until)
{
	if (until->realtime_ns == 0)
		return false;
	until->deadline_ns = translate(until->realtime_ns);
	return until->deadline_ns != 1;
}

/* When a wait ends. */
static long read_until(const struct weft__call *c, struct weft__until *until)
{
	const struct timespec *from = (const struct timespec *)c->arg[3];

	*until = (struct weft__until){.deadline_ns = 0};
	if (weft__likely(from == NULL))
		return 0;
	if ((c->arg[1] & FUTEX_CMD_MASK) == FUTEX_WAIT)
		return weft__deadline_after(from, &until->deadline_ns);
	return weft__until_point(from, (c->arg[1] & FUTEX_CLOCK_REALTIME) != 0, until);
}

long weft__futex_wait(uintptr_t word, uint32_t expected, uint32_t bitset, bool between,
		      struct weft__until *until)
{
	long result;

	if (weft__unlikely(between)) {
		weft__count_park(SYS_futex);
		return weft__futex_wait_between(word, expected, bitset, until);
	}
	result = weft__lot_wait(word, expected, bitset, until->deadline_ns, weft__load);
	if (result != -EAGAIN)
		weft__count_park(SYS_futex);
	while (weft__unlikely(result == -ETIMEDOUT) && weft__until_moved(until)) {
		result = weft__lot_wait(word, expected, bitset, until->deadline_ns, weft__load);
		if (result == -EAGAIN)
			result = 0; /* it has changed since the wait began */
	}
	return result;
}

/* A wait that may be for a word of other processes, or for the end of a thread that is no task. */
static long wait_shared(const struct weft__call *c, uint32_t bitset, struct weft__until *until)
{
	uintptr_t word = (uintptr_t)c->arg[0];
	uint32_t value;
	long err = weft__futex_check(word, word, false);

	if (err == 0)
		err = weft__load(word, &value);
	if (err != 0)
		return err;
	if (value != (uint32_t)c->arg[2])
		return -EAGAIN;
	return weft__futex_wait(word, value, bitset,
				weft__futex_between(c, word) || is_foreign_join(value), until);
}

static long wait(const struct weft__call *c, uint32_t bitset)
{
	uintptr_t word = (uintptr_t)c->arg[0];
	struct weft__until until;
	long err = read_until(c, &until);

	if (err != 0)
		return err;
	if ((c->arg[1] & (FUTEX_CMD_MASK | FUTEX_CLOCK_REALTIME)) ==
	    (FUTEX_WAIT | FUTEX_CLOCK_REALTIME))
		return -ENOSYS;
	if (bitset == 0)
		return -EINVAL;
	if (weft__unlikely(!is_private(c) && !is_join(c)))
		return wait_shared(c, bitset, &until);
	err = weft__futex_check(word, word, true);
	return err != 0 ? err : weft__futex_wait(word, (uint32_t)c->arg[2], bitset, false, &until);
}

long weft__futex_wake_both(uintptr_t word, long most, uint32_t bitset, bool private)
{
	long woken, more;

	if (most < 1)
		most = 1; /* as the kernel does: it looks whether it has woken enough afterwards */
	if (weft__unlikely(weft__pi_waiting != 0) && weft__pi_waits(word))
		return -EINVAL;
	woken = weft__lot_wake(word, most, bitset);
	if (woken >= most ||
	    (private && !__atomic_load_n(&weft__foreign_waiters, __ATOMIC_RELAXED)))
		return woken;
	more = weft__raw(SYS_futex, word, FUTEX_WAKE_BITSET | (private ? FUTEX_PRIVATE_FLAG : 0),
			 most - woken, 0, 0, bitset);
	return more > 0 ? woken + more : woken;
}

static inline long wake(const struct weft__call *c, uint32_t bitset)
{
	uintptr_t word = (uintptr_t)c->arg[0];
	long err;

	if (bitset == 0)
		return -EINVAL;
	err = weft__futex_check(word, word, is_private(c));
	return err != 0 ? err : weft__futex_wake_both(word, (int)c->arg[2], bitset, is_private(c));
}

static long wake_and_settle(const struct weft__call *c, uint32_t bitset)
{
	long woken = wake(c, bitset);

	if (woken > 0 && weft__current != NULL) {
		weft__settle();
		weft__spend(1); /* here is a better place to stop than where it holds the lock */
	}
	return woken;
}

void weft__futex_wake(uintptr_t word, int most)
{
	if ((word & 3) == 0)
		weft__futex_wake_both(word, most, FUTEX_BITSET_MATCH_ANY, false);
}

long weft__futex_waiters(uintptr_t word)
{
	long moved = 0;

	weft__lot_requeue(word, 0, word, INT_MAX, NULL, weft__load, &moved);
	return moved;
}

long weft__futex_requeue_both(uintptr_t from, uintptr_t to, long wake, long move,
			      const uint32_t *expected)
{
	long moved = 0, woken, more;

	if (weft__unlikely(weft__pi_waiting != 0) && weft__pi_waits(from))
		return -EINVAL;
	woken = weft__lot_requeue(from, wake, to, move, expected, weft__load, &moved);
	if (woken < 0 || !__atomic_load_n(&weft__foreign_waiters, __ATOMIC_RELAXED))
		return woken < 0 ? woken : woken + moved;
	more = weft__raw(SYS_futex, from, FUTEX_REQUEUE_PRIVATE, wake - woken, move - moved, to);
	return woken + moved + (more > 0 ? more : 0);
}

static long requeue(const struct weft__call *c, bool compare)
{
	uintptr_t from = (uintptr_t)c->arg[0], to = (uintptr_t)c->arg[4];
	uint32_t expected = (uint32_t)c->arg[5];
	long wake = (int)c->arg[2], move = (int)c->arg[3], err;

	if (wake < 0 || move < 0)
		return -EINVAL;
	err = weft__futex_check(from, to, is_private(c));
	if (err != 0)
		return err;
	if (weft__futex_between(c, from))
		return WEFT__PASS; /* it does not wait */
	return weft__futex_requeue_both(from, to, wake, move, compare ? &expected : NULL);
}

/* FUTEX_WAKE_OP's second half: op, cmp, oparg and cmparg in one word (futex(2)). */
static long apply_op(uintptr_t word, uint32_t encoded, bool *wake_second)
{
	uint32_t op = encoded >> 28 & 7, cmp = encoded >> 24 & 15, value, found, next;
	int32_t arg = (int32_t)(encoded << 8) >> 20, cmp_arg = (int32_t)(encoded << 20) >> 20;

	if ((encoded >> 28 & FUTEX_OP_OPARG_SHIFT) != 0)
		arg = (int32_t)(1U << (arg & 31));
	if (op > FUTEX_OP_XOR)
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
	return cmp > FUTEX_OP_CMP_GE ? -ENOSYS : 0; /* too late, but so does the kernel */
}

static long wake_op(const struct weft__call *c)
{
	uintptr_t first = (uintptr_t)c->arg[0], second = (uintptr_t)c->arg[4];
	long err = weft__futex_check(first, second, is_private(c)), woken, more;
	bool wake_second = false;

	if (err == 0)
		err = apply_op(second, (uint32_t)c->arg[5], &wake_second);
	if (err != 0)
		return err;
	woken = weft__futex_wake_both(first, (int)c->arg[2], FUTEX_BITSET_MATCH_ANY, is_private(c));
	if (woken < 0 || !wake_second)
		return woken;
	more = weft__futex_wake_both(second, (int)c->arg[3], FUTEX_BITSET_MATCH_ANY, is_private(c));
	return more < 0 ? more : woken + more;
}

bool weft__futex_always_restarts(const struct weft__call *c)
{
	long command = c->arg[1] & FUTEX_CMD_MASK;

	return command == FUTEX_LOCK_PI || command == FUTEX_LOCK_PI2 ||
	       command == FUTEX_WAIT_REQUEUE_PI;
}

/* A wait with an end is not begun anew: the kernel would do so only where no handler has run. */
bool weft__futex_restarts(const struct weft__call *c)
{
	long command = c->arg[1] & FUTEX_CMD_MASK;

	return c->arg[3] == 0 || (command != FUTEX_WAIT && command != FUTEX_WAIT_BITSET);
}

/* Those that are not the daily bread of locks and conditions. */
static __attribute__((noinline)) long rare_futex(struct weft__call *c, long command)
{
	bool realtime = (c->arg[1] & FUTEX_CLOCK_REALTIME) != 0;

	switch (command) {
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
	case FUTEX_TRYLOCK_PI:
	case FUTEX_UNLOCK_PI:
	case FUTEX_WAIT_REQUEUE_PI:
	case FUTEX_CMP_REQUEUE_PI:
		return weft__futex_pi(c);
	case FUTEX_WAKE_BITSET:
		return realtime ? -ENOSYS : wake_and_settle(c, (uint32_t)c->arg[5]);
	case FUTEX_REQUEUE:
		return realtime ? -ENOSYS : requeue(c, false);
	case FUTEX_CMP_REQUEUE:
		return realtime ? -ENOSYS : requeue(c, true);
	case FUTEX_WAKE_OP:
		return realtime ? -ENOSYS : wake_op(c);
	default:
		return -ENOSYS;
	}
}

long on_futex(struct weft__call *c)
{
	long command = (int)c->arg[1] & FUTEX_CMD_MASK;

	if (command == FUTEX_WAKE)
		return (c->arg[1] & FUTEX_CLOCK_REALTIME) != 0
			       ? -ENOSYS
			       : wake_and_settle(c, FUTEX_BITSET_MATCH_ANY);
	if (command == FUTEX_WAIT)
		return wait(c, FUTEX_BITSET_MATCH_ANY);
	if (command == FUTEX_WAIT_BITSET)
		return wait(c, (uint32_t)c->arg[5]);
	return rare_futex(c, command);
}
