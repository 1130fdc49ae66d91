/* Whose turn it is, and how tasks park and wake. */
#include "scheduler.h"

#include <errno.h>

#include "unit.h"

static void yielding_task(void *text)
{
	for (unsigned int i = 0; i < 3; i++) {
		note(text);
		weft_yield();
	}
}

TaskTest(scheduler, tasks_run_in_the_order_they_were_spawned)
{
	struct weft__task *a = spawn_inner(note_task, "a"), *b = spawn_inner(note_task, "b"),
			  *c = spawn_inner(note_task, "c");

	join_inner(c);

	cr_assert_str_eq(noted(), "abc");
	join_inner(a);
	join_inner(b);
}

TaskTest(scheduler, tasks_that_yield_take_turns)
{
	spawn_detached(yielding_task, "a");
	spawn_detached(yielding_task, "b");
	spawn_detached(yielding_task, "c");

	yield(5);

	cr_assert_str_eq(noted(), "abcabcabc");
}

static void counting_task(void *count)
{
	++*(unsigned int *)count;
	weft_yield();
	++*(unsigned int *)count;
}

/* 200 tasks: the hub has its turn three times on the way round. */
TaskTest(scheduler, a_yield_lets_every_other_task_run_once)
{
	unsigned int counts[200] = {0};

	for (size_t i = 0; i < COUNT(counts); i++)
		spawn_detached(counting_task, &counts[i]);

	weft_yield();
	for (size_t i = 0; i < COUNT(counts); i++)
		cr_assert_eq(counts[i], 1);
	weft_yield();

	for (size_t i = 0; i < COUNT(counts); i++)
		cr_assert_eq(counts[i], 2);
}

/* Notes that it runs, has its slice, and goes on. */
static void computing_task(void *text)
{
	note(text);
	weft__end_slice(weft__current->carrier);
	weft__preempt();
	note(text);
}

TaskTest(scheduler, whose_slice_is_over_waits_until_nobody_else_is_ready)
{
	spawn_detached(computing_task, "C");
	spawn_detached(computing_task, "D");
	spawn_detached(yielding_task, "a");
	spawn_detached(yielding_task, "b");

	yield(6);

	cr_assert_str_eq(noted(), "CDabababCD");
}

static void yield_until_set(void *flag)
{
	while (!*(bool *)flag)
		weft_yield();
}

static void set_after_a_slice(void *flag)
{
	weft__end_slice(weft__current->carrier);
	weft__preempt();
	*(bool *)flag = true;
}

TaskTest(scheduler, whose_slice_is_over_is_let_in_though_others_are_always_ready)
{
	bool flag = false;
	struct weft__task *a = spawn_inner(set_after_a_slice, &flag),
			  *b = spawn_inner(yield_until_set, &flag),
			  *c = spawn_inner(yield_until_set, &flag);

	join_inner(b);
	join_inner(c);

	cr_assert(flag);
	join_inner(a);
}

static void slice_alone(void *unused __attribute__((unused)))
{
	weft__end_slice(weft__current->carrier);
	weft__preempt();
}

TaskTest(scheduler, whose_slice_is_over_goes_on_when_alone)
{
	slice_alone(NULL);
	weft_sleep(1);
	join_inner(spawn_inner(slice_alone, NULL));
}

struct parking {
	struct weft__task *task;
	uint64_t deadline_ns;
	int result;
	unsigned int ends;
	const char *text;
};

static void park_task(void *arg)
{
	struct parking *parking = arg;

	parking->result = weft__park(parking->deadline_ns);
	parking->ends++;
	if (parking->text != NULL)
		note(parking->text);
}

static void park_firmly_task(void *arg)
{
	struct parking *parking = arg;

	parking->result = weft__park_firmly();
	parking->ends++;
}

TaskTest(scheduler, park_returns_what_wake_was_given)
{
	struct parking parking = {.ends = 0};

	parking.task = spawn_inner(park_task, &parking);
	weft_yield();
	cr_assert(weft__wake(parking.task, -1234));
	join_inner(parking.task);

	cr_assert_eq(parking.result, -1234);
}

TaskTest(scheduler, a_parked_task_does_not_run)
{
	struct parking parking = {.ends = 0};

	parking.task = spawn_inner(park_task, &parking);
	yield(1000);
	cr_assert_eq(parking.ends, 0);

	weft__wake(parking.task, 0);
	join_inner(parking.task);
}

TaskTest(scheduler, a_task_that_is_not_parked_is_not_woken)
{
	struct parking parking = {.ends = 0};

	cr_assert_not(weft__wake(weft__current, 0));
	parking.task = spawn_inner(park_task, &parking);
	cr_assert_not(weft__wake(parking.task, 0));

	weft_yield();
	cr_assert(weft__wake(parking.task, 0));
	cr_assert_not(weft__wake(parking.task, 1));
	join_inner(parking.task);
	cr_assert_eq(parking.result, 0);
}

static void note_wakes_task(void *text)
{
	for (int i = 0; i < 3; i++) {
		weft__park_firmly();
		note(text);
	}
}

TaskTest(scheduler, a_tired_task_stands_behind_others_for_as_many_wakes)
{
	struct weft__task *tired = spawn_inner(note_wakes_task, "t"),
			  *other = spawn_inner(note_wakes_task, "o");

	weft_yield();
	tired->tired = 2;
	for (int i = 0; i < 3; i++) {
		weft__wake(tired, 0);
		weft__wake(other, 0);
		yield(2);
	}

	cr_assert_str_eq(noted(), "ototto");
	join_inner(tired);
	join_inner(other);
}

TaskTest(scheduler, woken_tasks_of_a_priority_go_before_lower_ones)
{
	struct parking parked[] = {{.text = "a"}, {.text = "b"}, {.text = "c"}, {.text = "d"}};
	const uint8_t priorities[] = {0, 3, 5, 3};

	for (size_t i = 0; i < COUNT(parked); i++) {
		parked[i].task = spawn_inner(park_task, &parked[i]);
		parked[i].task->priority = priorities[i];
	}
	weft_yield();
	for (size_t i = 0; i < COUNT(parked); i++)
		weft__wake(parked[i].task, 0);
	for (size_t i = 0; i < COUNT(parked); i++)
		join_inner(parked[i].task);

	cr_assert_str_eq(noted(), "cbda");
}

static void wake_again(void *arg)
{
	struct parking *parking = arg;

	while (parking->ends < 1000) {
		weft__wake(parking->task, 0);
		weft__park(0);
	}
	weft__wake(parking->task, 0);
}

static void park_again(void *arg)
{
	struct parking *parking = arg;
	struct weft__task *other = (struct weft__task *)(uintptr_t)parking->deadline_ns;

	while (parking->ends++ < 1000) {
		weft__wake(other, 0);
		weft__park(0);
	}
	weft__wake(other, 0);
}

/* Two that wake each other for ever: a kernel thread's others would have another processor. */
TaskTest(scheduler, tasks_of_a_priority_do_not_keep_the_others_from_running)
{
	struct parking parking = {.ends = 0};
	struct weft__task *other = spawn_inner(wake_again, &parking);

	parking.deadline_ns = (uintptr_t)other;
	parking.task = spawn_inner(park_again, &parking);
	parking.task->priority = other->priority = 7;
	yield(3);

	cr_assert_lt(parking.ends, 500);
	join_inner(parking.task);
	join_inner(other);
}

TaskTest(scheduler, tasks_run_in_the_order_they_were_woken)
{
	struct parking parked[] = {{.text = "a"}, {.text = "b"}, {.text = "c"}};

	for (size_t i = 0; i < COUNT(parked); i++)
		parked[i].task = spawn_inner(park_task, &parked[i]);
	weft_yield();
	weft__wake(parked[1].task, 0);
	weft__wake(parked[2].task, 0);
	weft__wake(parked[0].task, 0);
	for (size_t i = 0; i < COUNT(parked); i++)
		join_inner(parked[i].task);

	cr_assert_str_eq(noted(), "bca");
}

TaskTest(scheduler, a_park_ends_at_its_deadline_and_not_before)
{
	for (unsigned int i = 0; i < 100; i++) {
		uint64_t deadline_ns = weft__now_ns() + i * 20011; /* 0: has passed */

		cr_assert_eq(weft__park(deadline_ns), -ETIMEDOUT);
		cr_assert_geq(weft__now_ns(), deadline_ns);
	}
}

TaskTest(scheduler, a_wake_takes_the_deadline_with_it)
{
	struct parking early = {.deadline_ns = weft__now_ns() + 3600000 * MS};
	uint64_t deadline_ns = weft__now_ns() + 5 * MS;

	early.task = spawn_inner(park_task, &early);
	weft_yield();
	weft__wake(early.task, 0);
	join_inner(early.task);
	cr_assert_eq(early.result, 0);

	/* would be the hour's, if that were armed still; and its record is gone by now */
	cr_assert_eq(weft__park(deadline_ns), -ETIMEDOUT);
}

TaskTest(scheduler, an_interrupt_ends_a_park)
{
	struct parking parking = {.ends = 0};

	parking.task = spawn_inner(park_task, &parking);
	weft_yield();
	weft__interrupt(parking.task);
	join_inner(parking.task);

	cr_assert_eq(parking.result, -EINTR);
}

TaskTest(scheduler, the_next_park_of_an_interrupted_task_ends_at_once)
{
	struct parking parking = {.ends = 0};

	parking.task = spawn_inner(park_task, &parking);
	weft__interrupt(parking.task);
	join_inner(parking.task);

	cr_assert_eq(parking.result, -EINTR);
}

TaskTest(scheduler, only_a_wake_ends_a_firm_park)
{
	struct parking parking = {.ends = 0};

	parking.task = spawn_inner(park_firmly_task, &parking);
	weft_yield();
	weft__interrupt(parking.task);
	yield(1000);
	cr_assert_eq(parking.ends, 0);

	weft__wake(parking.task, 5);
	join_inner(parking.task);
	cr_assert_eq(parking.result, 5);
}

static void yield_until(void *flag)
{
	while (!*(volatile bool *)flag)
		weft_yield();
}

/* Two tasks are ready at any time; were the loop forgotten, the park would never end. */
TaskTest(scheduler, a_deadline_is_seen_while_others_yield_for_ever)
{
	bool stop = false;
	struct weft__task *a = spawn_inner(yield_until, &stop),
			  *b = spawn_inner(yield_until, &stop);

	cr_assert_eq(weft__park(weft__now_ns() + 5 * MS), -ETIMEDOUT);

	stop = true;
	join_inner(a);
	join_inner(b);
}

TaskTest(scheduler, a_deadline_is_seen_while_one_task_yields_to_nobody)
{
	struct parking parking = {.deadline_ns = weft__now_ns() + 5 * MS};

	parking.task = spawn_inner(park_task, &parking);
	while (parking.ends == 0)
		weft_yield();

	cr_assert_eq(parking.result, -ETIMEDOUT);
	join_inner(parking.task);
}

/* All are parked long before the first deadline, so their order depends on nothing else. */
TaskTest(scheduler, tasks_run_in_the_order_of_their_deadlines)
{
	static struct parking c = {.text = "c"}, a = {.text = "a"}, b = {.text = "b"};
	uint64_t base_ns = weft__now_ns();

	c.deadline_ns = base_ns + 503 * MS;
	a.deadline_ns = base_ns + 501 * MS;
	b.deadline_ns = base_ns + 502 * MS;
	c.task = spawn_inner(park_task, &c);
	a.task = spawn_inner(park_task, &a);
	b.task = spawn_inner(park_task, &b);
	join_inner(a.task);
	join_inner(b.task);
	join_inner(c.task);

	cr_assert_str_eq(noted(), "abc");
}
