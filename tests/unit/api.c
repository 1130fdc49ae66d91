/* weft.h: runs, tasks and time. */
#include "weft.h"

#include <errno.h>
#include <stdio.h>

#include "unit.h"

static void *give_nothing(void *unused)
{
	return unused;
}

static void do_nothing(void *unused)
{
	(void)unused;
}

Test(api, the_version_is_that_of_the_header)
{
	char version[32];

	snprintf(version, sizeof(version), "%d.%d.%d", WEFT_VERSION_MAJOR, WEFT_VERSION_MINOR,
		 WEFT_VERSION_PATCH);

	cr_assert_str_eq(weft_version(), version);
}

Test(api, outside_of_a_run_nothing_is_a_task)
{
	weft_task *task = (weft_task *)1;

	cr_assert_null(weft_self());
	cr_assert_eq(weft_spawn(&task, give_nothing, NULL), -EPERM);
	cr_assert_eq(task, (weft_task *)1);
	cr_assert_eq(weft_sleep(0), -EPERM);
	cr_assert_eq(weft_wait_fd(0, WEFT_IN, WEFT_FOREVER), -EPERM);
	weft_yield();
}

static void spawn_others(void *depth)
{
	if ((long)depth > 0) {
		spawn_detached(spawn_others, (void *)((long)depth - 1));
		weft_sleep(MS);
	}
	note("x");
}

Test(api, a_run_ends_when_the_last_task_has_ended, .timeout = HANG_S)
{
	cr_assert_eq(run_tasks(spawn_others, (void *)5), 0);

	cr_assert_str_eq(noted(), "xxxxxx");
	cr_assert_null(weft_self());
}

Test(api, a_thread_can_run_again_and_again, .timeout = HANG_S)
{
	for (unsigned int i = 0; i < 50; i++)
		cr_assert_eq(run_tasks(do_nothing, NULL), 0);
}

static void run_nested(void *ret_result)
{
	*(int *)ret_result = run_tasks(do_nothing, NULL);
}

TaskTest(api, a_run_within_a_run_is_refused)
{
	int result = 0;

	cr_assert_eq(run_tasks(do_nothing, NULL), -EPERM);
	join(spawn(run_nested, &result));

	cr_assert_eq(result, -EPERM);
}

TaskTest(api, a_task_does_not_start_before_its_spawner_switches)
{
	weft_task *task = spawn(note_task, "task ");

	note("spawner ");
	join(task);

	cr_assert_str_eq(noted(), "spawner task ");
}

static void save_self(void *ret_self)
{
	weft_yield();
	*(weft_task **)ret_self = weft_self();
}

TaskTest(api, a_task_knows_itself)
{
	weft_task *self = NULL, *main_self = weft_self();
	weft_task *task = spawn(save_self, &self);

	yield(3);

	cr_assert_eq(self, task);
	cr_assert_eq(weft_self(), main_self);
	join(task);
}

BothWays(api, join_waits_for_the_end)
{
	weft_task *self = NULL, *task = spawn(save_self, &self);

	join(task);

	cr_assert_eq(self, task);
}

TaskTest(api, join_of_a_task_that_has_ended_does_not_switch)
{
	weft_task *task = spawn(do_nothing, NULL), *other;

	weft_yield();
	other = spawn(note_task, "other");
	join(task);
	cr_assert_str_eq(noted(), "");

	join(other);
}

BothWays(api, join_of_oneself_is_refused)
{
	cr_assert_eq(weft_join(weft_self(), WEFT_FOREVER), -EDEADLK);
}

struct joining {
	weft_task *target;
	int result;
};

static void join_task(void *arg)
{
	struct joining *joining = arg;

	joining->result = weft_join(joining->target, WEFT_FOREVER);
}

static void sleep_task(void *ms)
{
	weft_sleep((intptr_t)ms * WEFT_MS);
}

BothWays(api, any_number_joins_a_task)
{
	struct joining first = {.result = 1};
	weft_task *target = spawn(sleep_task, (void *)5), *joiner;

	first.target = target;
	joiner = spawn(join_task, &first);
	weft_yield();
	cr_assert_eq(weft_join(target, WEFT_FOREVER), 0);
	join(joiner);
	join(target);

	cr_assert_eq(first.result, 0);
}

static void join_outside(void *arg)
{
	join_task(arg);
}

TaskTest(api, join_from_a_thread_that_is_no_carrier_is_refused)
{
	struct joining outside = {.target = spawn(do_nothing, NULL)};

	on_foreign_thread(join_outside, &outside);

	cr_assert_eq(outside.result, -EPERM);
	join(outside.target);
}

TaskTest(api, a_detached_task_runs_to_its_end)
{
	spawn_detached(note_task, "detached");

	weft_yield();

	cr_assert_str_eq(noted(), "detached");
}

TaskTest(api, a_sleep_is_never_shorter_than_asked_for)
{
	for (int64_t duration_ns = 1; duration_ns < 10 * WEFT_MS;
	     duration_ns = duration_ns * 3 + 7) {
		int64_t before_ns = weft_now();

		cr_assert_eq(weft_sleep(duration_ns), 0);
		cr_assert_geq(weft_now() - before_ns, duration_ns);
	}
}

static void count_and_sleep(void *count)
{
	++*(unsigned int *)count;
	weft_sleep(MS);
	++*(unsigned int *)count;
}

TaskTest(api, ten_thousand_tasks_are_alive_at_once)
{
	static weft_task *tasks[MANY_TASKS];
	unsigned int count = 0;

	for (size_t i = 0; i < COUNT(tasks); i++)
		tasks[i] = spawn(count_and_sleep, &count);
	weft_yield();
	cr_assert_geq(count, COUNT(tasks));
	for (size_t i = 0; i < COUNT(tasks); i++)
		join(tasks[i]);

	cr_assert_eq(count, 2 * COUNT(tasks));
}
