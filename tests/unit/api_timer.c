/* weft/timer.h. */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static int calls;

static void count_call(void *unused)
{
	(void)unused;
	__atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
}

static int called(void)
{
	return __atomic_load_n(&calls, __ATOMIC_SEQ_CST);
}

static weft_timer *make_timer(void (*fn)(void *arg), void *arg)
{
	weft_timer *timer = NULL;

	cr_assert_eq(weft_timer_new(&timer, fn, arg), 0);
	return timer;
}

BothWays(api_timer, a_function_is_called_after_a_while)
{
	weft_timer *timer = make_timer(count_call, NULL);
	int64_t before = weft_now();

	cr_assert_eq(weft_timer_start(timer, 2 * WEFT_MS, 0), 0);
	cr_assert_eq(weft_timer_join(timer, WEFT_FOREVER), 0);

	cr_assert_eq(called(), 1);
	cr_assert_geq(weft_now() - before, 2 * WEFT_MS);
	cr_assert_not(weft_timer_armed(timer));
	cr_assert_eq(weft_timer_cancel(timer), 0);
	cr_assert_eq(weft_timer_free(timer), 0);
}

BothWays(api_timer, one_that_is_cancelled_is_not_called)
{
	weft_timer *timer = make_timer(count_call, NULL), *later = make_timer(count_call, NULL);

	cr_assert_eq(weft_timer_start(timer, 1000 * WEFT_S, 0), 0);
	cr_assert_eq(weft_timer_start(later, WEFT_MS, 0), 0);
	cr_assert_eq(weft_timer_cancel(timer), 1);
	cr_assert_eq(weft_timer_join(timer, 0), 0);
	cr_assert_eq(weft_timer_join(later, WEFT_FOREVER), 0);

	cr_assert_eq(called(), 1);
	cr_assert_eq(weft_timer_free(timer), 0);
	cr_assert_eq(weft_timer_free(later), 0);
}

static void start_and_leave(void *timer)
{
	cr_assert_eq(weft_timer_start(timer, WEFT_MS, 0), 0);
}

static void start_and_free(void *timer)
{
	cr_assert_eq(weft_timer_start(timer, 1000 * WEFT_S, 0), 0);
	weft_yield();
	cr_assert_eq(weft_timer_free(timer), 0);
}

static void run_keeps_on(void)
{
	weft_timer *timer = make_timer(count_call, NULL);

	cr_assert_eq(run_tasks(start_and_leave, timer), 0);
	cr_assert_eq(called(), 1);
	cr_assert_eq(weft_timer_free(timer), 0);
}

Test(api_timer, an_armed_timer_keeps_the_run_going, .timeout = HANG_S)
{
	run_keeps_on();
}

Test(api_timer, an_armed_timer_keeps_the_run_going_on_threads, .timeout = HANG_S)
{
	weft__use_threads();
	run_keeps_on();
}

Test(api_timer, free_cancels_and_the_run_ends, .timeout = HANG_S)
{
	cr_assert_eq(run_tasks(start_and_free, make_timer(count_call, NULL)), 0);
	weft__use_threads();
	cr_assert_eq(run_tasks(start_and_free, make_timer(count_call, NULL)), 0);

	cr_assert_eq(called(), 0);
}

struct repeating {
	weft_timer *timer;
	int left;
};

static void count_down(void *arg)
{
	struct repeating *repeating = arg;

	weft_sleep(WEFT_MS); /* it may wait */
	if (--repeating->left == 0)
		cr_assert_eq(weft_timer_cancel(repeating->timer), 1);
}

BothWays(api_timer, one_that_repeats_is_called_until_it_is_cancelled)
{
	struct repeating repeating = {.left = 5};
	int64_t before = weft_now();

	repeating.timer = make_timer(count_down, &repeating);
	cr_assert_eq(weft_timer_start(repeating.timer, 0, 2 * WEFT_MS), 0);
	cr_assert_eq(weft_timer_join(repeating.timer, WEFT_FOREVER), 0);

	cr_assert_eq(repeating.left, 0);
	cr_assert_geq(weft_now() - before, 8 * WEFT_MS);
	cr_assert_eq(weft_timer_free(repeating.timer), 0);
}

static int inside, overlaps;

static void look_whether_alone(void *unused)
{
	(void)unused;
	if (__atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST) != 1)
		overlaps++;
	weft_sleep(5 * WEFT_MS);
	__atomic_sub_fetch(&inside, 1, __ATOMIC_SEQ_CST);
	count_call(NULL);
}

BothWays(api_timer, calls_of_one_timer_do_not_overlap)
{
	weft_timer *timer = make_timer(look_whether_alone, NULL);

	cr_assert_eq(weft_timer_start(timer, 0, WEFT_MS), 0);
	while (called() < 3)
		weft_sleep(WEFT_MS);
	cr_assert_eq(weft_timer_cancel(timer), 1);
	cr_assert_eq(weft_timer_join(timer, WEFT_FOREVER), 0);

	cr_assert_eq(overlaps, 0);
	cr_assert_eq(weft_timer_free(timer), 0);
}

struct again {
	weft_timer *timer;
	int times;
};

/* It is due again before it returns. */
static void start_again(void *arg)
{
	struct again *again = arg;

	if (++again->times < 3) {
		cr_assert_eq(weft_timer_start(again->timer, 0, 0), 0);
		weft_sleep(3 * WEFT_MS);
	}
}

BothWays(api_timer, one_that_is_started_in_its_function_is_called_again)
{
	struct again again = {0};

	again.timer = make_timer(start_again, &again);
	cr_assert_eq(weft_timer_start(again.timer, 0, 0), 0);
	cr_assert_eq(weft_timer_join(again.timer, WEFT_FOREVER), 0);

	cr_assert_eq(again.times, 3);
	cr_assert_eq(weft_timer_free(again.timer), 0);
}

static void free_itself(void *arg)
{
	weft_timer **timer = arg;

	cr_assert_eq(weft_timer_free(*timer), 0);
	count_call(NULL);
}

BothWays(api_timer, its_function_may_free_it)
{
	weft_timer *timer = NULL;

	timer = make_timer(free_itself, &timer);
	cr_assert_eq(weft_timer_start(timer, 0, WEFT_MS), 0);
	while (called() == 0)
		weft_sleep(WEFT_MS);

	cr_assert_eq(called(), 1);
}

static void note_name(void *name)
{
	note(name);
}

TaskTest(api_timer, the_sooner_one_is_called_first_however_they_were_started)
{
	weft_timer *late = make_timer(note_name, "late"), *soon = make_timer(note_name, "soon ");
	weft_timer *put_off = make_timer(note_name, " last");

	cr_assert_eq(weft_timer_start(late, 20 * WEFT_MS, 0), 0);
	cr_assert_eq(weft_timer_start(put_off, 5 * WEFT_MS, 0), 0);
	weft_yield();
	cr_assert_eq(weft_timer_start(soon, WEFT_MS, 0), 0);
	cr_assert_eq(weft_timer_start(put_off, 40 * WEFT_MS, 0), 0);
	cr_assert_eq(weft_timer_join(put_off, WEFT_FOREVER), 0);

	cr_assert_str_eq(noted(), "soon late last");
	cr_assert_eq(weft_timer_free(late), 0);
	cr_assert_eq(weft_timer_free(soon), 0);
	cr_assert_eq(weft_timer_free(put_off), 0);
}

BothWays(api_timer, one_that_is_sooner_does_not_wait_for_those_before)
{
	weft_timer *late = make_timer(count_call, NULL), *soon = make_timer(count_call, NULL);

	cr_assert_eq(weft_timer_start(late, 1000 * WEFT_S, 0), 0);
	cr_assert_eq(weft_sleep(2 * WEFT_MS), 0);
	cr_assert_eq(weft_timer_start(soon, WEFT_MS, 0), 0);
	cr_assert_eq(weft_timer_join(soon, WEFT_FOREVER), 0);

	cr_assert_eq(called(), 1);
	cr_assert_eq(weft_timer_free(late), 0);
	cr_assert_eq(weft_timer_free(soon), 0);
}

BothWays(api_timer, reset_begins_anew)
{
	weft_timer *timer = make_timer(count_call, NULL);

	cr_assert_eq(weft_timer_reset(timer), -ENOENT);
	cr_assert_eq(weft_timer_start(timer, WEFT_MS, 0), 0);
	cr_assert_eq(weft_timer_join(timer, WEFT_FOREVER), 0);
	cr_assert_eq(weft_timer_reset(timer), 0);
	cr_assert_eq(weft_timer_join(timer, WEFT_FOREVER), 0);
	cr_assert_eq(called(), 2);
	cr_assert_eq(weft_timer_start(timer, 1000 * WEFT_S, 0), 0);
	cr_assert_eq(weft_timer_reset(timer), 0);

	cr_assert(weft_timer_armed(timer));
	cr_assert_eq(weft_timer_free(timer), 0);
}

TaskTest(api_timer, ten_thousand_wait_without_stacks)
{
	weft_timer **timers = calloc(10000, sizeof(*timers));
	unsigned int before = count_mappings();

	for (size_t i = 0; i < 10000; i++) {
		timers[i] = make_timer(count_call, NULL);
		cr_assert_eq(weft_timer_start(timers[i], (int64_t)(1000 + i) * WEFT_S, 0), 0);
	}
	weft_yield();

	cr_assert_leq(count_mappings(), before + 100 + SPARE_MAPPINGS);
	for (size_t i = 0; i < 10000; i++)
		cr_assert_eq(weft_timer_free(timers[i]), 0);
	free(timers);
}

static void *join_timer(void *timer)
{
	return (void *)(intptr_t)weft_timer_join(timer, WEFT_FOREVER);
}

BothWays(api_timer, one_that_is_waited_for_is_not_freed)
{
	weft_timer *timer = make_timer(count_call, NULL);
	weft_task *task = NULL;

	cr_assert_eq(weft_timer_start(timer, 1000 * WEFT_S, 0), 0);
	cr_assert_eq(weft_timer_join(timer, 0), -ETIMEDOUT);
	cr_assert_eq(weft_spawn(&task, join_timer, timer), 0);
	until_waits(task);

	cr_assert_eq(weft_timer_free(timer), -EBUSY);
	cr_assert_eq(weft_timer_cancel(timer), 1);
	cr_assert_eq(weft_join(task, WEFT_FOREVER), 0);
	cr_assert_null(weft_value(task));
	weft_release(task);
	cr_assert_eq(weft_timer_free(timer), 0);
}

/* ThreadSanitizer makes no threads after that. */
#ifndef __SANITIZE_THREAD__
static void use_in_child(weft_timer *timer, weft_executor *executor)
{
	bool fine = !weft_timer_armed(timer) && weft_timer_start(timer, 0, 0) == 0 &&
		    weft_timer_join(timer, WEFT_FOREVER) == 0 && called() == 1 &&
		    weft_run_in_executor(NULL, join_timer, timer, NULL) == 0 &&
		    weft_executor_free(executor) == -EBUSY;

	_exit(fine ? 0 : 1);
}

Test(api_timer, a_child_of_fork_has_none_of_its_parents_armed, .timeout = HANG_S)
{
	weft_timer *timer = make_timer(count_call, NULL);
	weft_executor *executor = NULL, *other = NULL;
	int status = 1;
	pid_t child;

	weft__use_threads();
	cr_assert_eq(weft_timer_start(timer, 1000 * WEFT_S, 0), 0);
	cr_assert_eq(weft_executor_default(&executor), 0);
	cr_assert_eq(weft_executor_new(&other, 1), 0);
	cr_assert_eq(weft_run_in_executor(NULL, join_timer, NULL, NULL), 0);
	child = fork();
	if (child == 0)
		use_in_child(timer, other);
	waitpid(child, &status, 0);

	cr_assert_eq(status, 0);
	cr_assert_eq(weft_timer_cancel(timer), 1);
	cr_assert_eq(weft_timer_free(timer), 0);
}
#endif

Test(api_timer, bad_input_is_refused)
{
	weft_timer *timer = make_timer(count_call, NULL);

	cr_assert_eq(weft_timer_new(NULL, count_call, NULL), -EINVAL);
	cr_assert_eq(weft_timer_new(&timer, NULL, NULL), -EINVAL);
	cr_assert_eq(weft_timer_start(NULL, 0, 0), -EINVAL);
	cr_assert_eq(weft_timer_start(timer, -1, 0), -EINVAL);
	cr_assert_eq(weft_timer_start(timer, 0, -1), -EINVAL);
	cr_assert_eq(weft_timer_start(timer, 0, 0), -EPERM);
	cr_assert_eq(weft_timer_reset(NULL), -EINVAL);
	cr_assert_eq(weft_timer_cancel(NULL), -EINVAL);
	cr_assert_not(weft_timer_armed(NULL));
	cr_assert_eq(weft_timer_join(NULL, 0), -EINVAL);
	cr_assert_eq(weft_timer_join(timer, 0), -EPERM);
	cr_assert_eq(weft_timer_free(NULL), 0);
	cr_assert_eq(weft_timer_free(timer), 0);
}
