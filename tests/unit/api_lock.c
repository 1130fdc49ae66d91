/* <weft/sync.h>: what is particular to locks, conditions and rwlocks; see api_waits.c. */
#include <errno.h>
#include <string.h>

#include "unit.h"

static void must(int err)
{
	cr_assert_eq(err, 0, "%s", strerror(-err));
}

/* A task that takes a lock, says so, and waits until it is to give it back. */
struct holder {
	void *x;
	weft_task *task;
	weft_event *has_it, *enough;
	int result;
};

static void hold(struct holder *holder, int acquired, int (*release)(void *x))
{
	holder->result = acquired;
	weft_event_set(holder->has_it);
	weft_event_wait(holder->enough, WEFT_FOREVER);
	if (acquired == 0)
		holder->result = release(holder->x);
}

static int release_lock(void *lock)
{
	return weft_lock_release(lock);
}

static int release_read(void *rwlock)
{
	return weft_rwlock_release_read(rwlock);
}

static int release_write(void *rwlock)
{
	return weft_rwlock_release_write(rwlock);
}

static void hold_lock(void *arg)
{
	struct holder *holder = arg;

	hold(holder, weft_lock_acquire(holder->x, WEFT_FOREVER), release_lock);
}

static void hold_read(void *arg)
{
	struct holder *holder = arg;

	hold(holder, weft_rwlock_acquire_read(holder->x, WEFT_FOREVER), release_read);
}

static void hold_write(void *arg)
{
	struct holder *holder = arg;

	hold(holder, weft_rwlock_acquire_write(holder->x, WEFT_FOREVER), release_write);
}

/* It waits for the lock, or has it and waits until it is enough. */
static void start(struct holder *holder, void *x, void (*entry)(void *holder))
{
	*holder = (struct holder){.x = x, .result = 1};
	must(weft_event_new(&holder->has_it));
	must(weft_event_new(&holder->enough));
	holder->task = spawn(entry, holder);
	until_waits(holder->task);
}

static bool has_it(const struct holder *holder)
{
	return weft_event_is_set(holder->has_it);
}

static void until_has_it(const struct holder *holder)
{
	must(weft_event_wait(holder->has_it, WEFT_FOREVER));
}

static void end(struct holder *holder)
{
	must(weft_event_set(holder->enough));
	join(holder->task);
	cr_assert_eq(holder->result, 0, "%d", holder->result);
	must(weft_event_free(holder->has_it));
	must(weft_event_free(holder->enough));
}

BothWays(api_lock, a_lock_is_free_when_released_as_often_as_taken)
{
	struct holder other;
	weft_lock *lock;

	must(weft_lock_new(&lock));
	cr_assert_eq(weft_lock_release(lock), -EPERM);
	for (int i = 0; i < 3; i++)
		must(weft_lock_acquire(lock, 0));
	start(&other, lock, hold_lock);

	for (int i = 0; i < 3; i++) {
		cr_assert(weft_lock_is_held(lock));
		cr_assert(!has_it(&other));
		must(weft_lock_release(lock));
	}
	cr_assert(!weft_lock_is_held(lock));
	cr_assert_eq(weft_lock_release(lock), -EPERM);
	until_has_it(&other);
	cr_assert_eq(weft_lock_acquire(lock, 0), -ETIMEDOUT);
	cr_assert_eq(weft_lock_release(lock), -EPERM);
	cr_assert_eq(weft_lock_free(lock), -EBUSY);
	end(&other);

	must(weft_lock_free(lock));
}

BothWays(api_lock, a_lock_is_handed_on_in_order)
{
	struct holder holders[3];
	weft_lock *lock;

	must(weft_lock_new(&lock));
	must(weft_lock_acquire(lock, 0));
	for (size_t i = 0; i < COUNT(holders); i++)
		start(&holders[i], lock, hold_lock);
	must(weft_lock_release(lock));

	for (size_t i = 0; i < COUNT(holders); i++) {
		until_has_it(&holders[i]);
		for (size_t j = i + 1; j < COUNT(holders); j++)
			cr_assert(!has_it(&holders[j]));
		end(&holders[i]);
	}
	must(weft_lock_free(lock));
}

static void take_and_keep(void *lock)
{
	must(weft_lock_acquire(lock, 0));
}

static void *try_to_release(void *lock)
{
	return (void *)(intptr_t)weft_lock_release(lock);
}

/* Its record would be the next task's if the lock did not keep it. */
BothWays(api_lock, a_lock_whose_owner_has_ended_is_nobody_elses)
{
	weft_lock *lock;
	weft_task *next;
	void *result;

	must(weft_lock_new(&lock));
	join(spawn(take_and_keep, lock));
	must(weft_spawn(&next, try_to_release, lock));
	must(weft_get(next, WEFT_FOREVER, &result));
	weft_release(next);

	cr_assert_eq((intptr_t)result, -EPERM);
	cr_assert_eq(weft_lock_acquire(lock, 0), -ETIMEDOUT);
	must(weft_lock_free(lock));
}

struct sum {
	weft_lock *lock;
	weft_rwlock *rwlock;
	unsigned int value, copy;
	bool torn;
};

#define ROUNDS 500

static void add_locked(void *arg)
{
	struct sum *sum = arg;

	for (int i = 0; i < ROUNDS; i++) {
		weft_lock_acquire(sum->lock, WEFT_FOREVER);
		sum->torn |= sum->value != sum->copy;
		sum->value++;
		weft_yield();
		sum->copy++;
		weft_lock_release(sum->lock);
	}
}

BothWays(api_lock, one_task_at_a_time_has_a_lock)
{
	weft_task *tasks[4];
	struct sum sum = {0};

	must(weft_lock_new(&sum.lock));
	for (size_t i = 0; i < COUNT(tasks); i++)
		tasks[i] = spawn(add_locked, &sum);
	for (size_t i = 0; i < COUNT(tasks); i++)
		join(tasks[i]);

	cr_assert(!sum.torn);
	cr_assert_eq(sum.value, COUNT(tasks) * ROUNDS);
	must(weft_lock_free(sum.lock));
}

static void add_written(void *arg)
{
	struct sum *sum = arg;

	for (int i = 0; i < ROUNDS; i++) {
		weft_rwlock_acquire_write(sum->rwlock, WEFT_FOREVER);
		sum->value++;
		weft_yield();
		sum->copy++;
		weft_rwlock_release_write(sum->rwlock);
	}
}

static void look_whether_torn(void *arg)
{
	struct sum *sum = arg;
	bool torn = false;

	for (int i = 0; i < ROUNDS; i++) {
		weft_rwlock_acquire_read(sum->rwlock, WEFT_FOREVER);
		torn |= sum->value != sum->copy;
		weft_rwlock_release_read(sum->rwlock);
	}
	if (torn)
		__atomic_store_n(&sum->torn, true, __ATOMIC_RELAXED);
}

BothWays(api_lock, nobody_reads_while_somebody_writes)
{
	weft_task *tasks[4];
	struct sum sum = {0};

	must(weft_rwlock_new(&sum.rwlock));
	for (size_t i = 0; i < COUNT(tasks); i++)
		tasks[i] = spawn(i < 2 ? add_written : look_whether_torn, &sum);
	for (size_t i = 0; i < COUNT(tasks); i++)
		join(tasks[i]);

	cr_assert(!sum.torn);
	cr_assert_eq(sum.value, 2 * ROUNDS);
	must(weft_rwlock_free(sum.rwlock));
}

/* --- conditions --- */

struct waiter {
	weft_condition *condition;
	weft_lock *lock;
	weft_task *task;
	int result;
	bool notified;
};

static void wait_notified(void *arg)
{
	struct waiter *waiter = arg;

	weft_lock_acquire(waiter->lock, WEFT_FOREVER);
	waiter->result = weft_condition_wait(waiter->condition, WEFT_FOREVER);
	waiter->notified = true;
	if (weft_lock_release(waiter->lock) != 0)
		waiter->result = -EBADMSG;
}

static void start_waiter(struct waiter *waiter, weft_condition *condition, weft_lock *lock)
{
	*waiter = (struct waiter){.condition = condition, .lock = lock, .result = 1};
	waiter->task = spawn(wait_notified, waiter);
	until_waits(waiter->task);
}

BothWays(api_lock, as_many_are_notified_as_are_asked_for_and_wait)
{
	struct waiter waiters[5];
	weft_condition *condition;
	weft_lock *lock;

	must(weft_lock_new(&lock));
	must(weft_condition_new(&condition, lock));
	for (size_t i = 0; i < COUNT(waiters); i++)
		start_waiter(&waiters[i], condition, lock);

	must(weft_lock_acquire(lock, WEFT_FOREVER));
	cr_assert_eq(weft_condition_notify(condition, 0), 0);
	cr_assert_eq(weft_condition_notify(condition, 2), 2);
	yield(3);
	for (size_t i = 0; i < COUNT(waiters); i++)
		cr_assert(!waiters[i].notified); /* they need the lock */
	must(weft_lock_release(lock));
	join(waiters[0].task);
	join(waiters[1].task);
	must(weft_lock_acquire(lock, WEFT_FOREVER));
	for (size_t i = 0; i < COUNT(waiters); i++)
		cr_assert_eq(waiters[i].notified, i < 2);
	cr_assert_eq(weft_condition_free(condition), -EBUSY);
	cr_assert_eq(weft_condition_notify_all(condition), 3);
	cr_assert_eq(weft_condition_notify_all(condition), 0);
	must(weft_condition_free(condition));
	cr_assert_eq(weft_lock_free(lock), -EBUSY);
	must(weft_lock_release(lock));
	for (size_t i = 2; i < COUNT(waiters); i++)
		join(waiters[i].task);

	for (size_t i = 0; i < COUNT(waiters); i++)
		cr_assert_eq(waiters[i].result, 0);
	must(weft_lock_free(lock));
}

BothWays(api_lock, who_has_not_the_lock_cannot_use_its_condition)
{
	struct holder other;
	weft_condition *condition;
	weft_lock *lock;

	must(weft_lock_new(&lock));
	must(weft_condition_new(&condition, lock));
	start(&other, lock, hold_lock);

	cr_assert_eq(weft_condition_wait(condition, WEFT_FOREVER), -EPERM);
	cr_assert_eq(weft_condition_notify(condition, 1), -EPERM);
	cr_assert_eq(weft_condition_notify_all(condition), -EPERM);
	end(&other);
	cr_assert_eq(weft_condition_notify(condition, 1), -EPERM);

	cr_assert_eq(weft_lock_free(lock), -EBUSY);
	must(weft_condition_free(condition));
	must(weft_lock_free(lock));
}

/* What is raised while it waits for the lock is for its next wait. */
BothWays(api_lock, who_was_notified_gets_the_lock_whatever_is_raised)
{
	struct waiter waiter;
	weft_condition *condition;
	weft_lock *lock;

	must(weft_lock_new(&lock));
	must(weft_condition_new(&condition, lock));
	start_waiter(&waiter, condition, lock);
	must(weft_lock_acquire(lock, WEFT_FOREVER));
	cr_assert_eq(weft_condition_notify(condition, 1), 1);
	weft_sleep(WEFT_MS); /* it waits for the lock by now, or later */
	must(weft_raise(waiter.task, -EPROTO));
	yield(3);
	cr_assert(!waiter.notified);
	must(weft_lock_release(lock));
	join(waiter.task);

	cr_assert_eq(waiter.result, 0);
	must(weft_condition_free(condition));
	must(weft_lock_free(lock));
}

/* --- readers and writers --- */

BothWays(api_lock, readers_read_together_and_writers_alone)
{
	struct holder readers[2], writer, late;
	weft_rwlock *rwlock;

	must(weft_rwlock_new(&rwlock));
	start(&readers[0], rwlock, hold_read);
	start(&readers[1], rwlock, hold_read);
	until_has_it(&readers[0]);
	until_has_it(&readers[1]);
	cr_assert_eq(weft_rwlock_acquire_write(rwlock, 0), -ETIMEDOUT);
	must(weft_rwlock_acquire_read(rwlock, 0));
	must(weft_rwlock_release_read(rwlock));

	start(&writer, rwlock, hold_write);
	start(&late, rwlock, hold_read);
	/* Who comes later is behind the writer, which waits for all who read. */
	cr_assert_eq(weft_rwlock_acquire_read(rwlock, 0), -ETIMEDOUT);
	cr_assert_eq(weft_rwlock_free(rwlock), -EBUSY);
	end(&readers[0]);
	cr_assert(!has_it(&writer) && !has_it(&late));
	end(&readers[1]);
	until_has_it(&writer);
	cr_assert(!has_it(&late));
	cr_assert_eq(weft_rwlock_free(rwlock), -EBUSY);
	end(&writer);
	until_has_it(&late);
	end(&late);

	must(weft_rwlock_free(rwlock));
}

BothWays(api_lock, readers_behind_a_writer_that_gives_up_go_on)
{
	struct holder reader, writer, behind[2];
	weft_rwlock *rwlock;

	must(weft_rwlock_new(&rwlock));
	start(&reader, rwlock, hold_read);
	until_has_it(&reader);
	start(&writer, rwlock, hold_write);
	start(&behind[0], rwlock, hold_read);
	start(&behind[1], rwlock, hold_read);
	cr_assert(!has_it(&behind[0]));

	must(weft_raise(writer.task, -EPROTO));
	until_has_it(&behind[0]);
	until_has_it(&behind[1]);
	until_has_it(&writer);
	cr_assert_eq(writer.result, -EPROTO);
	writer.result = 0;
	end(&writer);
	end(&reader);
	end(&behind[0]);
	end(&behind[1]);

	must(weft_rwlock_free(rwlock));
}

BothWays(api_lock, what_a_rwlock_refuses)
{
	struct holder writer;
	weft_rwlock *rwlock;

	must(weft_rwlock_new(&rwlock));
	cr_assert_eq(weft_rwlock_release_read(rwlock), -EPERM);
	cr_assert_eq(weft_rwlock_release_write(rwlock), -EPERM);
	must(weft_rwlock_acquire_write(rwlock, 0));
	cr_assert_eq(weft_rwlock_acquire_write(rwlock, WEFT_FOREVER), -EDEADLK);
	cr_assert_eq(weft_rwlock_acquire_read(rwlock, WEFT_FOREVER), -EDEADLK);
	cr_assert_eq(weft_rwlock_release_read(rwlock), -EPERM);
	must(weft_rwlock_release_write(rwlock));
	start(&writer, rwlock, hold_write);
	cr_assert_eq(weft_rwlock_release_write(rwlock), -EPERM);
	end(&writer);

	must(weft_rwlock_free(rwlock));
}

BothWays(api_lock, nothing_is_no_lock)
{
	weft_condition *condition = (weft_condition *)1;
	weft_lock *lock;

	must(weft_lock_new(&lock));
	cr_assert_eq(weft_lock_new(NULL), -EINVAL);
	cr_assert_eq(weft_lock_release(NULL), -EINVAL);
	cr_assert(!weft_lock_is_held(NULL));
	must(weft_lock_free(NULL));
	cr_assert_eq(weft_condition_new(NULL, lock), -EINVAL);
	cr_assert_eq(weft_condition_new(&condition, NULL), -EINVAL);
	cr_assert_eq(condition, (weft_condition *)1);
	cr_assert_eq(weft_condition_notify(NULL, 1), -EINVAL);
	cr_assert_eq(weft_condition_notify_all(NULL), -EINVAL);
	must(weft_condition_free(NULL));
	cr_assert_eq(weft_rwlock_new(NULL), -EINVAL);
	cr_assert_eq(weft_rwlock_release_read(NULL), -EINVAL);
	cr_assert_eq(weft_rwlock_release_write(NULL), -EINVAL);
	must(weft_rwlock_free(NULL));
	must(weft_lock_free(lock));
}

struct outside {
	weft_lock *lock;
	weft_condition *condition;
	weft_rwlock *rwlock;
	int results[4];
};

static void use_outside(void *arg)
{
	struct outside *outside = arg;

	outside->results[0] = weft_lock_release(outside->lock);
	outside->results[1] = weft_condition_notify(outside->condition, 1);
	outside->results[2] = weft_rwlock_release_read(outside->rwlock);
	outside->results[3] = weft_rwlock_release_write(outside->rwlock);
	cr_assert(!weft_lock_is_held(outside->lock));
}

TaskTest(api_lock, a_thread_without_tasks_is_refused)
{
	struct outside outside;

	must(weft_lock_new(&outside.lock));
	must(weft_condition_new(&outside.condition, outside.lock));
	must(weft_rwlock_new(&outside.rwlock));
	on_foreign_thread(use_outside, &outside);

	for (size_t i = 0; i < COUNT(outside.results); i++)
		cr_assert_eq(outside.results[i], -EPERM, "%zu: %d", i, outside.results[i]);
	must(weft_condition_free(outside.condition));
	must(weft_lock_free(outside.lock));
	must(weft_rwlock_free(outside.rwlock));
}
