/* weft/task.h: how tasks begin and end, and what they leave. */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static void *give(void *arg)
{
	return arg;
}

/* Until something is raised in it. */
static void *give_when_raised(void *arg)
{
	weft_sleep(WEFT_FOREVER);
	return arg;
}

static weft_task *start(weft_func *fn, void *arg)
{
	weft_task *task = NULL;

	cr_assert_eq(weft_spawn(&task, fn, arg), 0);
	return task;
}

BothWays(api_task, a_task_gives_what_its_function_returns)
{
	int it = 0;
	void *value = NULL;
	weft_task *task = start(give_when_raised, &it);

	cr_expect_not(weft_ended(task));
	cr_expect_null(weft_value(task));
	cr_expect_eq(weft_error(task), -EINPROGRESS);
	until_waits(task);
	cr_expect(weft_started(task));
	weft_raise(task, -EINTR);

	cr_assert_eq(weft_get(task, WEFT_FOREVER, &value), 0);
	cr_assert_eq(value, &it);
	cr_assert(weft_ended(task));
	cr_assert_eq(weft_value(task), &it);
	cr_assert_eq(weft_error(task), 0);
	cr_assert_eq(weft_get(task, 0, NULL), 0);
	weft_release(task);
}

static void *fail(void *arg)
{
	cr_expect_eq(weft_set_error(1), -EINVAL);
	cr_expect_eq(weft_set_error(-EIO), 0);
	cr_expect_eq(weft_set_error((int)(intptr_t)arg), 0);
	return arg;
}

BothWays(api_task, a_task_fails_as_it_says)
{
	void *value = &value;
	weft_task *failed = start(fail, (void *)-EPROTO), *well = start(fail, NULL);

	cr_assert_eq(weft_join(failed, WEFT_FOREVER), 0);
	cr_assert_eq(weft_get(failed, WEFT_FOREVER, &value), -EPROTO);
	cr_assert_eq(weft_error(failed), -EPROTO);
	cr_assert_eq(value, &value);
	cr_assert_eq(weft_get(well, WEFT_FOREVER, &value), 0);
	cr_assert_null(value);
	weft_release(failed);
	weft_release(well);
}

static void link_nothing(weft_task *task, void *arg)
{
	(void)task;
	(void)arg;
}

BothWays(api_task, what_is_missing_is_refused)
{
	weft_task *task = (weft_task *)1, *missing[] = {weft_self(), NULL};

	cr_assert_eq(weft_run(NULL, NULL, NULL), -EINVAL);
	cr_assert_eq(weft_spawn(&task, NULL, NULL), -EINVAL);
	cr_assert_eq(weft_spawn_sized(&task, 65536, NULL, NULL), -EINVAL);
	cr_assert_eq(weft_spawn_later(&task, 0, NULL, NULL), -EINVAL);
	cr_assert_eq(weft_spawn_raw(NULL, NULL), -EINVAL);
	cr_assert_eq(task, (weft_task *)1);
	cr_assert_null(weft_ref(NULL));
	weft_release(NULL);
	cr_assert_eq(weft_join(NULL, WEFT_FOREVER), -EINVAL);
	cr_assert_eq(weft_joinall(NULL, 1, 0, WEFT_FOREVER), -EINVAL);
	cr_assert_eq(weft_joinall(missing, 2, 0, WEFT_FOREVER), -EINVAL);
	cr_assert_eq(weft_get(NULL, WEFT_FOREVER, NULL), -EINVAL);
	cr_assert_eq(weft_kill(NULL, WEFT_FOREVER), -EINVAL);
	cr_assert_eq(weft_killall(NULL, 1, WEFT_FOREVER), -EINVAL);
	cr_assert_eq(weft_killall(missing, 2, WEFT_FOREVER), -EINVAL);
	cr_assert_not(weft_killed());
	cr_assert_eq(weft_raise(NULL, -EIO), -EINVAL);
	cr_assert_eq(weft_link(NULL, link_nothing, NULL), -EINVAL);
	cr_assert_eq(weft_link(weft_self(), NULL, NULL), -EINVAL);
	cr_assert_eq(weft_unlink(NULL, link_nothing, NULL), -EINVAL);
	cr_assert_eq(weft_defer(NULL, NULL), -EINVAL);
	cr_assert_null(weft_value(NULL));
	cr_assert_eq(weft_error(NULL), -EINVAL);
	cr_assert_not(weft_started(NULL));
	cr_assert_not(weft_ended(NULL));
}

BothWays(api_task, negative_times_are_refused)
{
	weft_task *task = start(give, NULL), *never = (weft_task *)1;
	weft_timeout timeout;

	cr_assert_eq(weft_after(-1), -EINVAL);
	cr_assert_eq(weft_after(WEFT_FOREVER), WEFT_FOREVER);
	cr_assert_eq(weft_spawn_later(&never, -1, give, NULL), -EINVAL);
	cr_assert_eq(never, (weft_task *)1);
	cr_assert_eq(weft_join(task, -1), -EINVAL);
	cr_assert_eq(weft_joinall(&task, 1, 0, -1), -EINVAL);
	cr_assert_eq(weft_joinall(NULL, 0, 0, -1), -EINVAL);
	cr_assert_eq(weft_get(task, INT64_MIN, NULL), -EINVAL);
	cr_assert_eq(weft_kill(task, -1), -EINVAL);
	cr_assert_eq(weft_killall(&task, 1, -1), -EINVAL);
	cr_assert_eq(weft_sleep(-1), -EINVAL);
	cr_assert_eq(weft_idle(-1), -EINVAL);
	cr_assert_eq(weft_timeout_begin(&timeout, -1, 0), -EINVAL);
	join(task);
}

TaskTest(api_task, stacks_have_a_size_in_reason)
{
	weft_task *task = (weft_task *)1;

	cr_assert_eq(weft_spawn_sized(&task, 0, give, NULL), -EINVAL);
	cr_assert_eq(weft_spawn_sized(&task, 8191, give, NULL), -EINVAL);
	cr_assert_eq(weft_spawn_sized(&task, ((size_t)1 << 30) + 1, give, NULL), -EINVAL);
	cr_assert_eq(weft_spawn_sized(&task, SIZE_MAX, give, NULL), -EINVAL);
	cr_assert_eq(task, (weft_task *)1);
}

static void *use_stack(void *bytes)
{
	volatile char stack[65536];

	for (size_t i = 0; i < sizeof(stack); i += 512)
		stack[i] = (char)i;
	return stack[512] == 0 ? bytes : NULL;
}

BothWays(api_task, a_stack_is_as_large_as_asked_for)
{
	void *value = NULL;
	weft_task *small, *large;

	cr_assert_eq(weft_spawn_sized(&small, 8192, give, &value), 0);
	cr_assert_eq(weft_spawn_sized(&large, 1000000, use_stack, &value), 0);
	cr_assert_eq(weft_get(small, WEFT_FOREVER, &value), 0);
	cr_assert_eq(value, &value);
	cr_assert_eq(weft_get(large, WEFT_FOREVER, &value), 0);
	cr_assert_eq(value, &value);
	weft_release(small);
	weft_release(large);
}

static void *note_now(void *text)
{
	note(text);
	return NULL;
}

BothWays(api_task, a_task_starts_not_before_its_time)
{
	int64_t earliest_ns = weft_after(5 * WEFT_MS);
	weft_task *task;

	cr_assert_eq(weft_spawn_later(&task, 5 * WEFT_MS, note_now, "ran"), 0);
	cr_assert_not(weft_started(task) && weft_now() < earliest_ns);
	cr_assert_eq(weft_join(task, WEFT_FOREVER), 0);

	cr_assert_geq(weft_now(), earliest_ns);
	cr_assert(weft_started(task));
	cr_assert_str_eq(noted(), "ran");
	weft_release(task);
}

TaskTest(api_task, tasks_start_in_the_order_of_their_times)
{
	weft_task *tasks[3];

	cr_assert_eq(weft_spawn_later(&tasks[0], 30 * WEFT_MS, note_now, "3"), 0);
	cr_assert_eq(weft_spawn_later(&tasks[1], 10 * WEFT_MS, note_now, "1"), 0);
	cr_assert_eq(weft_spawn_later(&tasks[2], 20 * WEFT_MS, note_now, "2"), 0);
	cr_assert_eq(weft_joinall(tasks, 3, 0, WEFT_FOREVER), 3);

	cr_assert_str_eq(noted(), "123");
	for (size_t i = 0; i < COUNT(tasks); i++)
		weft_release(tasks[i]);
}

BothWays(api_task, a_task_that_is_killed_before_its_time_never_runs)
{
	weft_task *task;

	cr_assert_eq(weft_spawn_later(&task, WEFT_FOREVER, note_now, "ran"), 0);
	until_waits(task);
	cr_assert_not(weft_started(task));
	cr_assert_eq(weft_kill(task, WEFT_FOREVER), 0);

	cr_assert_not(weft_started(task));
	cr_assert(weft_ended(task));
	cr_assert_eq(weft_error(task), -ECANCELED);
	cr_assert_null(weft_value(task));
	cr_assert_str_eq(noted(), "");
	weft_release(task);
}

/* Its own time is told by that error, too. */
BothWays(api_task, an_error_before_its_time_does_not_start_a_task)
{
	weft_task *task;

	cr_assert_eq(weft_spawn_later(&task, WEFT_FOREVER, note_now, "ran"), 0);
	cr_assert_eq(weft_raise(task, -ETIMEDOUT), 0);
	cr_assert_eq(weft_join(task, WEFT_FOREVER), 0);

	cr_assert_eq(weft_error(task), -ETIMEDOUT);
	cr_assert_str_eq(noted(), "");
	weft_release(task);
}

TaskTest(api_task, a_task_that_is_killed_before_its_turn_never_runs)
{
	weft_task *task = start(note_now, "ran");

	cr_assert_eq(weft_kill(task, 0), 0);
	cr_assert_not(weft_ended(task));
	cr_assert_eq(weft_join(task, WEFT_FOREVER), 0);

	cr_assert_not(weft_started(task));
	cr_assert_eq(weft_error(task), -ECANCELED);
	cr_assert_str_eq(noted(), "");
	weft_release(task);
}

static void *ended_task;

static void note_link(weft_task *task, void *text)
{
	ended_task = weft_ended(task) ? task : NULL;
	note(text);
}

BothWays(api_task, links_are_called_in_their_order)
{
	weft_task *task = start(give_when_raised, NULL);

	cr_assert_eq(weft_link(task, note_link, "1"), 0);
	cr_assert_eq(weft_link(task, note_link, "2"), 0);
	cr_assert_eq(weft_link(task, note_link, "3"), 0);
	cr_assert_eq(weft_link(task, note_link, "2"), 0);
	cr_assert_eq(weft_unlink(task, note_link, "2"), 0);
	cr_assert_eq(weft_unlink(task, link_nothing, "2"), -ENOENT);
	until_waits(task);
	cr_assert_str_eq(noted(), "");
	weft_raise(task, -EINTR);
	/* The last thing that it does; the others are woken before. */
	weft__enter();
	while (task->refs > 1) {
		weft__leave();
		weft_sleep(WEFT_MS);
		weft__enter();
	}
	weft__leave();

	cr_assert_str_eq(noted(), "132");
	cr_assert_eq(ended_task, task);
	cr_assert_eq(weft_unlink(task, note_link, "1"), -ENOENT);
	weft_release(task);
}

static void *spawner;

static void tell_spawner(weft_task *task, void *arg)
{
	*(weft_task **)arg = task;
	weft_raise(spawner, -EINTR);
}

BothWays(api_task, a_link_to_what_has_ended_is_called_soon)
{
	weft_task *task = start(give, NULL), *linked = NULL;

	spawner = weft_self();
	cr_assert_eq(weft_join(task, WEFT_FOREVER), 0);
	cr_assert_eq(weft_link(task, tell_spawner, &linked), 0);

	cr_assert_eq(weft_sleep(WEFT_FOREVER), -EINTR);
	cr_assert_eq(linked, task);
	weft_release(task);
}

static void leave_more(weft_task *task, void *unused);

static void note_deferred(void *text)
{
	note(text);
}

static void *defer_three(void *arg)
{
	cr_expect_eq(weft_undefer(true), -ENOENT);
	cr_expect_eq(weft_defer(note_deferred, "1"), 0);
	cr_expect_eq(weft_defer(note_deferred, "2"), 0);
	cr_expect_eq(weft_defer(note_deferred, "x"), 0);
	cr_expect_eq(weft_undefer(false), 0);
	cr_expect_eq(weft_defer(note_deferred, "now "), 0);
	cr_expect_eq(weft_undefer(true), 0);
	cr_expect_eq(weft_defer(note_deferred, "3"), 0);
	weft_sleep(*(int64_t *)arg);
	return NULL;
}

BothWays(api_task, what_is_deferred_is_called_last_first)
{
	int64_t short_ns = 0;

	join(start(defer_three, &short_ns));

	cr_assert_str_eq(noted(), "now 321");
}

BothWays(api_task, what_is_deferred_is_called_in_a_killed_task_too)
{
	int64_t long_ns = WEFT_FOREVER;
	weft_task *task = start(defer_three, &long_ns);

	until_waits(task);
	cr_assert_eq(weft_kill(task, WEFT_FOREVER), 0);

	cr_assert_str_eq(noted(), "now 321");
	weft_release(task);
}

static void wait_and_note(void *text)
{
	cr_expect_eq(weft_sleep(WEFT_MS), 0);
	note(text);
}

static void defer_more(void *text)
{
	cr_expect_eq(weft_defer(wait_and_note, text), 0);
}

static void *defer_what_waits(void *arg)
{
	weft_defer(note_deferred, " last");
	weft_defer(defer_more, "second");
	weft_defer(wait_and_note, "first ");
	return arg;
}

BothWays(api_task, what_is_deferred_may_wait_and_defer)
{
	join(start(defer_what_waits, NULL));

	cr_assert_str_eq(noted(), "first second last");
}

static void leave_more(weft_task *task, void *unused)
{
	(void)task;
	(void)unused;
	cr_expect_eq(weft_defer(note_deferred, "deferred by a link"), 0);
}

TaskTest(api_task, what_a_link_defers_is_called)
{
	weft_task *task = start(give, NULL);

	cr_assert_eq(weft_link(task, leave_more, NULL), 0);
	join(task);
	weft_yield();

	cr_assert_str_eq(noted(), "deferred by a link");
}

BothWays(api_task, joinall_waits_for_so_many)
{
	weft_task *tasks[4] = {start(give_when_raised, NULL), start(give, NULL),
			       start(give_when_raised, NULL), start(give, NULL)};
	weft_task *self_too[] = {tasks[0], weft_self()};

	cr_assert_eq(weft_joinall(tasks, 4, 5, WEFT_FOREVER), -EINVAL);
	cr_assert_eq(weft_joinall(self_too, 2, 0, WEFT_FOREVER), -EDEADLK);
	cr_assert_eq(weft_joinall(tasks, 4, 2, WEFT_FOREVER), 2);
	cr_assert_eq(weft_joinall(tasks, 4, 1, 0), 2);
	cr_assert_eq(weft_joinall(tasks, 4, 3, weft_after(WEFT_MS)), -ETIMEDOUT);
	cr_assert_eq(weft_joinall(tasks, 4, 0, 0), -ETIMEDOUT);
	weft_raise(tasks[2], -EINTR);
	cr_assert_eq(weft_joinall(tasks, 4, 3, WEFT_FOREVER), 3);
	weft_raise(tasks[0], -EINTR);
	cr_assert_eq(weft_joinall(tasks, 4, 0, WEFT_FOREVER), 4);
	cr_assert_eq(weft_joinall(NULL, 0, 0, WEFT_FOREVER), 0);
	for (size_t i = 0; i < COUNT(tasks); i++)
		weft_release(tasks[i]);
}

static void *join_first(void *first)
{
	void *value = NULL;

	cr_expect_eq(weft_get(first, WEFT_FOREVER, &value), 0);
	note(value);
	weft_release(first);
	return NULL;
}

static void note_end(weft_task *task, void *text)
{
	(void)task;
	note(text);
}

static void *be_joined(void *text)
{
	weft_task *self = weft_self();

	cr_expect_eq(weft_link(self, note_end, "linked "), 0);
	cr_expect_eq(weft_spawn_raw(join_first, weft_ref(self)), 0);
	return text;
}

static void run_to_be_joined(void)
{
	void *value = NULL;

	cr_assert_eq(weft_run(be_joined, "value", &value), 0);

	cr_assert_str_eq(value, "value");
	cr_assert_not_null(strstr(noted(), "value"));
	cr_assert_not_null(strstr(noted(), "linked "));
}

Test(api_task, the_first_task_can_be_joined, .timeout = HANG_S)
{
	run_to_be_joined();
}

Test(api_task, the_first_task_can_be_joined_on_threads, .timeout = HANG_S)
{
	weft__use_threads();
	run_to_be_joined();
}

static void *keep_reference(void *ret_task)
{
	cr_expect_eq(weft_spawn((weft_task **)ret_task, give, "kept"), 0);
	return NULL;
}

static void keep_after_run(void)
{
	weft_task *task = NULL;

	cr_assert_eq(weft_run(keep_reference, &task, NULL), 0);

	cr_assert(weft_ended(task));
	cr_assert_str_eq(weft_value(task), "kept");
	cr_assert_eq(weft_error(task), 0);
	cr_assert_eq(weft_raise(task, -EIO), -ESRCH);
	cr_assert_eq(weft_kill(task, 0), 0);
	weft_release(weft_ref(task));
	weft_release(task);
}

Test(api_task, a_reference_is_good_after_the_run, .timeout = HANG_S)
{
	keep_after_run();
}

Test(api_task, a_reference_is_good_after_the_run_on_threads, .timeout = HANG_S)
{
	weft__use_threads();
	keep_after_run();
}

static void *join_kept(void *task)
{
	void *value = NULL;

	cr_expect_eq(weft_get(task, WEFT_FOREVER, &value), 0);
	return value;
}

Test(api_task, what_has_ended_in_one_run_is_joined_in_the_next, .timeout = HANG_S)
{
	weft_task *task = NULL;
	void *value = NULL;

	cr_assert_eq(weft_run(keep_reference, &task, NULL), 0);
	cr_assert_eq(weft_run(join_kept, task, &value), 0);

	cr_assert_str_eq(value, "kept");
	weft_release(task);
}
