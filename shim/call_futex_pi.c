/*
 * Futexes with priority inheritance.
 *
 * Tasks of one carrier have nothing to inherit, but the protocol is the kernel's to keep: the word
 * holds the owner's id, a lock goes from hand to hand in the order of arrival, and who dies with
 * one leaves it to the next.
 *
 *   queues[hash(word)] -> threads in the order of arrival; pi_word says for what each waits.
 *   pi_target != 0: it waits at a condition, to be moved to that lock (FUTEX_WAIT_REQUEUE_PI).
 *
 * Only tasks queue, behind an owner that is a task, in memory of this process alone. A lock that
 * is or may be another's (a process's, a thread's that is no task) is looked at again and again:
 * the kernel cannot make a task its owner, nor make it wait for one.
 */
#include <errno.h>
#include <linux/futex.h>
#include <time.h>

#include "futex.h"
#include "shim.h"
#include "thread.h"

#define QUEUES 64

/* How often a lock that is not a task's is looked at. */
#define FIRST_LOOK_NS 50000U
#define LAST_LOOK_NS 1600000U

unsigned int weft__pi_waiting;

static struct weft__link queues[QUEUES];

static struct weft__link *queue_of(uintptr_t word)
{
	struct weft__link *queue = &queues[(uint32_t)(word >> 2) * 2654435769U >> 26];

	if (queue->next == NULL)
		weft__list_init(queue);
	return queue;
}

static struct weft__thread *thread_of(struct weft__link *link)
{
	return weft__container(link, struct weft__thread, pi);
}

/* The first who waits for a word, to be moved or not; after another one, or NULL for the first. */
static struct weft__thread *waiter(uintptr_t word, struct weft__thread *after)
{
	struct weft__link *queue = queue_of(word), *link = after != NULL ? &after->pi : queue;

	while ((link = link->next) != queue)
		if (thread_of(link)->pi_word == word)
			return thread_of(link);
	return NULL;
}

bool weft__pi_waits(uintptr_t word)
{
	return waiter(word, NULL) != NULL;
}

static void enqueue(struct weft__thread *thread, uintptr_t word, uintptr_t target, uint32_t owner)
{
	thread->pi_word = word;
	thread->pi_target = target;
	thread->pi_owner = owner;
	weft__list_append(queue_of(word), &thread->pi);
	weft__pi_waiting++;
}

static void dequeue(struct weft__thread *thread)
{
	weft__list_remove(&thread->pi);
	thread->pi_word = 0;
	weft__pi_waiting--;
}

void weft__pi_clear(void)
{
	for (unsigned int i = 0; i < QUEUES; i++)
		weft__list_init(&queues[i]);
	weft__pi_waiting = 0;
}

long weft__futex_replace(uintptr_t word, uint32_t value, uint32_t next)
{
	uint32_t found;
	long err = weft__exchange(word, value, next, &found);

	return err == 0 && found != value ? -EAGAIN : err;
}

/* Make the first who waits for a lock its owner. */
static long hand_over(uintptr_t word, uint32_t value, struct weft__thread *to, uint32_t died)
{
	long err = weft__futex_replace(word, value, (uint32_t)to->tid | FUTEX_WAITERS | died);

	if (err != 0)
		return err;
	dequeue(to);
	for (struct weft__thread *next = NULL; (next = waiter(word, next)) != NULL;)
		next->pi_owner = (uint32_t)to->tid;
	weft__wake(&to->task, 0);
	return 0;
}

/* What try_lock() returns beside errors. */
enum { HELD, TAKEN, HELD_BY_STRANGER };

/* Take a lock for a thread, or mark it as waited for. The kernel's futex_lock_pi_atomic(). */
static long try_lock(uintptr_t word, const struct weft__thread *thread, bool set_waiters,
		     uint32_t *owner)
{
	uint32_t value, next;
	long err;

	do {
		const struct weft__thread *top = waiter(word, NULL);

		err = weft__load(word, &value);
		if (err != 0)
			return err;
		*owner = value & FUTEX_TID_MASK;
		if (*owner == (uint32_t)thread->tid)
			return -EDEADLK;
		if (top != NULL) /* they know who has it, unless the program has changed the word */
			return top->pi_target == 0 && top->pi_owner == *owner ? HELD : -EINVAL;
		if (weft__futex_waiters(word) != 0)
			return -EINVAL;
		next = value | FUTEX_WAITERS;
		if (*owner == 0)
			next = (value & FUTEX_OWNER_DIED) | (uint32_t)thread->tid |
			       (set_waiters ? FUTEX_WAITERS : 0);
		err = weft__futex_replace(word, value, next);
	} while (err == -EAGAIN);
	if (err != 0)
		return err;
	if (*owner == 0)
		return TAKEN;
	return weft__thread_by_tid(*owner) != NULL ? HELD : HELD_BY_STRANGER;
}

/*
 * Whether a stranger that holds a lock is alive: the kernel says so when it is asked to try. It
 * may get the lock, then, in the carrier's name.
 */
static long ask_kernel(uintptr_t word, uint32_t owner, const struct weft__thread *me, bool between)
{
	uint32_t value;
	long result;

	if (owner >= WEFT__FIRST_TID) /* some other process's task, which nobody can ask */
		return between && !weft__tid_was_ours(owner) ? HELD : -ESRCH;
	result = weft__raw(SYS_futex, word, FUTEX_TRYLOCK_PI | (between ? 0 : FUTEX_PRIVATE_FLAG));
	if (result == -EAGAIN || result == -EDEADLK)
		return HELD;
	if (result != 0)
		return result;
	do {
		result = weft__load(word, &value);
		if (result == 0)
			result = weft__futex_replace(word, value,
						     (value & ~(uint32_t)FUTEX_TID_MASK) |
							     (uint32_t)me->tid);
	} while (result == -EAGAIN);
	return result == 0 ? TAKEN : result;
}

/* Park until the next look at a lock is due: 0, -EINTR, or -ETIMEDOUT at the deadline. */
static long pause_before_look(uint64_t *pause_ns, struct weft__until *until)
{
	uint64_t next = weft__now_ns() + *pause_ns;
	bool last = until->deadline_ns != 0 && until->deadline_ns <= next;
	long result = weft__park(last ? until->deadline_ns : next);

	if (*pause_ns < LAST_LOOK_NS)
		*pause_ns *= 2;
	if (result == -EINTR)
		return result;
	return last && !weft__until_moved(until) ? -ETIMEDOUT : 0;
}

/* Wait in a queue until the place there is lost: 0 for having been given the lock. */
static long wait_in_line(struct weft__thread *me, struct weft__until *until)
{
	long result;

	weft__count_park(SYS_futex);
	do
		result = weft__park(until->deadline_ns);
	while (me->pi_word != 0 &&
	       (result == 0 || (result == -ETIMEDOUT && weft__until_moved(until))));
	if (me->pi_word == 0)
		return 0;
	dequeue(me);
	return result;
}

/* Whether an owner waits, by way of others, for what a thread has: none would ever go on. */
static bool closes_circle(uint32_t owner, const struct weft__thread *me)
{
	const struct weft__thread *thread;

	while (owner != (uint32_t)me->tid) {
		thread = weft__thread_by_tid(owner);
		if (thread == NULL || thread->pi_word == 0 || thread->pi_target != 0)
			return false;
		owner = thread->pi_owner;
	}
	return true;
}

static long lock_pi(const struct weft__call *c, bool may_wait, struct weft__until *until)
{
	struct weft__thread *me = weft__thread_here();
	uintptr_t word = (uintptr_t)c->arg[0];
	bool between = weft__futex_between(c, word);
	uint64_t pause_ns = FIRST_LOOK_NS;
	uint32_t owner;
	long result;

	do {
		bool stranger;

		result = try_lock(word, me, false, &owner);
		stranger = result == HELD_BY_STRANGER;
		if (stranger)
			result = ask_kernel(word, owner, me, between);
		if (result != HELD)
			return result == TAKEN ? 0 : result;
		if (!may_wait)
			return -EAGAIN;
		if (!stranger && !between) {
			if (closes_circle(owner, me))
				return -EDEADLK;
			enqueue(me, word, 0, owner);
			return wait_in_line(me, until);
		}
		result = pause_before_look(&pause_ns, until);
	} while (result == 0);
	return result;
}

static long unlock_pi(const struct weft__call *c)
{
	const struct weft__thread *me = weft__thread_here();
	uintptr_t word = (uintptr_t)c->arg[0];
	struct weft__thread *top;
	uint32_t value;
	long err = weft__load(word, &value);

	if (err != 0)
		return err;
	if ((value & FUTEX_TID_MASK) != (uint32_t)me->tid)
		return -EPERM;
	err = weft__futex_check(word, word, (c->arg[1] & FUTEX_PRIVATE_FLAG) != 0);
	if (err != 0)
		return err;
	if (weft__futex_between(c, word)) /* the main thread's id is one that the kernel knows */
		return me == &weft__main_thread ? WEFT__PASS : weft__futex_replace(word, value, 0);
	top = waiter(word, NULL);
	if (top == NULL)
		return weft__futex_waiters(word) != 0 ? -EINVAL
						      : weft__futex_replace(word, value, 0);
	if (top->pi_target != 0 || top->pi_owner != (uint32_t)me->tid)
		return -EINVAL;
	return hand_over(word, value, top, 0);
}

/* Wait at a condition, to be moved to a lock: 0 comes with the lock. */
static long wait_requeue_pi(const struct weft__call *c, struct weft__until *until)
{
	struct weft__thread *me = weft__thread_here();
	uintptr_t word = (uintptr_t)c->arg[0], target = (uintptr_t)c->arg[4];
	bool moved;
	uint32_t value;
	long result = weft__load(word, &value);

	if (result != 0)
		return result;
	if (value != (uint32_t)c->arg[2])
		return -EAGAIN;
	if (weft__futex_between(c, word))
		return weft__blocks(c);
	enqueue(me, word, target, 0);
	result = wait_in_line(me, until);
	moved = me->pi_target == 0;
	return moved && result == -EINTR ? -EAGAIN : result;
}

/* Give a lock to the first who waits at a condition, and let others wait for it there. */
static long cmp_requeue_pi(const struct weft__call *c)
{
	uintptr_t word = (uintptr_t)c->arg[0], target = (uintptr_t)c->arg[4];
	struct weft__thread *thread;
	long move = (int)c->arg[3], done = 0;
	uint32_t value, owner;
	long err = weft__load(word, &value);

	if (err != 0)
		return err;
	if (value != (uint32_t)c->arg[5])
		return -EAGAIN;
	if (weft__futex_between(c, word))
		return WEFT__PASS; /* it does not wait */
	if (weft__load(target, &value) != 0)
		return -EFAULT;
	if (waiter(word, NULL) == NULL)
		return weft__futex_waiters(word) != 0 ? -EINVAL : 0;
	while (done <= move && (thread = waiter(word, NULL)) != NULL) {
		if (thread->pi_target != target)
			return -EINVAL;
		err = try_lock(target, thread, move > 0, &owner);
		if (err < 0)
			return err;
		dequeue(thread);
		if (err == TAKEN) {
			thread->pi_target = 0;
			weft__wake(&thread->task, 0);
		} else {
			enqueue(thread, target, 0, owner);
		}
		done++;
	}
	return done;
}

long weft__futex_pi_check(const struct weft__call *c, long command, struct weft__until *until)
{
	bool realtime = (c->arg[1] & FUTEX_CLOCK_REALTIME) != 0;
	bool private = (c->arg[1] & FUTEX_PRIVATE_FLAG) != 0;
	bool locks = command == FUTEX_LOCK_PI || command == FUTEX_LOCK_PI2;
	bool two = command == FUTEX_WAIT_REQUEUE_PI || command == FUTEX_CMP_REQUEUE_PI;
	long err = 0;

	*until = (struct weft__until){.deadline_ns = 0};
	if (locks || command == FUTEX_WAIT_REQUEUE_PI)
		err = weft__until_point((void *)c->arg[3], realtime || command == FUTEX_LOCK_PI,
					until);
	if (err != 0)
		return err;
	if (realtime && command != FUTEX_LOCK_PI2 && command != FUTEX_WAIT_REQUEUE_PI)
		return -ENOSYS;
	if (command == FUTEX_CMP_REQUEUE_PI && ((int)c->arg[2] != 1 || (int)c->arg[3] < 0))
		return -EINVAL;
	if (two && c->arg[0] == c->arg[4])
		return -EINVAL;
	if (command == FUTEX_UNLOCK_PI) /* it looks at the word first */
		return 0;
	return weft__futex_check((uintptr_t)c->arg[0], (uintptr_t)c->arg[two ? 4 : 0], private);
}

long weft__futex_pi(struct weft__call *c)
{
	long command = (int)c->arg[1] & FUTEX_CMD_MASK;
	struct weft__until until;
	long err = weft__futex_pi_check(c, command, &until);

	if (err != 0)
		return err;
	switch (command) {
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		return lock_pi(c, true, &until);
	case FUTEX_TRYLOCK_PI:
		return lock_pi(c, false, &until);
	case FUTEX_UNLOCK_PI:
		return unlock_pi(c);
	case FUTEX_WAIT_REQUEUE_PI:
		return wait_requeue_pi(c, &until);
	default:
		return cmp_requeue_pi(c);
	}
}

/* As the kernel does, whether the lock was a robust one or not. */
static bool pass_on_one(struct weft__link *queue, const struct weft__thread *dead)
{
	uint32_t value;

	for (struct weft__link *link = queue->next; link != queue; link = link->next) {
		struct weft__thread *to = thread_of(link);

		if (to->pi_target == 0 && to->pi_owner == (uint32_t)dead->tid &&
		    weft__load(to->pi_word, &value) == 0 &&
		    hand_over(to->pi_word, value, to, FUTEX_OWNER_DIED) == 0)
			return true;
	}
	return false;
}

void weft__pi_exit(const struct weft__thread *dead)
{
	for (unsigned int i = 0; weft__pi_waiting != 0 && i < QUEUES; i++)
		while (queues[i].next != NULL && pass_on_one(&queues[i], dead))
			;
}
