/* weft/task.h: variables of tasks. */
#include <errno.h>

#include "unit.h"

static weft_local *first, *second;

static void *use(void *value)
{
	cr_expect_null(weft_local_get(first));
	cr_expect_eq(weft_local_set(first, value), 0);
	weft_sleep(WEFT_MS);
	cr_expect_eq(weft_local_get(first), value);
	cr_expect_null(weft_local_get(second));
	cr_expect_eq(weft_local_set(first, NULL), 0);
	cr_expect_null(weft_local_get(first));
	cr_expect_eq(weft_local_set(first, value), 0);
	return value;
}

static unsigned int destroyed;

static void count_destroyed(void *value)
{
	cr_expect_not_null(value);
	__atomic_add_fetch(&destroyed, 1, __ATOMIC_RELAXED);
}

BothWays(api_local, each_task_has_a_value_of_its_own)
{
	weft_task *tasks[10];

	cr_assert_eq(weft_local_new(&first, count_destroyed), 0);
	cr_assert_eq(weft_local_new(&second, NULL), 0);
	cr_assert_eq(weft_local_set(second, &second), 0);
	for (size_t i = 0; i < COUNT(tasks); i++)
		cr_assert_eq(weft_spawn(&tasks[i], use, &tasks[i]), 0);
	cr_assert_eq(weft_local_free(second), -EBUSY);
	for (size_t i = 0; i < COUNT(tasks); i++)
		join(tasks[i]);

	cr_assert_eq(destroyed, COUNT(tasks));
	cr_assert_null(weft_local_get(first));
	cr_assert_eq(weft_local_get(second), &second);
	cr_assert_eq(weft_local_free(first), 0);
}

BothWays(api_local, what_is_missing_is_refused)
{
	cr_assert_eq(weft_local_new(NULL, NULL), -EINVAL);
	cr_assert_eq(weft_local_set(NULL, NULL), -EINVAL);
	cr_assert_null(weft_local_get(NULL));
	cr_assert_eq(weft_local_free(NULL), 0);
}

static void *set_nothing(void *arg)
{
	cr_expect_eq(weft_local_set(first, NULL), 0);
	return arg;
}

BothWays(api_local, a_value_of_null_is_not_destroyed)
{
	weft_task *task;

	cr_assert_eq(weft_local_new(&first, count_destroyed), 0);
	cr_assert_eq(weft_spawn(&task, set_nothing, NULL), 0);
	join(task);

	cr_assert_eq(destroyed, 0);
	cr_assert_eq(weft_local_free(first), 0);
}

static void set_second(void *text)
{
	note(text);
	cr_expect_null(weft_local_get(first));
	cr_expect_eq(weft_local_set(second, "second "), 0);
}

static void set_first_again(void *text)
{
	static bool once;

	note(text);
	if (!once)
		cr_expect_eq(weft_local_set(first, "first again "), 0);
	once = true;
}

static void *set_first(void *text)
{
	cr_expect_eq(weft_local_set(first, text), 0);
	return NULL;
}

BothWays(api_local, a_destructor_may_set_others)
{
	weft_task *task;

	cr_assert_eq(weft_local_new(&first, set_second), 0);
	cr_assert_eq(weft_local_new(&second, set_first_again), 0);
	cr_assert_eq(weft_spawn(&task, set_first, "first "), 0);
	join(task);

	cr_assert_str_eq(noted(), "first second first again second ");
	cr_assert_eq(weft_local_free(first), 0);
	cr_assert_eq(weft_local_free(second), 0);
}

static void defer_in_destructor(void *text)
{
	cr_expect_eq(weft_sleep(WEFT_MS), 0);
	cr_expect_eq(weft_defer(note_task, text), 0);
}

BothWays(api_local, a_destructor_may_wait_and_defer)
{
	weft_task *task;

	cr_assert_eq(weft_local_new(&first, defer_in_destructor), 0);
	cr_assert_eq(weft_spawn(&task, set_first, "deferred"), 0);
	join(task);

	cr_assert_str_eq(noted(), "deferred");
	cr_assert_eq(weft_local_free(first), 0);
}

static void *be_killed(void *text)
{
	set_first(text);
	weft_sleep(WEFT_FOREVER);
	return NULL;
}

BothWays(api_local, a_killed_tasks_values_are_destroyed)
{
	weft_task *task;

	cr_assert_eq(weft_local_new(&first, count_destroyed), 0);
	cr_assert_eq(weft_spawn(&task, be_killed, "value"), 0);
	until_waits(task);
	cr_assert_eq(weft_kill(task, WEFT_FOREVER), 0);

	cr_assert_eq(destroyed, 1);
	cr_assert_eq(weft_local_free(first), 0);
	weft_release(task);
}
