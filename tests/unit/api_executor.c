/* weft/executor.h. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <time.h>

#include "unit.h"

static weft_executor *make_executor(unsigned int most)
{
	weft_executor *executor = NULL;

	cr_assert_eq(weft_executor_new(&executor, most), 0);
	return executor;
}

static void shut_down(weft_executor *executor)
{
	cr_assert_eq(weft_executor_shutdown(executor, false, WEFT_FOREVER), 0);
	cr_assert_eq(weft_executor_free(executor), 0);
}

static weft_future *submit(weft_executor *executor, weft_func *fn, void *arg)
{
	weft_future *future = NULL;

	cr_assert_eq(weft_executor_submit(executor, &future, fn, arg), 0);
	return future;
}

static void *add_one(void *number)
{
	return (void *)((intptr_t)number + 1);
}

/* Blocks its kernel thread until the gate is open. */
struct gate {
	sem_t entered, open;
};

static struct gate make_gate(void)
{
	struct gate gate;

	sem_init(&gate.entered, 0, 0);
	sem_init(&gate.open, 0, 0);
	return gate;
}

static void wait_for(sem_t *semaphore)
{
	while (sem_wait(semaphore) != 0)
		;
}

static void *pass_gate(void *arg)
{
	struct gate *gate = arg;

	sem_post(&gate->entered);
	wait_for(&gate->open);
	return gate;
}

static void *fail(void *arg)
{
	cr_assert_eq(weft_set_error(-EIO), 0);
	return arg;
}

BothWays(api_executor, a_function_gives_its_value)
{
	weft_executor *executor = make_executor(2);
	weft_future *future = submit(executor, add_one, (void *)41);
	void *value = NULL;

	cr_assert_eq(weft_future_result(future, WEFT_FOREVER, &value), 0);

	cr_assert_eq(value, (void *)42);
	cr_assert(weft_future_done(future));
	cr_assert_not(weft_future_running(future));
	cr_assert_eq(weft_future_error(future), 0);
	weft_future_release(future);
	shut_down(executor);
}

BothWays(api_executor, a_function_fails)
{
	weft_executor *executor = make_executor(1);
	weft_future *future = submit(executor, fail, NULL), *next = submit(executor, add_one, NULL);
	void *value = &value;

	cr_assert_eq(weft_future_result(future, WEFT_FOREVER, &value), -EIO);
	cr_assert_eq(value, (void *)&value);
	cr_assert_eq(weft_future_error(future), -EIO);
	cr_assert_eq(weft_future_result(next, WEFT_FOREVER, &value), 0);

	weft_future_release(future);
	weft_future_release(next);
	shut_down(executor);
}

struct seen {
	pthread_t thread;
	weft_task *self;
	int slept;
};

static void *look_around(void *arg)
{
	struct seen *seen = arg;

	*seen = (struct seen){pthread_self(), weft_self(), weft_sleep(0)};
	return NULL;
}

TaskTest(api_executor, a_function_runs_on_another_thread_and_is_no_task)
{
	weft_executor *executor = make_executor(1);
	struct seen seen;
	weft_future *future = submit(executor, look_around, &seen);

	cr_assert_eq(weft_future_result(future, WEFT_FOREVER, NULL), 0);

	cr_assert_not(pthread_equal(seen.thread, pthread_self()));
	cr_assert_null(seen.self);
	cr_assert_eq(seen.slept, -EPERM);
	weft_future_release(future);
	shut_down(executor);
}

/* Both block until the other has come. */
BothWays(api_executor, as_many_run_at_once_as_it_has_threads)
{
	weft_executor *executor = make_executor(3);
	struct gate gate = make_gate();
	weft_future *futures[4];

	for (size_t i = 0; i < COUNT(futures); i++)
		futures[i] = submit(executor, pass_gate, &gate);
	for (size_t i = 0; i < 3; i++)
		wait_for(&gate.entered);
	cr_assert_neq(sem_trywait(&gate.entered), 0);
	cr_assert(weft_future_running(futures[0]));
	cr_assert_not(weft_future_running(futures[3]));
	cr_assert_eq(weft_future_result(futures[3], weft_after(WEFT_MS), NULL), -ETIMEDOUT);
	for (size_t i = 0; i < COUNT(futures); i++)
		sem_post(&gate.open);

	for (size_t i = 0; i < COUNT(futures); i++) {
		cr_assert_eq(weft_future_result(futures[i], WEFT_FOREVER, NULL), 0);
		weft_future_release(futures[i]);
	}
	shut_down(executor);
}

static void note_turn(void *unused)
{
	(void)unused;
	for (int i = 0; i < 3; i++) {
		note("x");
		weft_yield();
	}
}

TaskTest(api_executor, tasks_go_on_while_a_thread_blocks)
{
	weft_executor *executor = make_executor(1);
	struct gate gate = make_gate();
	weft_future *future = submit(executor, pass_gate, &gate);

	join(spawn(note_turn, NULL));
	cr_assert_not(weft_future_done(future));
	sem_post(&gate.open);
	cr_assert_eq(weft_future_result(future, WEFT_FOREVER, NULL), 0);

	cr_assert_str_eq(noted(), "xxx");
	weft_future_release(future);
	shut_down(executor);
}

BothWays(api_executor, only_what_has_not_begun_is_cancelled)
{
	weft_executor *executor = make_executor(1);
	struct gate gate = make_gate();
	weft_future *first = submit(executor, pass_gate, &gate);
	weft_future *second = submit(executor, add_one, NULL);

	wait_for(&gate.entered);
	cr_assert_eq(weft_future_cancel(first), -EBUSY);
	cr_assert_eq(weft_future_cancel(second), 0);
	cr_assert_eq(weft_future_cancel(second), -EALREADY);
	cr_assert_eq(weft_future_result(second, 0, NULL), -ECANCELED);
	sem_post(&gate.open);

	cr_assert_eq(weft_future_result(first, WEFT_FOREVER, NULL), 0);
	cr_assert_eq(weft_future_cancel(first), -EALREADY);
	weft_future_release(first);
	weft_future_release(second);
	shut_down(executor);
}

static int noted_calls;

static void note_call(weft_future *future, void *name)
{
	cr_assert(weft_future_done(future));
	cr_assert_not_null(weft_self());
	note(name);
	__atomic_add_fetch(&noted_calls, 1, __ATOMIC_SEQ_CST);
}

BothWays(api_executor, callbacks_are_called_in_order_and_at_once_when_done)
{
	weft_executor *executor = make_executor(1);
	struct gate gate = make_gate();
	weft_future *future = submit(executor, pass_gate, &gate);
	weft_future *second = submit(executor, add_one, NULL);

	cr_assert_eq(weft_future_add_done_callback(future, note_call, "one "), 0);
	cr_assert_eq(weft_future_add_done_callback(future, note_call, "two "), 0);
	cr_assert_str_eq(noted(), "");
	sem_post(&gate.open);
	cr_assert_eq(weft_future_result(future, WEFT_FOREVER, NULL), 0);
	cr_assert_eq(weft_future_result(second, WEFT_FOREVER, NULL), 0);
	while (__atomic_load_n(&noted_calls, __ATOMIC_SEQ_CST) != 2)
		weft_yield();
	cr_assert_eq(weft_future_add_done_callback(future, note_call, "now"), 0);

	cr_assert_str_eq(noted(), "one two now");
	weft_future_release(future);
	weft_future_release(second);
	shut_down(executor);
}

BothWays(api_executor, what_is_submitted_after_shutdown_is_refused)
{
	weft_executor *executor = make_executor(2);
	weft_future *future = submit(executor, add_one, NULL), *refused = NULL;

	cr_assert_eq(weft_executor_free(executor), -EBUSY);
	cr_assert_eq(weft_executor_shutdown(executor, false, WEFT_FOREVER), 0);

	cr_assert_eq(weft_executor_submit(executor, &refused, add_one, NULL), -ESHUTDOWN);
	cr_assert_null(refused);
	cr_assert(weft_future_done(future));
	cr_assert_eq(weft_executor_shutdown(executor, true, WEFT_FOREVER), 0);
	weft_future_release(future);
	cr_assert_eq(weft_executor_free(executor), 0);
}

BothWays(api_executor, shutdown_may_cancel_and_not_wait)
{
	weft_executor *executor = make_executor(1);
	struct gate gate = make_gate();
	weft_future *first = submit(executor, pass_gate, &gate);
	weft_future *second = submit(executor, add_one, NULL);

	wait_for(&gate.entered);
	cr_assert_eq(weft_executor_shutdown(executor, true, 0), 0);
	cr_assert_eq(weft_future_error(second), -ECANCELED);
	cr_assert_eq(weft_future_error(first), -EINPROGRESS);
	cr_assert_eq(weft_executor_shutdown(executor, true, weft_after(WEFT_MS)), -ETIMEDOUT);
	cr_assert_eq(weft_executor_free(executor), -EBUSY);
	sem_post(&gate.open);

	cr_assert_eq(weft_executor_shutdown(executor, true, WEFT_FOREVER), 0);
	cr_assert_eq(weft_future_error(first), 0);
	weft_future_release(first);
	weft_future_release(second);
	cr_assert_eq(weft_executor_free(executor), 0);
}

BothWays(api_executor, one_that_had_nothing_to_do_is_freed_at_once)
{
	weft_executor *executor = make_executor(0);

	cr_assert_eq(weft_executor_shutdown(executor, false, 0), 0);
	cr_assert_eq(weft_executor_free(executor), 0);
}

BothWays(api_executor, map_keeps_the_order)
{
	weft_executor *executor = make_executor(3);
	void *items[50], *values[50];

	for (size_t i = 0; i < COUNT(items); i++)
		items[i] = (void *)i;

	cr_assert_eq(
		weft_executor_map(executor, add_one, items, COUNT(items), values, WEFT_FOREVER), 0);

	for (size_t i = 0; i < COUNT(items); i++)
		cr_assert_eq(values[i], (void *)(i + 1));
	cr_assert_eq(weft_executor_map(executor, fail, items, 2, values, WEFT_FOREVER), -EIO);
	cr_assert_eq(weft_executor_map(executor, add_one, NULL, 0, NULL, 0), 0);
	shut_down(executor);
}

struct mapping {
	weft_executor *executor;
	struct gate gate;
	int result;
};

static void *map_gates(void *arg)
{
	struct mapping *mapping = arg;
	void *items[] = {&mapping->gate, &mapping->gate, &mapping->gate};

	mapping->result = weft_executor_map(mapping->executor, pass_gate, items, COUNT(items), NULL,
					    WEFT_FOREVER);
	return NULL;
}

BothWays(api_executor, a_map_that_is_killed_waits_for_what_has_begun)
{
	struct mapping mapping = {make_executor(1), make_gate(), 1};
	weft_task *task = NULL;

	cr_assert_eq(weft_spawn(&task, map_gates, &mapping), 0);
	until_waits(task);
	wait_for(&mapping.gate.entered);
	cr_assert_eq(weft_kill(task, weft_after(WEFT_MS)), -ETIMEDOUT);
	until_waits(task); /* again: it has taken back what has not begun */
	sem_post(&mapping.gate.open);
	cr_assert_eq(weft_join(task, WEFT_FOREVER), 0);

	cr_assert_eq(mapping.result, -ECANCELED);
	cr_assert_neq(sem_trywait(&mapping.gate.entered), 0);
	weft_release(task);
	shut_down(mapping.executor);
}

static int told;

static void *be_told(void *arg)
{
	for (int i = 0; i < 1000; i++)
		sched_yield();
	return arg;
}

static void count_told(weft_future *unused, void *arg)
{
	(void)unused;
	(void)arg;
	__atomic_add_fetch(&told, 1, __ATOMIC_SEQ_CST);
}

static void submit_and_leave(void *unused)
{
	weft_executor *executor = NULL, *mine = make_executor(2);
	weft_future *future;

	cr_assert_eq(weft_executor_default(&executor), 0);
	for (int i = 0; i < 10; i++) {
		cr_assert_eq(weft_executor_submit(executor, NULL, be_told, unused), 0);
		future = submit(mine, be_told, NULL);
		cr_assert_eq(weft_future_add_done_callback(future, count_told, NULL), 0);
		weft_future_release(future);
	}
	*(weft_executor **)unused = mine;
}

static void run_waits(void)
{
	weft_executor *mine = NULL;

	cr_assert_eq(run_tasks(submit_and_leave, &mine), 0);

	cr_assert_eq(told, 10);
	cr_assert_eq(weft_executor_free(mine), 0);
}

Test(api_executor, a_run_waits_for_what_was_submitted, .timeout = HANG_S)
{
	run_waits();
}

Test(api_executor, a_run_waits_for_what_was_submitted_on_threads, .timeout = HANG_S)
{
	weft__use_threads();
	run_waits();
}

static int worked;

static void *work_slowly(void *arg)
{
	struct timespec duration = {.tv_nsec = 20000000};

	nanosleep(&duration, NULL);
	__atomic_store_n(&worked, 1, __ATOMIC_SEQ_CST);
	return arg;
}

static void submit_slow_work(void *executor)
{
	cr_assert_eq(weft_executor_submit(executor, NULL, work_slowly, NULL), 0);
}

/* It is the whole program's, so the end of the run does not shut it down. */
Test(api_executor, a_run_waits_for_what_another_ones_executor_does_on_threads, .timeout = HANG_S)
{
	weft_executor *executor;

	weft__use_threads();
	executor = make_executor(1);

	cr_assert_eq(run_tasks(submit_slow_work, executor), 0);

	cr_assert_eq(__atomic_load_n(&worked, __ATOMIC_SEQ_CST), 1);
	shut_down(executor);
}

static void use_other(void *executor)
{
	cr_assert_eq(weft_executor_submit(executor, NULL, add_one, NULL), -EPERM);
	cr_assert_eq(weft_executor_shutdown(executor, true, 0), -EPERM);
}

static void run_other(void *executor)
{
	cr_assert_eq(run_tasks(use_other, executor), 0);
}

TaskTest(api_executor, an_executor_is_for_its_run)
{
	weft_executor *executor = make_executor(1);

	on_foreign_thread(run_other, executor);

	shut_down(executor);
}

BothWays(api_executor, a_future_is_an_object)
{
	weft_executor *executor = make_executor(2);
	struct gate gate = make_gate();
	weft_future *blocked = submit(executor, pass_gate, &gate);
	weft_future *future = submit(executor, add_one, NULL);
	weft_object *objects[] = {weft_object(blocked), weft_object(future)};
	bool ready[2];

	cr_assert_eq(weft_wait(objects, 2, 1, WEFT_FOREVER, ready), 1);

	cr_assert_not(ready[0]);
	cr_assert(ready[1]);
	sem_post(&gate.open);
	weft_future_release(blocked);
	weft_future_release(future);
	shut_down(executor);
}

BothWays(api_executor, a_thousand_are_done_by_four_threads)
{
	weft_executor *executor = make_executor(4);
	weft_future *futures[1000];
	void *value;

	for (size_t i = 0; i < COUNT(futures); i++)
		futures[i] = submit(executor, add_one, (void *)i);

	for (size_t i = 0; i < COUNT(futures); i++) {
		cr_assert_eq(weft_future_result(futures[i], WEFT_FOREVER, &value), 0);
		cr_assert_eq(value, (void *)(i + 1));
		weft_future_release(futures[i]);
	}
	shut_down(executor);
}

struct calling {
	weft_inbox *inbox;
	int calls, out_of_order, ended;
	weft_task *waits;
};

static void count_call(void *arg)
{
	struct calling *calling = arg;

	if (++calling->calls == 1000)
		cr_assert_eq(weft_raise(calling->waits, -EINTR), 0);
}

static void *call_often(void *arg)
{
	struct calling *calling = arg;

	for (int i = 0; i < 1000; i++)
		cr_assert_eq(weft_inbox_call(calling->inbox, count_call, calling), 0);
	return NULL;
}

BothWays(api_executor, another_thread_has_functions_called_in_the_run)
{
	struct calling calling = {.waits = weft_self()};
	pthread_t thread;

	cr_assert_eq(weft_inbox_new(&calling.inbox), 0);
	cr_assert_eq(pthread_create(&thread, NULL, call_often, &calling), 0);

	cr_assert_eq(weft_sleep(WEFT_FOREVER), -EINTR);

	cr_assert_eq(calling.calls, 1000);
	pthread_join(thread, NULL);
	weft_inbox_free(calling.inbox);
}

static void *end_quickly(void *arg)
{
	*(int *)arg = 1;
	return NULL;
}

static void spawn_ending(void *ended)
{
	cr_assert_eq(weft_spawn_raw(end_quickly, ended), 0);
}

static void put_last(void *arg)
{
	struct calling *calling = arg;

	cr_assert_eq(weft_inbox_new(&calling->inbox), 0);
	cr_assert_eq(weft_inbox_call(calling->inbox, spawn_ending, &calling->ended), 0);
}

static void inbox_at_end(void)
{
	struct calling calling = {0};

	cr_assert_eq(run_tasks(put_last, &calling), 0);

	cr_assert_eq(calling.ended, 1);
	cr_assert_eq(weft_inbox_call(calling.inbox, count_call, &calling), -ESHUTDOWN);
	weft_inbox_free(calling.inbox);
}

Test(api_executor, what_was_put_into_the_inbox_is_called_and_the_run_ends, .timeout = HANG_S)
{
	inbox_at_end();
}

Test(api_executor, what_was_put_into_the_inbox_is_called_on_threads, .timeout = HANG_S)
{
	weft__use_threads();
	inbox_at_end();
}

Test(api_executor, bad_input_is_refused)
{
	weft_executor *executor = NULL;
	weft_inbox *inbox = NULL;
	void *value = NULL;

	cr_assert_eq(weft_executor_new(NULL, 1), -EINVAL);
	cr_assert_eq(weft_executor_new(&executor, 10001), -EINVAL);
	cr_assert_eq(weft_executor_new(&executor, 1), -EPERM);
	cr_assert_eq(weft_executor_default(NULL), -EINVAL);
	cr_assert_eq(weft_executor_default(&executor), -EPERM);
	cr_assert_eq(weft_executor_submit(NULL, NULL, add_one, NULL), -EINVAL);
	cr_assert_eq(weft_executor_shutdown(NULL, false, 0), -EINVAL);
	cr_assert_eq(weft_executor_free(NULL), 0);
	cr_assert_eq(weft_executor_map(NULL, add_one, NULL, 0, NULL, 0), -EINVAL);
	cr_assert_eq(weft_future_cancel(NULL), -EINVAL);
	cr_assert_eq(weft_future_result(NULL, 0, &value), -EINVAL);
	cr_assert_eq(weft_future_error(NULL), -EINVAL);
	cr_assert_not(weft_future_done(NULL));
	cr_assert_not(weft_future_running(NULL));
	cr_assert_eq(weft_future_add_done_callback(NULL, note_call, NULL), -EINVAL);
	weft_future_release(NULL);
	cr_assert_eq(weft_inbox_new(NULL), -EINVAL);
	cr_assert_eq(weft_inbox_new(&inbox), -EPERM);
	cr_assert_eq(weft_inbox_call(NULL, count_call, NULL), -EINVAL);
	weft_inbox_free(NULL);
}
