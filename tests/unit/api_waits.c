/*
 * <weft/sync.h> and <weft/queue.h>: what all that a task waits in has in common. Each test does the
 * same with each of them: with a task that waits in it, and the first task that lets it go on.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

/* Something to wait in, that has a lock where it needs one. */
struct place {
	void *x;
	weft_lock *lock;
};

struct way {
	const char *name;
	void (*make)(struct place *place); /* so that who waits has to */
	int (*wait)(const struct place *place, int64_t deadline_ns);
	void (*grant)(const struct place *place); /* one wait, now or later */
	int (*free)(const struct place *place);
	int (*wait_in_nothing)(int64_t deadline_ns);
};

static char the_item, another;

static void must(int err)
{
	cr_assert_eq(err, 0, "%s", strerror(-err));
}

/* What was got, and whether that is what it should be. */
static int same(int err, const void *item)
{
	return err == 0 && item != &the_item ? -EBADMSG : err;
}

/* --- events, latches, results, semaphores --- */

static void make_event(struct place *place)
{
	must(weft_event_new((weft_event **)&place->x));
}

static int wait_event(const struct place *place, int64_t deadline_ns)
{
	return weft_event_wait(place->x, deadline_ns);
}

static void grant_event(const struct place *place)
{
	must(weft_event_set(place->x));
}

static int free_event(const struct place *place)
{
	return weft_event_free(place->x);
}

static int wait_no_event(int64_t deadline_ns)
{
	return weft_event_wait(NULL, deadline_ns);
}

static void make_latch(struct place *place)
{
	must(weft_latch_new((weft_latch **)&place->x, 1));
}

static int wait_latch(const struct place *place, int64_t deadline_ns)
{
	return weft_latch_wait(place->x, deadline_ns);
}

static void grant_latch(const struct place *place)
{
	must(weft_latch_count_down(place->x, 1));
}

static int free_latch(const struct place *place)
{
	return weft_latch_free(place->x);
}

static int wait_no_latch(int64_t deadline_ns)
{
	return weft_latch_wait(NULL, deadline_ns);
}

static void make_result(struct place *place)
{
	must(weft_result_new((weft_result **)&place->x));
}

static int get_result(const struct place *place, int64_t deadline_ns)
{
	void *value = NULL;
	int err = weft_result_get(place->x, deadline_ns, &value);

	return same(err, value);
}

static int wait_result(const struct place *place, int64_t deadline_ns)
{
	return weft_result_wait(place->x, deadline_ns);
}

static void grant_result(const struct place *place)
{
	must(weft_result_set(place->x, &the_item));
}

static int free_result(const struct place *place)
{
	return weft_result_free(place->x);
}

static int get_no_result(int64_t deadline_ns)
{
	void *value = &another;
	int err = weft_result_get(NULL, deadline_ns, &value);

	return value == &another ? err : -EBADMSG;
}

static int wait_no_result(int64_t deadline_ns)
{
	return weft_result_wait(NULL, deadline_ns);
}

static void make_semaphore(struct place *place)
{
	must(weft_semaphore_new((weft_semaphore **)&place->x, 0, 1));
}

static int wait_semaphore(const struct place *place, int64_t deadline_ns)
{
	return weft_semaphore_acquire(place->x, deadline_ns);
}

static void grant_semaphore(const struct place *place)
{
	must(weft_semaphore_release(place->x));
}

static int free_semaphore(const struct place *place)
{
	return weft_semaphore_free(place->x);
}

static int wait_no_semaphore(int64_t deadline_ns)
{
	return weft_semaphore_acquire(NULL, deadline_ns);
}

/* --- locks: the first task has them, who waits gives them back --- */

static void make_lock(struct place *place)
{
	must(weft_lock_new((weft_lock **)&place->x));
	must(weft_lock_acquire(place->x, WEFT_FOREVER));
}

static int wait_lock(const struct place *place, int64_t deadline_ns)
{
	int err = weft_lock_acquire(place->x, deadline_ns);

	if (weft_lock_is_held(place->x) != (err == 0))
		return -EBADMSG;
	return err == 0 ? weft_lock_release(place->x) : err;
}

static void grant_lock(const struct place *place)
{
	must(weft_lock_release(place->x));
}

static int free_lock(const struct place *place)
{
	return weft_lock_free(place->x);
}

static int wait_no_lock(int64_t deadline_ns)
{
	return weft_lock_acquire(NULL, deadline_ns);
}

static void make_condition(struct place *place)
{
	must(weft_lock_new(&place->lock));
	must(weft_condition_new((weft_condition **)&place->x, place->lock));
}

/* Whatever happens in it, the lock is had again, as often as before. */
static int wait_condition(const struct place *place, int64_t deadline_ns)
{
	int err, other;

	err = weft_lock_acquire(place->lock, WEFT_FOREVER);
	if (err != 0)
		return err;
	other = weft_lock_acquire(place->lock, WEFT_FOREVER);
	if (other == 0)
		err = weft_condition_wait(place->x, deadline_ns);
	if (weft_lock_release(place->lock) != 0 || weft_lock_release(place->lock) != 0 ||
	    weft_lock_release(place->lock) != -EPERM)
		return -EBADMSG;
	return err;
}

static void grant_condition(const struct place *place)
{
	must(weft_lock_acquire(place->lock, WEFT_FOREVER));
	cr_assert_geq(weft_condition_notify(place->x, 1), 0);
	must(weft_lock_release(place->lock));
}

static int free_condition(const struct place *place)
{
	int err = weft_condition_free(place->x);

	return err == 0 ? weft_lock_free(place->lock) : err;
}

static int wait_no_condition(int64_t deadline_ns)
{
	return weft_condition_wait(NULL, deadline_ns);
}

static void make_written(struct place *place)
{
	must(weft_rwlock_new((weft_rwlock **)&place->x));
	must(weft_rwlock_acquire_write(place->x, WEFT_FOREVER));
}

static int wait_read(const struct place *place, int64_t deadline_ns)
{
	int err = weft_rwlock_acquire_read(place->x, deadline_ns);

	return err == 0 ? weft_rwlock_release_read(place->x) : err;
}

static void grant_read(const struct place *place)
{
	must(weft_rwlock_release_write(place->x));
}

static void make_read(struct place *place)
{
	must(weft_rwlock_new((weft_rwlock **)&place->x));
	must(weft_rwlock_acquire_read(place->x, WEFT_FOREVER));
}

static int wait_write(const struct place *place, int64_t deadline_ns)
{
	int err = weft_rwlock_acquire_write(place->x, deadline_ns);

	return err == 0 ? weft_rwlock_release_write(place->x) : err;
}

static void grant_write(const struct place *place)
{
	must(weft_rwlock_release_read(place->x));
}

static int free_rwlock(const struct place *place)
{
	return weft_rwlock_free(place->x);
}

static int wait_no_read(int64_t deadline_ns)
{
	return weft_rwlock_acquire_read(NULL, deadline_ns);
}

static int wait_no_write(int64_t deadline_ns)
{
	return weft_rwlock_acquire_write(NULL, deadline_ns);
}

/* --- queues --- */

static int all_equal(const void *a, const void *b)
{
	(void)a;
	(void)b;
	return 0;
}

static void make_fifo(struct place *place)
{
	must(weft_queue_new((weft_queue **)&place->x, 1));
}

static void make_lifo(struct place *place)
{
	must(weft_queue_new_lifo((weft_queue **)&place->x, 1));
}

static void make_ranked(struct place *place)
{
	must(weft_queue_new_priority((weft_queue **)&place->x, 1, all_equal));
}

static void make_channel(struct place *place)
{
	must(weft_queue_new_channel((weft_queue **)&place->x));
}

static void make_full_fifo(struct place *place)
{
	make_fifo(place);
	must(weft_queue_put(place->x, &another, 0));
}

static void make_full_lifo(struct place *place)
{
	make_lifo(place);
	must(weft_queue_put(place->x, &another, 0));
}

static void make_full_ranked(struct place *place)
{
	make_ranked(place);
	must(weft_queue_put(place->x, &another, 0));
}

static int wait_get(const struct place *place, int64_t deadline_ns)
{
	void *item = NULL;
	int err = weft_queue_get(place->x, deadline_ns, &item);

	return same(err, item);
}

static int wait_next(const struct place *place, int64_t deadline_ns)
{
	void *item = NULL;
	int n = weft_queue_next(place->x, deadline_ns, &item);

	return same(n == 0 ? -EPIPE : n == 1 ? 0 : n, item);
}

static int wait_peek(const struct place *place, int64_t deadline_ns)
{
	void *item = NULL;
	int err = weft_queue_peek(place->x, deadline_ns, &item);

	return same(err, item);
}

static int wait_put(const struct place *place, int64_t deadline_ns)
{
	return weft_queue_put(place->x, &the_item, deadline_ns);
}

static void grant_get(const struct place *place)
{
	int err = weft_queue_put(place->x, &the_item, 0);

	cr_assert(err == 0 || err == -ETIMEDOUT);
}

static void grant_put(const struct place *place)
{
	void *item;
	int err = weft_queue_get(place->x, 0, &item);

	cr_assert(err == 0 || err == -ETIMEDOUT);
}

static int free_queue(const struct place *place)
{
	return weft_queue_free(place->x);
}

static int wait_no_get(int64_t deadline_ns)
{
	void *item = &another;
	int err = weft_queue_get(NULL, deadline_ns, &item);

	return item == &another ? err : -EBADMSG;
}

static int wait_no_next(int64_t deadline_ns)
{
	void *item;

	return weft_queue_next(NULL, deadline_ns, &item);
}

static int wait_no_peek(int64_t deadline_ns)
{
	void *item;

	return weft_queue_peek(NULL, deadline_ns, &item);
}

static int wait_no_put(int64_t deadline_ns)
{
	return weft_queue_put(NULL, &the_item, deadline_ns);
}

static int wait_join(const struct place *place, int64_t deadline_ns)
{
	return weft_queue_join(place->x, deadline_ns);
}

static void grant_join(const struct place *place)
{
	must(weft_queue_task_done(place->x));
}

static int wait_no_join(int64_t deadline_ns)
{
	return weft_queue_join(NULL, deadline_ns);
}

static const struct way ways[] = {
	{"event", make_event, wait_event, grant_event, free_event, wait_no_event},
	{"latch", make_latch, wait_latch, grant_latch, free_latch, wait_no_latch},
	{"result", make_result, get_result, grant_result, free_result, get_no_result},
	{"result wait", make_result, wait_result, grant_result, free_result, wait_no_result},
	{"semaphore", make_semaphore, wait_semaphore, grant_semaphore, free_semaphore,
	 wait_no_semaphore},
	{"lock", make_lock, wait_lock, grant_lock, free_lock, wait_no_lock},
	{"condition", make_condition, wait_condition, grant_condition, free_condition,
	 wait_no_condition},
	{"read", make_written, wait_read, grant_read, free_rwlock, wait_no_read},
	{"write", make_read, wait_write, grant_write, free_rwlock, wait_no_write},
	{"get", make_fifo, wait_get, grant_get, free_queue, wait_no_get},
	{"next", make_fifo, wait_next, grant_get, free_queue, wait_no_next},
	{"peek", make_fifo, wait_peek, grant_get, free_queue, wait_no_peek},
	{"put", make_full_fifo, wait_put, grant_put, free_queue, wait_no_put},
	{"lifo get", make_lifo, wait_get, grant_get, free_queue, wait_no_get},
	{"lifo put", make_full_lifo, wait_put, grant_put, free_queue, wait_no_put},
	{"ranked get", make_ranked, wait_get, grant_get, free_queue, wait_no_get},
	{"ranked peek", make_ranked, wait_peek, grant_get, free_queue, wait_no_peek},
	{"ranked put", make_full_ranked, wait_put, grant_put, free_queue, wait_no_put},
	{"channel get", make_channel, wait_get, grant_get, free_queue, wait_no_get},
	{"channel put", make_channel, wait_put, grant_put, free_queue, wait_no_put},
	{"join", make_full_fifo, wait_join, grant_join, free_queue, wait_no_join},
};

#define FOR_EACH(way) for (const struct way *way = ways; way < ways + COUNT(ways); way++)

/* Who has made it has it, and need not wait. */
static bool makers_have(const struct way *way)
{
	return way->wait == wait_lock || way->wait == wait_read;
}

/* A task that waits in a place, with a deadline or in a scope. */
struct waiting {
	const struct way *way;
	struct place place;
	int64_t deadline_ns;
	int64_t scope_ns; /* 0: none */
	weft_task *task;
	int result;
	int next; /* of a sleep after it */
};

static void wait_in_place(void *arg)
{
	struct waiting *waiting = arg;
	weft_timeout scope;

	if (waiting->scope_ns != 0)
		weft_timeout_begin(&scope, waiting->scope_ns, -ETIME);
	waiting->result = waiting->way->wait(&waiting->place, waiting->deadline_ns);
	if (waiting->scope_ns != 0)
		weft_timeout_end(&scope);
	waiting->next = weft_sleep(1);
}

static void begin(struct waiting *waiting, const struct way *way)
{
	*waiting = (struct waiting){.way = way, .deadline_ns = WEFT_FOREVER, .result = 1};
	way->make(&waiting->place);
}

static void start(struct waiting *waiting)
{
	waiting->task = spawn(wait_in_place, waiting);
	until_waits(waiting->task);
}

/* What has been left of it can be used, and freed. */
static void end(struct waiting *waiting)
{
	const struct way *way = waiting->way;
	int err;

	way->grant(&waiting->place);
	err = way->free(&waiting->place);
	cr_assert_eq(err, 0, "%s: freeing gives %d", way->name, err);
}

BothWays(api_waits, what_has_been_granted_ends_a_wait)
{
	FOR_EACH(way)
	{
		struct waiting waiting;

		begin(&waiting, way);
		start(&waiting);
		cr_assert_eq(waiting.result, 1, "%s", way->name);
		way->grant(&waiting.place);
		join(waiting.task);

		cr_assert_eq(waiting.result, 0, "%s: %d", way->name, waiting.result);
		must(way->free(&waiting.place));
	}
}

BothWays(api_waits, a_deadline_of_0_does_not_wait)
{
	FOR_EACH(way)
	{
		struct waiting waiting;

		begin(&waiting, way);
		if (!makers_have(way))
			cr_assert_eq(way->wait(&waiting.place, 0), -ETIMEDOUT, "%s", way->name);
		waiting.deadline_ns = 0;
		waiting.task = spawn(wait_in_place, &waiting);
		join(waiting.task);

		cr_assert_eq(waiting.result, -ETIMEDOUT, "%s: %d", way->name, waiting.result);
		end(&waiting);
	}
}

BothWays(api_waits, a_deadline_ends_a_wait)
{
	FOR_EACH(way)
	{
		struct waiting waiting;

		begin(&waiting, way);
		waiting.deadline_ns = weft_after(2 * WEFT_MS);
		waiting.task = spawn(wait_in_place, &waiting);
		join(waiting.task);

		cr_assert_eq(waiting.result, -ETIMEDOUT, "%s: %d", way->name, waiting.result);
		cr_assert_geq(weft_now(), waiting.deadline_ns);
		end(&waiting);
	}
}

BothWays(api_waits, a_bad_deadline_is_refused)
{
	FOR_EACH(way)
	{
		struct waiting waiting;

		begin(&waiting, way);
		waiting.deadline_ns = -1;
		waiting.task = spawn(wait_in_place, &waiting);
		join(waiting.task);

		cr_assert_eq(waiting.result, -EINVAL, "%s: %d", way->name, waiting.result);
		end(&waiting);
	}
}

BothWays(api_waits, waiting_in_nothing_is_refused)
{
	FOR_EACH(way)
	{
		cr_assert_eq(way->wait_in_nothing(0), -EINVAL, "%s", way->name);
		cr_assert_eq(way->wait_in_nothing(WEFT_FOREVER), -EINVAL, "%s", way->name);
	}
}

BothWays(api_waits, a_kill_ends_a_wait)
{
	FOR_EACH(way)
	{
		struct waiting waiting;

		begin(&waiting, way);
		start(&waiting);
		must(weft_kill(waiting.task, WEFT_FOREVER));

		cr_assert_eq(waiting.result, -ECANCELED, "%s: %d", way->name, waiting.result);
		cr_assert_eq(waiting.next, 0);
		weft_release(waiting.task);
		end(&waiting);
	}
}

BothWays(api_waits, a_scope_ends_a_wait_with_its_error)
{
	FOR_EACH(way)
	{
		struct waiting waiting;

		begin(&waiting, way);
		waiting.scope_ns = 2 * WEFT_MS;
		waiting.task = spawn(wait_in_place, &waiting);
		join(waiting.task);

		cr_assert_eq(waiting.result, -ETIME, "%s: %d", way->name, waiting.result);
		end(&waiting);
	}
}

BothWays(api_waits, what_was_raised_before_ends_a_wait_at_once)
{
	FOR_EACH(way)
	{
		struct waiting waiting;

		if (makers_have(way))
			continue;
		begin(&waiting, way);
		must(weft_raise(weft_self(), -EPROTO));
		waiting.result = way->wait(&waiting.place, WEFT_FOREVER);

		cr_assert_eq(waiting.result, -EPROTO, "%s: %d", way->name, waiting.result);
		end(&waiting);
	}
}

BothWays(api_waits, what_is_granted_before_a_raise_is_had)
{
	FOR_EACH(way)
	{
		struct waiting waiting;

		begin(&waiting, way);
		start(&waiting);
		/* Own: it does not run before the join. Threads: it may have ended. */
		way->grant(&waiting.place);
		weft_raise(waiting.task, -EPROTO);
		join(waiting.task);

		cr_assert_eq(waiting.result, 0, "%s: %d", way->name, waiting.result);
		if (!on_threads)
			cr_assert_eq(waiting.next, -EPROTO, "%s", way->name);
		must(way->free(&waiting.place));
	}
}

BothWays(api_waits, what_is_raised_before_a_grant_ends_the_wait)
{
	FOR_EACH(way)
	{
		struct waiting waiting;

		begin(&waiting, way);
		start(&waiting);
		must(weft_raise(waiting.task, -EPROTO));
		way->grant(&waiting.place);
		join(waiting.task);

		cr_assert_eq(waiting.result, -EPROTO, "%s: %d", way->name, waiting.result);
		must(way->free(&waiting.place));
	}
}

BothWays(api_waits, a_grant_after_a_raise_is_there_for_the_next)
{
	FOR_EACH(way)
	{
		struct waiting first, second;

		begin(&first, way);
		start(&first);
		second = (struct waiting){
			.way = way, .place = first.place, .deadline_ns = WEFT_FOREVER, .result = 1};
		start(&second);
		must(weft_raise(first.task, -EPROTO));
		way->grant(&first.place);
		join(first.task);
		join(second.task);

		cr_assert_eq(first.result, -EPROTO, "%s: %d", way->name, first.result);
		cr_assert_eq(second.result, 0, "%s: %d", way->name, second.result);
		must(way->free(&first.place));
	}
}

BothWays(api_waits, what_is_waited_in_cannot_be_freed)
{
	FOR_EACH(way)
	{
		struct waiting waiting;

		begin(&waiting, way);
		start(&waiting);
		cr_assert_eq(way->free(&waiting.place), -EBUSY, "%s", way->name);
		way->grant(&waiting.place);
		join(waiting.task);

		must(way->free(&waiting.place));
	}
}

/* Those who have been granted what they wait for do not look at it any more. */
TaskTest(api_waits, what_was_waited_in_can_be_freed_at_once)
{
	FOR_EACH(way)
	{
		struct waiting waiting;

		if (way->free == free_condition || way->free == free_rwlock ||
		    way->free == free_lock)
			continue; /* it is given back afterwards */
		begin(&waiting, way);
		start(&waiting);
		way->grant(&waiting.place);
		must(way->free(&waiting.place));
		join(waiting.task);

		cr_assert_eq(waiting.result, 0, "%s: %d", way->name, waiting.result);
	}
}

static void wait_outside(void *arg)
{
	wait_in_place(arg);
}

TaskTest(api_waits, waiting_off_a_task_is_refused)
{
	FOR_EACH(way)
	{
		struct waiting waiting;

		begin(&waiting, way);
		on_foreign_thread(wait_outside, &waiting);

		cr_assert_eq(waiting.result, -EPERM, "%s: %d", way->name, waiting.result);
		end(&waiting);
	}
}
