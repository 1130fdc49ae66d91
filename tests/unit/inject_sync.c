/* Injection (inject.h) into the waits of weft/sync.h. */
#include <errno.h>

#include "inject.h"

enum {
	INSIDE,
	DONE,
	WRITERS,
	ITEMS,
	ODD, /* what must not happen */
};

#define ROUNDS 3

static void expect(struct stage *stage, bool well)
{
	if (!well)
		count_in(stage, ODD, 1);
}

/* --- event, latch, result --- */

static void make_event(struct stage *stage)
{
	weft_event_new((weft_event **)&stage->x);
}

static void *wait_for_event(void *arg)
{
	struct stage *stage = arg;
	int err;

	UNTIL_DONE(err, weft_event_wait(stage->x, weft_after(10 * WEFT_US)));
	expect(stage, err == 0 || err == -ETIMEDOUT);
	UNTIL_DONE(err, weft_event_wait(stage->x, WEFT_FOREVER));
	expect(stage, err == 0);
	count_in(stage, DONE, 1);
	return NULL;
}

static void *set_event(void *arg)
{
	struct stage *stage = arg;

	weft_sleep(0);
	expect(stage, weft_event_set(stage->x) == 0);
	return NULL;
}

static const char *check_event(struct stage *stage)
{
	MUST(stage->counts[ODD] == 0);
	MUST(stage->counts[DONE] == 3);
	MUST(weft_event_free(stage->x) == 0);
	return NULL;
}

Injected(event, .make = make_event,
	 .bodies = {wait_for_event, wait_for_event, set_event, wait_for_event},
	 .check = check_event)

	static void make_latch(struct stage *stage)
{
	weft_latch_new((weft_latch **)&stage->x, 3);
}

static void *count_down_and_wait(void *arg)
{
	struct stage *stage = arg;
	int err;

	weft_sleep(0);
	expect(stage, weft_latch_count_down(stage->x, 1) == 0);
	UNTIL_DONE(err, weft_latch_wait(stage->x, WEFT_FOREVER));
	expect(stage, err == 0 && weft_latch_value(stage->x) == 0);
	count_in(stage, DONE, 1);
	return NULL;
}

static const char *check_latch(struct stage *stage)
{
	MUST(stage->counts[ODD] == 0);
	MUST(stage->counts[DONE] == 3);
	MUST(weft_latch_free(stage->x) == 0);
	return NULL;
}

Injected(latch, .make = make_latch,
	 .bodies = {count_down_and_wait, count_down_and_wait, count_down_and_wait},
	 .check = check_latch)

	static void make_result(struct stage *stage)
{
	weft_result_new((weft_result **)&stage->x);
}

static void count_call(weft_result *result, void *arg)
{
	struct stage *stage = arg;

	expect(stage, weft_result_is_ready(result));
	count_in(stage, ITEMS, 1);
}

static void *get_result(void *arg)
{
	struct stage *stage = arg;
	void *value = NULL;
	int err;

	expect(stage, weft_result_link(stage->x, count_call, stage) == 0);
	UNTIL_DONE(err, weft_result_wait(stage->x, weft_after(10 * WEFT_US)));
	expect(stage, err == 0 || err == -ETIMEDOUT);
	UNTIL_DONE(err, weft_result_get(stage->x, WEFT_FOREVER, &value));
	expect(stage, err == 0 && value == stage);
	count_in(stage, DONE, 1);
	return NULL;
}

static void *set_result(void *arg)
{
	struct stage *stage = arg;

	weft_sleep(0);
	expect(stage, weft_result_set(stage->x, stage) == 0);
	return NULL;
}

static const char *check_result(struct stage *stage)
{
	while (__atomic_load_n(&stage->counts[ITEMS], __ATOMIC_SEQ_CST) < 3)
		weft_sleep(WEFT_US);
	MUST(stage->counts[ODD] == 0);
	MUST(stage->counts[DONE] == 3);
	MUST(stage->counts[ITEMS] == 3);
	/* Who calls what is linked may not have left it yet. */
	while (weft_result_free(stage->x) == -EBUSY)
		weft_sleep(WEFT_US);
	return NULL;
}

Injected(result, .make = make_result, .bodies = {get_result, get_result, set_result, get_result},
	 .check = check_result)

/* --- semaphore --- */

#define UNITS 2

	static void make_semaphore(struct stage *stage)
{
	weft_semaphore_new((weft_semaphore **)&stage->x, UNITS, UNITS);
}

static void use_unit(struct stage *stage)
{
	expect(stage, count_in(stage, INSIDE, 1) <= UNITS);
	weft_sleep(0);
	count_in(stage, INSIDE, -1);
	expect(stage, weft_semaphore_release(stage->x) == 0);
	count_in(stage, DONE, 1);
}

static void *use_units(void *arg)
{
	struct stage *stage = arg;
	int err;

	for (int i = 0; i < ROUNDS; i++) {
		err = weft_semaphore_acquire(stage->x,
					     i == 1 ? weft_after(20 * WEFT_US) : WEFT_FOREVER);
		expect(stage, err == 0 || is_injected(err) || (i == 1 && err == -ETIMEDOUT));
		if (err == 0)
			use_unit(stage);
	}
	return NULL;
}

static const char *check_semaphore(struct stage *stage)
{
	MUST(stage->counts[ODD] == 0);
	MUST(stage->counts[INSIDE] == 0);
	/* At most one of the others has had something injected. */
	MUST(stage->counts[DONE] >= 5 * (ROUNDS - 1) - 1);
	MUST(weft_semaphore_count(stage->x) == UNITS);
	MUST(weft_semaphore_release(stage->x) == -EOVERFLOW);
	MUST(weft_semaphore_free(stage->x) == 0);
	return NULL;
}

Injected(semaphore, .make = make_semaphore,
	 .bodies = {use_units, use_units, use_units, use_units, use_units},
	 .check = check_semaphore)

	/* --- lock and condition --- */

	static void make_lock(struct stage *stage)
{
	weft_lock_new((weft_lock **)&stage->x);
}

static void be_inside(struct stage *stage)
{
	expect(stage, weft_lock_is_held(stage->x));
	expect(stage, count_in(stage, INSIDE, 1) == 1);
	weft_sleep(0);
	expect(stage, weft_lock_acquire(stage->x, 0) == 0);
	weft_sleep(0);
	expect(stage, weft_lock_release(stage->x) == 0);
	count_in(stage, INSIDE, -1);
	expect(stage, weft_lock_release(stage->x) == 0);
	expect(stage, weft_lock_release(stage->x) == -EPERM);
	count_in(stage, DONE, 1);
}

static void *use_lock(void *arg)
{
	struct stage *stage = arg;
	int err;

	for (int i = 0; i < ROUNDS; i++) {
		err = weft_lock_acquire(stage->x, i == 1 ? weft_after(20 * WEFT_US) : WEFT_FOREVER);
		expect(stage, err == 0 || is_injected(err) || (i == 1 && err == -ETIMEDOUT));
		if (err == 0)
			be_inside(stage);
	}
	return NULL;
}

static const char *check_lock(struct stage *stage)
{
	MUST(stage->counts[ODD] == 0);
	MUST(stage->counts[DONE] >= 4 * (ROUNDS - 1) - 1);
	MUST(weft_lock_acquire(stage->x, 0) == 0);
	MUST(weft_lock_release(stage->x) == 0);
	MUST(weft_lock_free(stage->x) == 0);
	return NULL;
}

Injected(lock, .make = make_lock, .bodies = {use_lock, use_lock, use_lock, use_lock},
	 .check = check_lock)

	static void make_condition(struct stage *stage)
{
	weft_lock_new((weft_lock **)&stage->x);
	weft_condition_new((weft_condition **)&stage->y, stage->x);
}

static void lock_it(struct stage *stage)
{
	int err;

	UNTIL_DONE(err, weft_lock_acquire(stage->x, WEFT_FOREVER));
	expect(stage, err == 0);
}

/* Two items each; who has been notified, and raised in, looks before it waits again. */
static void *take_items(void *arg)
{
	struct stage *stage = arg;
	int err;

	for (int taken = 0; taken < 2; taken++) {
		lock_it(stage);
		while (stage->counts[ITEMS] == 0) {
			err = weft_condition_wait(stage->y, taken == 1 ? weft_after(20 * WEFT_US)
								       : WEFT_FOREVER);
			expect(stage,
			       err == 0 || is_injected(err) || (taken == 1 && err == -ETIMEDOUT));
			expect(stage, weft_lock_is_held(stage->x));
		}
		stage->counts[ITEMS]--;
		expect(stage, weft_lock_release(stage->x) == 0);
		count_in(stage, DONE, 1);
	}
	return NULL;
}

static void *make_items(void *arg)
{
	struct stage *stage = arg;

	for (int i = 0; i < 3; i++) {
		lock_it(stage);
		stage->counts[ITEMS]++;
		expect(stage, weft_condition_notify(stage->y, 1) >= 0);
		expect(stage, weft_lock_release(stage->x) == 0);
		weft_sleep(0);
	}
	return NULL;
}

static const char *check_condition(struct stage *stage)
{
	MUST(stage->counts[ODD] == 0);
	MUST(stage->counts[ITEMS] == 0);
	MUST(stage->counts[DONE] == 6);
	MUST(weft_condition_free(stage->y) == 0);
	MUST(weft_lock_free(stage->x) == 0);
	return NULL;
}

Injected(condition, .make = make_condition,
	 .bodies = {take_items, take_items, make_items, take_items, make_items},
	 .check = check_condition)

	/* --- readers and writers --- */

	static void make_rwlock(struct stage *stage)
{
	weft_rwlock_new((weft_rwlock **)&stage->x);
}

static void *read_some(void *arg)
{
	struct stage *stage = arg;
	int err;

	for (int i = 0; i < ROUNDS; i++) {
		err = weft_rwlock_acquire_read(stage->x,
					       i == 1 ? weft_after(20 * WEFT_US) : WEFT_FOREVER);
		expect(stage, err == 0 || is_injected(err) || (i == 1 && err == -ETIMEDOUT));
		if (err != 0)
			continue;
		count_in(stage, INSIDE, 1);
		weft_sleep(0);
		expect(stage, count_in(stage, WRITERS, 0) == 0);
		count_in(stage, INSIDE, -1);
		expect(stage, weft_rwlock_release_read(stage->x) == 0);
		count_in(stage, DONE, 1);
	}
	return NULL;
}

static void *write_some(void *arg)
{
	struct stage *stage = arg;
	int err;

	for (int i = 0; i < ROUNDS; i++) {
		err = weft_rwlock_acquire_write(stage->x,
						i == 1 ? weft_after(20 * WEFT_US) : WEFT_FOREVER);
		expect(stage, err == 0 || is_injected(err) || (i == 1 && err == -ETIMEDOUT));
		if (err != 0)
			continue;
		expect(stage, count_in(stage, WRITERS, 1) == 1);
		weft_sleep(0);
		expect(stage, count_in(stage, INSIDE, 0) == 0);
		count_in(stage, WRITERS, -1);
		expect(stage, weft_rwlock_release_write(stage->x) == 0);
		count_in(stage, DONE, 1);
	}
	return NULL;
}

static const char *check_rwlock(struct stage *stage)
{
	MUST(stage->counts[ODD] == 0);
	MUST(stage->counts[DONE] >= 5 * (ROUNDS - 1) - 1);
	MUST(weft_rwlock_acquire_write(stage->x, 0) == 0);
	MUST(weft_rwlock_release_write(stage->x) == 0);
	MUST(weft_rwlock_free(stage->x) == 0);
	return NULL;
}

Injected(rwlock, .make = make_rwlock,
	 .bodies = {read_some, write_some, read_some, write_some, read_some}, .check = check_rwlock)

	/* A reader that waits behind a writer goes on when that gives up: the first reader waits for it. */
	enum { GAVE_UP = INSIDE };

static void *read_meanwhile(void *arg)
{
	struct stage *stage = arg;
	int64_t until_ns = weft_after(100 * WEFT_US);
	int err;

	UNTIL_DONE(err, weft_rwlock_acquire_read(stage->x, WEFT_FOREVER));
	while (count_in(stage, GAVE_UP, 0) != 0 ? count_in(stage, DONE, 0) == 0
						: weft_now() < until_ns)
		weft_sleep(10 * WEFT_US);
	expect(stage, weft_rwlock_release_read(stage->x) == 0);
	return NULL;
}

static void *write_or_give_up(void *arg)
{
	struct stage *stage = arg;
	int err = weft_rwlock_acquire_write(stage->x, WEFT_FOREVER);

	if (err == 0)
		weft_rwlock_release_write(stage->x);
	else
		count_in(stage, GAVE_UP, 1);
	return NULL;
}

static void *read_behind(void *arg)
{
	struct stage *stage = arg;
	int err;

	UNTIL_DONE(err, weft_rwlock_acquire_read(stage->x, WEFT_FOREVER));
	count_in(stage, DONE, 1);
	expect(stage, weft_rwlock_release_read(stage->x) == 0);
	return NULL;
}

static const char *check_behind(struct stage *stage)
{
	MUST(stage->counts[ODD] == 0);
	MUST(stage->counts[DONE] == 1);
	MUST(weft_rwlock_free(stage->x) == 0);
	return NULL;
}

Injected(reader_behind_a_writer, .make = make_rwlock,
	 .bodies = {read_meanwhile, write_or_give_up, read_behind}, .check = check_behind)
