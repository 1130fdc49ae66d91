/*
 * FUTEX_LOCK_PI and its kin, asked for directly: what stands in the word, who is next, and what
 * becomes of a lock whose owner ends. Robust mutexes that
 * inherit priority tell of the last, too.
 */
#include "guest.h"

#define WAITERS 5

static uint32_t word, condition;
static pid_t ids[WAITERS];
static int order[WAITERS], taken;
static pthread_mutex_t mutex;

/* The word with its owner's place in ids, or 9 for the first thread. */
static void say_word(const char *what, uint32_t value)
{
	uint32_t owner = value & FUTEX_TID_MASK;
	const char *name = owner == 0 ? "nobody" : owner == (uint32_t)getpid() ? "first" : "?";
	char text[16];

	for (int i = 0; i < WAITERS; i++)
		if (owner != 0 && owner == (uint32_t)ids[i]) {
			snprintf(text, sizeof(text), "%d", i);
			name = text;
		}
	say("%s: %s%s%s", what, name, value & FUTEX_WAITERS ? " waiters" : "",
	    value & FUTEX_OWNER_DIED ? " died" : "");
}

static uint32_t look(void)
{
	return __atomic_load_n(&word, __ATOMIC_SEQ_CST);
}

static void wait_for_waiters(uint32_t *lock)
{
	while ((__atomic_load_n(lock, __ATOMIC_SEQ_CST) & FUTEX_WAITERS) == 0)
		usleep(1000);
	settle(); /* the kernel says so a moment before the waiter is in its line */
}

static long move(long most, uint32_t expected)
{
	return futex(&condition, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)most, &word, expected);
}

/* Wait at the condition: who is moved from there is known to be behind the lock. */
static void *lock_in_turn(void *arg)
{
	int me = (int)(intptr_t)arg;

	ids[me] = gettid();
	check(futex(&condition, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, NULL, &word, 0) == 0);
	say_word("has it", look());
	order[taken++] = me;
	check(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0) == 0);
	return NULL;
}

static void hand_on(void)
{
	pthread_t threads[WAITERS];

	say("from hand to hand");
	show(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	say_word("taken", look());
	show(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	for (intptr_t i = 0; i < WAITERS; i++) {
		threads[i] = start(lock_in_turn, (void *)i);
		while (move(0, 0) != 1)
			usleep(1000);
	}
	say_word("waited for", look());
	show(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	show(futex(&word, FUTEX_REQUEUE_PRIVATE, 1, (void *)1, &condition, 0));
	check(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0) == 0);
	for (int i = 0; i < WAITERS; i++)
		finish(threads[i]);
	say("in order: %d%d%d%d%d", order[0], order[1], order[2], order[3], order[4]);
	say_word("at last", look());
	show(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
}

static void *try_and_time_out(void *arg)
{
	struct timespec deadline = in_ms(CLOCK_REALTIME, 20), later = in_ms(CLOCK_MONOTONIC, 20);

	show(futex(&word, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	show(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, &deadline, NULL, 0));
	say("not early: %d", now_ns(CLOCK_REALTIME) >= to_ns(deadline));
	show(futex(&word, FUTEX_LOCK_PI2_PRIVATE, 0, &later, NULL, 0));
	say("not early: %d", now_ns(CLOCK_MONOTONIC) >= to_ns(later));
	show(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	say_word("untouched", look());
	return arg;
}

/* Programs mistake the word for their own. */
static void meddle(void)
{
	word = 0;
	show(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	finish(start(try_and_time_out, NULL));
	show(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	say_word("free", look());
	word = FUTEX_TID_MASK;
	show(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	show(futex(&word, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	word = 0;
}

static void *take_and_die(void *waits)
{
	ids[0] = gettid();
	check(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0) == 0);
	if (waits != NULL)
		wait_for_waiters(&word);
	return NULL;
}

static void *outlive_owner(void *arg)
{
	ids[1] = gettid();
	show(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	say_word("inherited", look());
	show(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	say_word("given up", look());
	return arg;
}

static void die(void)
{
	pthread_t dying, heir;

	say("the owner dies");
	word = condition = 0;
	dying = start(take_and_die, &word);
	while (look() == 0)
		usleep(1000);
	heir = start(outlive_owner, NULL);
	finish(dying);
	finish(heir);
	say("nobody waits");
	finish(start(take_and_die, NULL));
	show(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	say_word("left", look() & FUTEX_WAITERS);
	word = condition = 0;
}

static uint32_t ring[3];

static void *hold_and_want_next(void *arg)
{
	intptr_t me = (intptr_t)arg;

	check(futex(&ring[me], FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0) == 0);
	check(futex(&ring[me + 1], FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0) == 0);
	check(futex(&ring[me + 1], FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0) == 0);
	check(futex(&ring[me], FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0) == 0);
	return NULL;
}

/* 0 wants what 1 has, 1 what the first thread has, and that what 0 has. */
static void close_circle(void)
{
	struct timespec deadline;
	pthread_t threads[2];

	say("in a circle");
	show(futex(&ring[2], FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	for (intptr_t i = 1; i >= 0; i--) {
		threads[i] = start(hold_and_want_next, (void *)i);
		wait_for_waiters(&ring[i + 1]);
	}
	deadline = in_ms(CLOCK_REALTIME, 100);
	show(futex(&ring[0], FUTEX_LOCK_PI_PRIVATE, 0, &deadline, NULL, 0));
	show(futex(&ring[0], FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	show(futex(&ring[2], FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	finish(threads[0]);
	finish(threads[1]);
}

static void *wait_to_be_moved(void *arg)
{
	check(futex(&condition, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, NULL, &word, 0) == 0);
	check((look() & FUTEX_TID_MASK) == (uint32_t)gettid());
	taken++;
	check(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0) == 0);
	return arg;
}

static void *wait_in_vain(void *arg)
{
	struct timespec deadline = in_ms(CLOCK_MONOTONIC, 20);

	show(futex(&condition, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, &deadline, &word, 0));
	return arg;
}

static void requeue(int held)
{
	pthread_t threads[WAITERS];
	long moved = 0;

	say("moved to a lock that is %s", held ? "held" : "free");
	word = condition = 0;
	taken = 0;
	finish(start(wait_in_vain, NULL));
	if (held)
		show(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	for (int i = 0; i < WAITERS; i++)
		threads[i] = start(wait_to_be_moved, NULL);
	while (futex(&condition, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) != -1)
		usleep(1000);
	show(futex(&condition, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	show(futex(&condition, FUTEX_REQUEUE_PRIVATE, 1, (void *)1, &word, 0));
	show(move(1, 5));
	show(futex(&condition, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)1, ids, 0));
	while (moved < WAITERS) {
		long n = move(moved == 0 ? 1 : 10, 0);

		check(n >= 0);
		moved += n;
	}
	show(move(10, 0));
	if (held) {
		say_word("held", look());
		show(taken);
		show(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	}
	for (int i = 0; i < WAITERS; i++)
		finish(threads[i]);
	say("moved %ld, taken %d", moved, taken);
	say_word("at last", look());
}

static void *leave_locked(void *arg)
{
	check(pthread_mutex_lock(&mutex) == 0);
	__atomic_store_n(&condition, 1, __ATOMIC_SEQ_CST);
	if (arg != NULL)
		wait_for_waiters(arg); /* the mutex's word comes first in it */
	return arg;
}

static void robust(int recovered, int waits)
{
	pthread_mutexattr_t attr;
	pthread_t owner;

	say("robust, %s while %s", recovered ? "recovered" : "given up",
	    waits ? "one waits" : "none waits");
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	check(pthread_mutex_init(&mutex, &attr) == 0);
	condition = 0;
	owner = start(leave_locked, waits ? &mutex : NULL);
	while (__atomic_load_n(&condition, __ATOMIC_SEQ_CST) == 0)
		usleep(1000);
	if (!waits)
		finish(owner);
	show_error(pthread_mutex_lock(&mutex));
	show_error(pthread_mutex_trylock(&mutex));
	if (recovered)
		show_error(pthread_mutex_consistent(&mutex));
	show_error(pthread_mutex_unlock(&mutex));
	show_error(pthread_mutex_lock(&mutex));
	if (recovered)
		show_error(pthread_mutex_unlock(&mutex));
	show_error(pthread_mutex_trylock(&mutex));
	if (recovered)
		show_error(pthread_mutex_unlock(&mutex));
	if (waits)
		finish(owner);
	show_error(pthread_mutex_destroy(&mutex));
}

int main(void)
{
	become_threaded();
	hand_on();
	meddle();
	close_circle();
	die();
	requeue(0);
	requeue(1);
	for (int i = 0; i < 4; i++)
		robust(i & 1, i >> 1);
	return 0;
}
