/* weft/aio.h: what asyncio does with tasks. */
#include <errno.h>
#include <semaphore.h>

#include "unit.h"

static void *add_one(void *number)
{
	return (void *)((intptr_t)number + 1);
}

static void *fail(void *arg)
{
	weft_set_error(-EIO);
	return arg;
}

static void *wait_long(void *arg)
{
	weft_sleep(1000 * WEFT_S);
	return arg;
}

static void *clean_up_slowly(void *arg)
{
	if (weft_sleep(1000 * WEFT_S) == -ECANCELED)
		weft_sleep(2 * WEFT_MS);
	*(int *)arg = 1;
	return arg;
}

static weft_task *start(weft_func *fn, void *arg)
{
	weft_task *task = NULL;

	cr_assert_eq(weft_spawn(&task, fn, arg), 0);
	return task;
}

BothWays(api_aio, gather_gives_values_in_order)
{
	weft_task *tasks[20];
	void *values[20];

	for (size_t i = 0; i < COUNT(tasks); i++)
		tasks[i] = start(add_one, (void *)i);

	cr_assert_eq(weft_gather(tasks, COUNT(tasks), NULL, values), 0);

	for (size_t i = 0; i < COUNT(tasks); i++) {
		cr_assert_eq(values[i], (void *)(i + 1));
		weft_release(tasks[i]);
	}
	cr_assert_eq(weft_gather(NULL, 0, NULL, NULL), 0);
}

BothWays(api_aio, the_first_error_ends_gather_and_the_others_go_on)
{
	weft_task *tasks[] = {start(wait_long, NULL), start(fail, NULL)};
	void *values[2] = {tasks, tasks};

	cr_assert_eq(weft_gather(tasks, 2, NULL, values), -EIO);

	cr_assert_eq(values[1], (void *)tasks);
	cr_assert_eq(weft_error(tasks[0]), -EINPROGRESS);
	cr_assert_eq(weft_kill(tasks[0], WEFT_FOREVER), 0);
	weft_release(tasks[0]);
	weft_release(tasks[1]);
}

BothWays(api_aio, gather_returns_errors_if_asked_to)
{
	weft_call calls[] = {{add_one, NULL}, {fail, calls}, {add_one, (void *)2}};
	int errors[] = {1, 1, 1};
	void *values[3];

	cr_assert_eq(weft_gather_calls(calls, COUNT(calls), errors, values), 0);

	cr_assert_eq(errors[0], 0);
	cr_assert_eq(errors[1], -EIO);
	cr_assert_eq(errors[2], 0);
	cr_assert_null(values[1]);
	cr_assert_eq(values[2], (void *)3);
}

struct gathering {
	weft_task *tasks[2];
	int result;
};

static void *gather(void *arg)
{
	struct gathering *gathering = arg;

	gathering->result = weft_gather(gathering->tasks, 2, NULL, NULL);
	return NULL;
}

BothWays(api_aio, a_gather_that_is_killed_kills_what_it_waits_for)
{
	struct gathering gathering = {{start(wait_long, NULL), start(wait_long, NULL)}, 0};
	weft_task *gatherer = start(gather, &gathering);

	until_waits(gatherer);
	cr_assert_eq(weft_kill(gatherer, WEFT_FOREVER), 0);

	cr_assert_eq(gathering.result, -ECANCELED);
	for (size_t i = 0; i < 2; i++) {
		cr_assert_eq(weft_get(gathering.tasks[i], WEFT_FOREVER, NULL), -ECANCELED);
		weft_release(gathering.tasks[i]);
	}
	weft_release(gatherer);
}

/* -ECANCELED of a task is not the caller's own. */
BothWays(api_aio, a_killed_task_does_not_kill_those_gathered_with_it)
{
	weft_task *tasks[] = {start(wait_long, NULL), start(wait_long, NULL)};

	cr_assert_eq(weft_kill(tasks[1], WEFT_FOREVER), 0);
	cr_assert_eq(weft_gather(tasks, 2, NULL, NULL), -ECANCELED);

	weft_yield();
	cr_assert_eq(weft_error(tasks[0]), -EINPROGRESS);
	cr_assert_eq(weft_kill(tasks[0], WEFT_FOREVER), 0);
	weft_release(tasks[0]);
	weft_release(tasks[1]);
}

BothWays(api_aio, wait_for_gives_the_value_in_time)
{
	weft_task *task = start(add_one, (void *)4);
	void *value = NULL;

	cr_assert_eq(weft_wait_for(task, WEFT_FOREVER, &value), 0);

	cr_assert_eq(value, (void *)5);
	weft_release(task);
}

BothWays(api_aio, wait_for_kills_and_waits_for_the_end)
{
	int cleaned = 0;
	weft_task *task = start(clean_up_slowly, &cleaned);

	until_waits(task);
	cr_assert_eq(weft_wait_for(task, weft_after(WEFT_MS), NULL), -ETIMEDOUT);

	cr_assert(weft_ended(task));
	cr_assert_eq(cleaned, 1);
	weft_release(task);
}

struct waiting {
	weft_task *task;
	int result, again;
};

static void *wait_for_it(void *arg)
{
	struct waiting *waiting = arg;

	waiting->result = weft_wait_for(waiting->task, WEFT_FOREVER, NULL);
	return NULL;
}

BothWays(api_aio, who_is_killed_in_wait_for_kills_the_task)
{
	int cleaned = 0;
	struct waiting waiting = {.task = start(clean_up_slowly, &cleaned)};
	weft_task *waiter = start(wait_for_it, &waiting);

	until_waits(waiting.task);
	until_waits(waiter);
	cr_assert_eq(weft_kill(waiter, WEFT_FOREVER), 0);

	cr_assert_eq(waiting.result, -ECANCELED);
	cr_assert_eq(cleaned, 1);
	weft_release(waiter);
	weft_release(waiting.task);
}

BothWays(api_aio, a_shield_is_killed_instead)
{
	weft_task *task = start(wait_long, NULL), *shield = NULL;

	cr_assert_eq(weft_shield(&shield, task), 0);
	cr_assert_eq(weft_wait_for(shield, weft_after(WEFT_MS), NULL), -ETIMEDOUT);

	cr_assert_eq(weft_error(shield), -ECANCELED);
	cr_assert_eq(weft_error(task), -EINPROGRESS);
	weft_release(shield);
	cr_assert_eq(weft_kill(task, WEFT_FOREVER), 0);
	weft_release(task);
}

BothWays(api_aio, a_shield_ends_as_its_task)
{
	weft_task *task = start(add_one, (void *)1), *failing = start(fail, NULL);
	weft_task *shields[2] = {NULL, NULL};
	void *value = NULL;

	cr_assert_eq(weft_shield(&shields[0], task), 0);
	cr_assert_eq(weft_shield(&shields[1], failing), 0);
	weft_release(task); /* the shield has its own */
	weft_release(failing);

	cr_assert_eq(weft_get(shields[0], WEFT_FOREVER, &value), 0);
	cr_assert_eq(value, (void *)2);
	cr_assert_eq(weft_get(shields[1], WEFT_FOREVER, &value), -EIO);
	weft_release(shields[0]);
	weft_release(shields[1]);
}

BothWays(api_aio, a_shield_that_never_ran_gives_its_reference_back)
{
	weft_task *task = start(add_one, NULL), *shield = NULL;

	cr_assert_eq(weft_shield(&shield, task), 0);
	cr_assert_eq(weft_kill(shield, WEFT_FOREVER), 0);

	weft_release(shield);
	join(task);
}

static intptr_t turn = 3;

static void *return_in_turn(void *number)
{
	while (turn != (intptr_t)number)
		weft_sleep(WEFT_MS);
	turn--;
	return number;
}

TaskTest(api_aio, tasks_come_as_they_are_completed)
{
	weft_task *tasks[] = {start(return_in_turn, (void *)1), start(return_in_turn, (void *)2),
			      start(return_in_turn, (void *)3)};
	weft_iwait *iwait = NULL;
	weft_task *task;

	cr_assert_eq(weft_as_completed(&iwait, tasks, 3), 0);

	for (size_t i = 3; i-- > 0;) {
		cr_assert_eq(weft_next_completed(iwait, WEFT_FOREVER, &task), 1);
		cr_assert_eq(task, tasks[i]);
		weft_release(task);
	}
	cr_assert_eq(weft_next_completed(iwait, WEFT_FOREVER, &task), 0);
	weft_iwait_free(iwait);
}

BothWays(api_aio, a_function_is_run_in_an_executor)
{
	void *value = NULL;
	weft_executor *executor = NULL, *same = NULL;

	cr_assert_eq(weft_run_in_executor(NULL, add_one, (void *)1, &value), 0);
	cr_assert_eq(value, (void *)2);
	cr_assert_eq(weft_executor_default(&executor), 0);
	cr_assert_eq(weft_executor_default(&same), 0);
	cr_assert_eq(executor, same);

	cr_assert_eq(weft_run_in_executor(executor, fail, NULL, &value), -EIO);
	cr_assert_eq(value, (void *)2);
}

struct blocking {
	sem_t entered, open;
	int result, next;
};

static void *block(void *arg)
{
	struct blocking *blocking = arg;

	sem_post(&blocking->entered);
	while (sem_wait(&blocking->open) != 0)
		;
	return arg;
}

static void *run_block(void *arg)
{
	struct blocking *blocking = arg;

	blocking->result = weft_run_in_executor(NULL, block, blocking, NULL);
	blocking->next = weft_sleep(0);
	return NULL;
}

BothWays(api_aio, what_has_begun_in_an_executor_is_waited_for)
{
	struct blocking blocking = {.result = 1};
	weft_task *task;

	sem_init(&blocking.entered, 0, 0);
	sem_init(&blocking.open, 0, 0);
	task = start(run_block, &blocking);
	until_waits(task);
	while (sem_wait(&blocking.entered) != 0)
		;
	cr_assert_eq(weft_kill(task, weft_after(WEFT_MS)), -ETIMEDOUT);
	sem_post(&blocking.open);
	cr_assert_eq(weft_join(task, WEFT_FOREVER), 0);

	cr_assert_eq(blocking.result, 0);
	cr_assert_eq(blocking.next, -ECANCELED);
	weft_release(task);
}

struct left {
	int cleaned, timer_calls;
	weft_timer *timer;
};

static void count_call(void *arg)
{
	(*(int *)arg)++;
}

static void *leave_others(void *arg)
{
	struct left *left = arg;
	weft_task *task = start(clean_up_slowly, &left->cleaned);

	until_waits(task);
	weft_release(task);
	cr_assert_eq(weft_timer_new(&left->timer, count_call, &left->timer_calls), 0);
	cr_assert_eq(weft_timer_start(left->timer, 1000 * WEFT_S, WEFT_S), 0);
	return arg;
}

static void others_are_killed(void)
{
	struct left left = {0};
	void *value = NULL;

	cr_assert_eq(weft_run_until_complete(leave_others, &left, &value), 0);

	cr_assert_eq(value, (void *)&left);
	cr_assert_eq(left.cleaned, 1);
	cr_assert_eq(left.timer_calls, 0);
	cr_assert_eq(weft_timer_free(left.timer), 0);
}

Test(api_aio, what_is_left_when_the_first_has_returned_is_killed, .timeout = HANG_S)
{
	others_are_killed();
}

Test(api_aio, what_is_left_when_the_first_has_returned_is_killed_on_threads, .timeout = HANG_S)
{
	weft__use_threads();
	others_are_killed();
}

TaskTest(api_aio, bad_input_is_refused)
{
	weft_task *task = NULL;
	weft_task *self[] = {weft_self()};
	weft_iwait *iwait = NULL;

	cr_assert_eq(weft_gather(NULL, 1, NULL, NULL), -EINVAL);
	cr_assert_eq(weft_gather(&task, 1, NULL, NULL), -EINVAL);
	cr_assert_eq(weft_gather(self, 1, NULL, NULL), -EDEADLK);
	cr_assert_eq(weft_gather_calls(NULL, 1, NULL, NULL), -EINVAL);
	cr_assert_eq(weft_wait_for(NULL, 0, NULL), -EINVAL);
	cr_assert_eq(weft_wait_for(self[0], -1, NULL), -EINVAL);
	cr_assert_eq(weft_wait_for(self[0], WEFT_FOREVER, NULL), -EDEADLK);
	cr_assert_eq(weft_shield(NULL, self[0]), -EINVAL);
	cr_assert_eq(weft_shield(&task, NULL), -EINVAL);
	cr_assert_eq(weft_as_completed(&iwait, NULL, 1), -EINVAL);
	cr_assert_eq(weft_next_completed(NULL, 0, &task), -EINVAL);
	cr_assert_eq(weft_next_completed(iwait, 0, NULL), -EINVAL);
	cr_assert_eq(weft_run_in_executor(NULL, NULL, NULL, NULL), -EINVAL);
	cr_assert_eq(weft_run_until_complete(NULL, NULL, NULL), -EINVAL);
	cr_assert_eq(weft_run_until_complete(add_one, NULL, NULL), -EPERM);
}

Test(api_aio, off_a_task_nothing_is_waited_for)
{
	weft_task *task = NULL;
	weft_call call = {add_one, NULL};

	cr_assert_eq(weft_gather(&task, 0, NULL, NULL), -EPERM);
	cr_assert_eq(weft_gather_calls(&call, 1, NULL, NULL), -EPERM);
	cr_assert_eq(weft_run_in_executor(NULL, add_one, NULL, NULL), -EPERM);
}
