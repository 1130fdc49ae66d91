/* weft/task.h: scopes with a limit of time. */
#include <errno.h>

#include "unit.h"

#define LONG_NS (3600 * WEFT_S)

static void *give(void *arg)
{
	return arg;
}

BothWays(api_timeout, a_scope_that_is_left_in_time_raises_nothing)
{
	weft_timeout timeout;

	cr_assert_eq(weft_timeout_begin(&timeout, LONG_NS, -EPROTO), 0);
	cr_assert_eq(weft_sleep(WEFT_MS), 0);
	cr_assert_eq(weft_timeout_end(&timeout), 0);
	cr_assert_eq(weft_sleep(WEFT_MS), 0);
}

BothWays(api_timeout, a_scope_raises_its_error_once)
{
	int64_t earliest_ns = weft_after(WEFT_MS);
	weft_timeout timeout;

	cr_assert_eq(weft_timeout_begin(&timeout, WEFT_MS, -EPROTO), 0);
	cr_assert_eq(weft_sleep(WEFT_FOREVER), -EPROTO);
	cr_assert_geq(weft_now(), earliest_ns);
	cr_assert_eq(weft_sleep(WEFT_MS), 0);
	cr_assert_eq(weft_timeout_end(&timeout), 1);
}

/* Which is what ends a sleep at its own time, too, inside. */
BothWays(api_timeout, a_scope_raises_that_its_time_is_over)
{
	weft_timeout timeout;

	cr_assert_eq(weft_timeout_begin(&timeout, WEFT_MS, 0), 0);
	cr_assert_eq(weft_sleep(LONG_NS), -ETIMEDOUT);
	cr_assert_eq(weft_timeout_end(&timeout), 1);

	cr_assert_eq(weft_timeout_begin(&timeout, 0, 0), 0);
	cr_assert_eq(weft_sleep(LONG_NS), -ETIMEDOUT);
	cr_assert_eq(weft_sleep(0), 0);
	cr_assert_eq(weft_timeout_end(&timeout), 1);
}

BothWays(api_timeout, a_scope_ends_the_wait_that_its_time_comes_in)
{
	weft_timeout timeout;
	weft_object *object;
	weft_task *other;
	bool ready = true;

	cr_assert_eq(weft_spawn_later(&other, WEFT_FOREVER, give, NULL), 0);
	object = weft_object(other);
	cr_assert_eq(weft_timeout_begin(&timeout, WEFT_MS, -EPROTO), 0);
	cr_assert_eq(weft_wait(&object, 1, 1, WEFT_FOREVER, &ready), -EPROTO);
	cr_assert_eq(weft_timeout_end(&timeout), 1);
	cr_assert(ready);
	cr_assert_eq(weft_timeout_begin(&timeout, LONG_NS, -EPROTO), 0);
	cr_assert_eq(weft_wait(&object, 1, 1, weft_after(WEFT_MS), &ready), -ETIMEDOUT);
	cr_assert_eq(weft_timeout_end(&timeout), 0);
	cr_assert_eq(weft_kill(other, WEFT_FOREVER), 0);
	weft_release(other);
}

BothWays(api_timeout, what_is_missing_or_wrong_is_refused)
{
	weft_timeout timeout, closed;

	cr_assert_eq(weft_timeout_begin(NULL, 0, 0), -EINVAL);
	cr_assert_eq(weft_timeout_begin(&timeout, -1, 0), -EINVAL);
	cr_assert_eq(weft_timeout_begin(&timeout, 0, EIO), -EINVAL);
	cr_assert_eq(weft_timeout_end(NULL), -EINVAL);
	cr_assert_eq(weft_timeout_end(&timeout), -EINVAL);
	cr_assert_eq(weft_timeout_begin(&closed, WEFT_FOREVER, 0), 0);
	cr_assert_eq(weft_timeout_end(&closed), 0);
	cr_assert_eq(weft_timeout_end(&closed), -EINVAL);
}

BothWays(api_timeout, the_inner_scope_is_raised_in_the_outer)
{
	weft_timeout outer, inner;

	cr_assert_eq(weft_timeout_begin(&outer, LONG_NS, -EIO), 0);
	cr_assert_eq(weft_timeout_begin(&inner, WEFT_MS, -EPROTO), 0);
	cr_assert_eq(weft_sleep(WEFT_FOREVER), -EPROTO);
	cr_assert_eq(weft_timeout_end(&inner), 1);
	cr_assert_eq(weft_timeout_end(&outer), 0);
}

BothWays(api_timeout, the_outer_scope_is_raised_during_the_inner)
{
	weft_timeout outer, inner;

	cr_assert_eq(weft_timeout_begin(&outer, WEFT_MS, -EIO), 0);
	cr_assert_eq(weft_timeout_begin(&inner, LONG_NS, -EPROTO), 0);
	cr_assert_eq(weft_sleep(WEFT_FOREVER), -EIO);
	cr_assert_eq(weft_timeout_end(&inner), 0);
	cr_assert_eq(weft_sleep(WEFT_MS), 0);
	cr_assert_eq(weft_timeout_end(&outer), 1);
}

BothWays(api_timeout, scopes_whose_times_have_come_are_raised_one_after_the_other)
{
	weft_timeout first, second, third;

	cr_assert_eq(weft_timeout_begin(&first, 0, -EIO), 0);
	cr_assert_eq(weft_timeout_begin(&second, 0, -EPROTO), 0);
	cr_assert_eq(weft_timeout_begin(&third, LONG_NS, -EPIPE), 0);
	first.deadline_ns = 2;
	second.deadline_ns = 1;
	cr_assert_eq(weft_sleep(0), -EPROTO);
	cr_assert_eq(weft_sleep(0), -EIO);
	cr_assert_eq(weft_sleep(0), 0);
	cr_assert_eq(weft_timeout_end(&third), 0);
	cr_assert_eq(weft_timeout_end(&second), 1);
	cr_assert_eq(weft_timeout_end(&first), 1);
}

BothWays(api_timeout, what_is_open_in_a_scope_is_closed_with_it)
{
	weft_timeout outer, middle, inner;

	cr_assert_eq(weft_timeout_begin(&outer, LONG_NS, -EIO), 0);
	cr_assert_eq(weft_timeout_begin(&middle, LONG_NS, -EIO), 0);
	cr_assert_eq(weft_timeout_begin(&inner, 0, -EPROTO), 0);
	cr_assert_eq(weft_timeout_end(&middle), 0);
	cr_assert_eq(weft_sleep(WEFT_MS), 0);
	cr_assert_eq(weft_timeout_end(&inner), -EINVAL);
	cr_assert_eq(weft_timeout_end(&middle), -EINVAL);
	cr_assert_eq(weft_timeout_end(&outer), 0);
}

static void *end_anothers(void *timeout)
{
	cr_expect_eq(weft_timeout_end(timeout), -EINVAL);
	cr_expect_eq(weft_sleep(WEFT_MS), 0);
	return NULL;
}

BothWays(api_timeout, a_scope_is_its_tasks_own)
{
	weft_timeout timeout;
	weft_task *task;

	cr_assert_eq(weft_timeout_begin(&timeout, 0, -EPROTO), 0);
	cr_assert_eq(weft_spawn(&task, end_anothers, &timeout), 0);
	cr_assert_eq(weft_sleep(WEFT_FOREVER), -EPROTO);
	cr_assert_eq(weft_join(task, WEFT_FOREVER), 0);
	cr_assert_eq(weft_timeout_end(&timeout), 1);
	weft_release(task);
}

static void sleep_deferred(void *unused)
{
	(void)unused;
	cr_expect_eq(weft_sleep(WEFT_MS), 0);
	note("slept");
}

static void *leave_open(void *arg)
{
	weft_timeout timeout;

	cr_expect_eq(weft_defer(sleep_deferred, NULL), 0);
	cr_expect_eq(weft_timeout_begin(&timeout, 0, -EPROTO), 0);
	return arg;
}

/* Their frames are gone. */
BothWays(api_timeout, scopes_that_a_task_leaves_open_end_with_its_function)
{
	weft_task *task;

	cr_assert_eq(weft_spawn(&task, leave_open, NULL), 0);
	join(task);

	cr_assert_str_eq(noted(), "slept");
}

BothWays(api_timeout, what_is_raised_first_leaves_the_scope_for_the_next_wait)
{
	weft_timeout timeout;

	cr_assert_eq(weft_timeout_begin(&timeout, 0, -EPROTO), 0);
	cr_assert_eq(weft_raise(weft_self(), -EIO), 0);
	cr_assert_eq(weft_sleep(0), -EIO);
	cr_assert_eq(weft_sleep(0), -EPROTO);
	cr_assert_eq(weft_sleep(0), 0);
	cr_assert_eq(weft_timeout_end(&timeout), 1);
}
