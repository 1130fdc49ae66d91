/* Injection (inject.h) into the waits of weft/group.h, weft/timer.h, weft/executor.h and weft/aio.h. */
#include <errno.h>
#include <unistd.h>

#include "inject.h"

enum {
	INSIDE,
	MADE,
	RAN,
	DONE,
	GIVEN, /* a digit for each item */
	ODD,   /* what must not happen */
};

#define PLACES 2
#define ITEMS 4

static void expect(struct stage *stage, bool well)
{
	if (!well)
		count_in(stage, ODD, 1);
}

/* --- groups and pools --- */

static void make_pool(struct stage *stage)
{
	weft_pool_new((weft_group **)&stage->x, PLACES);
}

static void *work(void *arg)
{
	struct stage *stage = arg;

	expect(stage, count_in(stage, INSIDE, 1) <= PLACES);
	weft_sleep(0);
	count_in(stage, INSIDE, -1);
	count_in(stage, RAN, 1);
	return NULL;
}

static void *spawn_in_pool(void *arg)
{
	struct stage *stage = arg;
	int err;

	for (int i = 0; i < 3; i++) {
		err = weft_group_spawn(stage->x, NULL, work, stage,
				       i == 1 ? weft_after(20 * WEFT_US) : WEFT_FOREVER);
		expect(stage, err == 0 || is_injected(err) || (i == 1 && err == -ETIMEDOUT));
		if (err == 0)
			count_in(stage, MADE, 1);
	}
	return NULL;
}

static void *add_to_pool(void *arg)
{
	struct stage *stage = arg;
	weft_task *task;
	int err;

	expect(stage, weft_spawn(&task, work, stage) == 0);
	UNTIL_DONE(err, weft_group_add(stage->x, task, WEFT_FOREVER));
	expect(stage, err == 0 || err == 1);
	UNTIL_DONE(err, weft_join(task, WEFT_FOREVER));
	weft_release(task);
	count_in(stage, MADE, 1);
	return NULL;
}

static void *join_group(void *arg)
{
	struct stage *stage = arg;
	int err;

	do
		UNTIL_DONE(err, weft_group_join(stage->x, weft_after(20 * WEFT_US)));
	while (err == -ETIMEDOUT);
	expect(stage, err == 0);
	UNTIL_DONE(err, weft_group_join(stage->x, WEFT_FOREVER));
	expect(stage, err == 0);
	return NULL;
}

static const char *check_pool(struct stage *stage)
{
	MUST(weft_group_join(stage->x, WEFT_FOREVER) == 0);
	MUST(stage->counts[INSIDE] == 0);
	MUST(stage->counts[RAN] == stage->counts[MADE]);
	MUST(weft_group_size(stage->x) == 0);
	MUST(weft_group_free_places(stage->x) == PLACES);
	MUST(weft_group_free(stage->x) == 0);
	return NULL;
}

static const char *check_spawns(struct stage *stage)
{
	MUST(stage->counts[MADE] >= 3 * 2 - 1);
	MUST(stage->counts[ODD] == 0);
	return check_pool(stage);
}

Injected(pool, .make = make_pool,
	 .bodies = {spawn_in_pool, spawn_in_pool, join_group, spawn_in_pool}, .check = check_spawns)

	/* These run before they have a place. */
	Injected(pool_of_tasks, .make = make_pool,
		 .bodies = {add_to_pool, add_to_pool, add_to_pool, join_group, add_to_pool},
		 .check = check_pool)

		static void make_group(struct stage *stage)
{
	weft_group_new((weft_group **)&stage->x);
}

static void *sleep_in_group(void *arg)
{
	struct stage *stage = arg;

	weft_sleep(WEFT_FOREVER);
	count_in(stage, RAN, 1);
	return NULL;
}

static void *kill_group(void *arg)
{
	struct stage *stage = arg;
	int err;

	for (int i = 0; i < 3; i++)
		expect(stage,
		       weft_group_spawn(stage->x, NULL, sleep_in_group, stage, WEFT_FOREVER) == 0);
	weft_sleep(0);
	UNTIL_DONE(err, weft_group_kill(stage->x, WEFT_FOREVER));
	expect(stage, err == 0);
	return NULL;
}

static const char *check_killed(struct stage *stage)
{
	MUST(stage->counts[ODD] == 0);
	MUST(weft_group_size(stage->x) == 0);
	MUST(weft_group_free(stage->x) == 0);
	return NULL;
}

Injected(killed_group, .make = make_group, .bodies = {kill_group, kill_group, join_group},
	 .check = check_killed)

	/* --- apply, map, imap --- */

	static void *give_later(void *item)
{
	weft_sleep(0);
	return item;
}

static void *apply(void *arg)
{
	struct stage *stage = arg;
	void *value = NULL;
	int err;

	UNTIL_DONE(err, weft_group_apply(stage->x, give_later, stage, &value));
	expect(stage, err == 0 && value == stage);
	count_in(stage, DONE, 1);
	return NULL;
}

static void *map(void *arg)
{
	static char bytes[ITEMS];
	void *const items[ITEMS] = {&bytes[0], &bytes[1], &bytes[2], &bytes[3]};
	struct stage *stage = arg;
	void *values[ITEMS];
	int err;

	UNTIL_DONE(err, weft_group_map(stage->x, give_later, items, ITEMS, values));
	expect(stage, err == 0);
	for (int i = 0; i < ITEMS; i++)
		expect(stage, values[i] == items[i]);
	count_in(stage, DONE, 1);
	return NULL;
}

static void take_all(struct stage *stage, bool ordered)
{
	static char bytes[ITEMS];
	void *const items[ITEMS] = {&bytes[0], &bytes[1], &bytes[2], &bytes[3]};
	weft_imap *imap;
	void *value;
	size_t index, next = 0;
	int n;

	expect(stage, weft_group_imap(stage->x, &imap, give_later, items, ITEMS, ordered) == 0);
	for (;;) {
		UNTIL_DONE(n, weft_imap_next(imap, WEFT_FOREVER, &index, &value));
		if (n != 1)
			break;
		expect(stage, value == items[index] && (!ordered || index == next++));
		count_in(stage, GIVEN, 1 << (4 * index));
	}
	expect(stage, n == 0);
	expect(stage, weft_imap_free(imap) == 0);
	count_in(stage, DONE, 1);
}

static void *take_in_order(void *arg)
{
	take_all(arg, true);
	return NULL;
}

static void *take_as_they_come(void *arg)
{
	take_all(arg, false);
	return NULL;
}

static const char *check_maps(struct stage *stage)
{
	MUST(weft_group_join(stage->x, WEFT_FOREVER) == 0);
	MUST(stage->counts[ODD] == 0);
	MUST(stage->counts[DONE] == 4);
	MUST(stage->counts[GIVEN] == 0x2222);
	MUST(weft_group_free_places(stage->x) == PLACES);
	MUST(weft_group_free(stage->x) == 0);
	return NULL;
}

Injected(maps, .make = make_pool, .bodies = {apply, map, take_in_order, take_as_they_come},
	 .check = check_maps)

	/* --- timers --- */

	static void count_time(void *stage)
{
	count_in(stage, RAN, 1);
	weft_sleep(0);
	count_in(stage, DONE, 1);
}

static void make_timer(struct stage *stage)
{
	weft_timer_new((weft_timer **)&stage->x, count_time, stage);
}

static void *start_timer(void *arg)
{
	struct stage *stage = arg;
	int err;

	expect(stage, weft_timer_start(stage->x, 20 * WEFT_US, 0) == 0);
	UNTIL_DONE(err, weft_timer_join(stage->x, WEFT_FOREVER));
	expect(stage, err == 0);
	return NULL;
}

static void *join_timer(void *arg)
{
	struct stage *stage = arg;
	int err;

	UNTIL_DONE(err, weft_timer_join(stage->x, weft_after(10 * WEFT_US)));
	expect(stage, err == 0 || err == -ETIMEDOUT);
	UNTIL_DONE(err, weft_timer_join(stage->x, WEFT_FOREVER));
	expect(stage, err == 0);
	return NULL;
}

static const char *check_timer(struct stage *stage)
{
	MUST(stage->counts[ODD] == 0);
	MUST(stage->counts[RAN] == 1);
	MUST(stage->counts[DONE] == 1);
	MUST(!weft_timer_armed(stage->x));
	MUST(weft_timer_free(stage->x) == 0);
	return NULL;
}

Injected(timer, .make = make_timer, .bodies = {start_timer, join_timer, join_timer},
	 .check = check_timer)

	/* --- executors --- */

	static void make_executor(struct stage *stage)
{
	weft_executor_new((weft_executor **)&stage->x, 2);
}

static void *block(void *stage)
{
	usleep(20);
	count_in(stage, RAN, 1);
	return stage;
}

static void *submit(void *arg)
{
	struct stage *stage = arg;
	weft_future *futures[2];
	void *value = NULL;
	int err;

	for (int i = 0; i < 2; i++)
		expect(stage, weft_executor_submit(stage->x, &futures[i], block, stage) == 0);
	for (int i = 0; i < 2; i++) {
		UNTIL_DONE(err, weft_future_result(futures[i], WEFT_FOREVER, &value));
		expect(stage, err == 0 && value == stage);
		weft_future_release(futures[i]);
	}
	count_in(stage, MADE, 2);
	return NULL;
}

static void *run_elsewhere(void *arg)
{
	struct stage *stage = arg;
	void *value = NULL;
	int err = weft_run_in_executor(stage->x, block, stage, &value);

	expect(stage, err == 0 ? value == stage : is_injected(err));
	if (err == 0)
		count_in(stage, MADE, 1);
	return NULL;
}

static void *map_elsewhere(void *arg)
{
	struct stage *stage = arg;
	void *const items[] = {stage, stage, stage};
	void *values[3] = {NULL};
	int err = weft_executor_map(stage->x, block, items, 3, values, WEFT_FOREVER);

	expect(stage, err == 0 ? values[2] == stage : is_injected(err));
	if (err == 0)
		count_in(stage, MADE, 3);
	else
		count_in(stage, GIVEN, 3); /* at most that many of these have run */
	return NULL;
}

static void *shut_down(void *arg)
{
	struct stage *stage = arg;
	int err;

	for (size_t i = 0; i < 3; i++)
		UNTIL_DONE(err, weft_join(stage->actors[i], WEFT_FOREVER));
	UNTIL_DONE(err, weft_executor_shutdown(stage->x, false, WEFT_FOREVER));
	expect(stage, err == 0);
	expect(stage, weft_executor_submit(stage->x, NULL, block, stage) == -ESHUTDOWN);
	return NULL;
}

static const char *check_executor(struct stage *stage)
{
	MUST(stage->counts[ODD] == 0);
	MUST(stage->counts[RAN] >= stage->counts[MADE]);
	MUST(stage->counts[RAN] <= stage->counts[MADE] + stage->counts[GIVEN]);
	MUST(weft_executor_free(stage->x) == 0);
	return NULL;
}

Injected(executor, .make = make_executor,
	 .bodies = {submit, run_elsewhere, map_elsewhere, shut_down}, .check = check_executor)

	/* --- asyncio's shapes --- */

	static void *gather(void *arg)
{
	struct stage *stage = arg;
	weft_task *tasks[3];
	void *values[3] = {NULL};
	int errors[3], err, joined;

	for (size_t i = 0; i < COUNT(tasks); i++)
		expect(stage, weft_spawn(&tasks[i], give_later, &tasks[i]) == 0);
	err = weft_gather(tasks, 3, errors, values);
	expect(stage, err == 0 || is_injected(err));
	for (size_t i = 0; i < COUNT(tasks); i++) {
		expect(stage, err != 0 || values[i] == &tasks[i]);
		UNTIL_DONE(joined, weft_join(tasks[i], WEFT_FOREVER));
		expect(stage, joined == 0);
		weft_release(tasks[i]);
	}
	count_in(stage, DONE, 1);
	return NULL;
}

static void *gather_calls(void *arg)
{
	struct stage *stage = arg;
	weft_call calls[] = {{give_later, stage}, {give_later, NULL}, {give_later, stage}};
	void *values[3] = {NULL};
	int err;

	UNTIL_DONE(err, weft_gather_calls(calls, 3, NULL, values));
	expect(stage, err == 0 && values[0] == stage && values[1] == NULL && values[2] == stage);
	count_in(stage, DONE, 1);
	return NULL;
}

static void *sleep_long(void *arg)
{
	weft_sleep(WEFT_FOREVER);
	return arg;
}

/* Whatever ends it, what was waited for has ended. */
static void *wait_for_too_long(void *arg)
{
	struct stage *stage = arg;
	weft_task *task;
	int err;

	expect(stage, weft_spawn(&task, sleep_long, stage) == 0);
	err = weft_wait_for(task, weft_after(20 * WEFT_US), NULL);
	expect(stage, err == -ETIMEDOUT || is_injected(err));
	expect(stage, weft_ended(task));
	weft_release(task);
	count_in(stage, DONE, 1);
	return NULL;
}

/* What stands behind a shield goes on. */
static void *wait_for_shield(void *arg)
{
	struct stage *stage = arg;
	weft_task *task, *shield;
	int err;

	expect(stage, weft_spawn(&task, sleep_long, stage) == 0);
	weft_sleep(0);
	expect(stage, weft_shield(&shield, task) == 0);
	err = weft_wait_for(shield, weft_after(20 * WEFT_US), NULL);
	expect(stage, err == -ETIMEDOUT || is_injected(err));
	expect(stage, weft_ended(shield) && !weft_ended(task));
	expect(stage, weft_kill(task, 0) == 0);
	UNTIL_DONE(err, weft_join(task, WEFT_FOREVER));
	weft_release(shield);
	weft_release(task);
	count_in(stage, DONE, 1);
	return NULL;
}

static const char *check_aio(struct stage *stage)
{
	MUST(stage->counts[ODD] == 0);
	MUST(stage->counts[DONE] == 4);
	return NULL;
}

static void make_nothing(struct stage *stage)
{
	(void)stage;
}

Injected(aio, .make = make_nothing,
	 .bodies = {gather, gather_calls, wait_for_too_long, wait_for_shield}, .check = check_aio)
