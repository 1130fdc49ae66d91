/* Wakes from kernel threads that are no carriers. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "unit.h"

#define THREADS 4
#define TASKS_EACH 8
#define WAKES_EACH 200

static void wake_remote(void *task)
{
	weft__wake_remote(task);
}

static void wake_remote_later(void *task)
{
	struct timespec pause = {0, 2000000};

	nanosleep(&pause, NULL);
	weft__wake_remote(task);
}

static void *wake_thread(void *task)
{
	wake_remote_later(task);
	return NULL;
}

TaskTest(remote, a_wake_from_another_thread_ends_a_park)
{
	on_foreign_thread(wake_remote, weft__current);

	cr_assert_eq(weft__park_firmly(), 0);
}

TaskTest(remote, a_wake_from_another_thread_rouses_an_idle_carrier)
{
	pthread_t thread;

	pthread_create(&thread, NULL, wake_thread, weft__current);

	cr_assert_eq(weft__park(0), 0);
	pthread_join(thread, NULL);
}

static void park_and_note(void *text)
{
	weft__park(0);
	note(text);
}

struct three {
	struct weft__task *task[3];
};

static void wake_three(void *arg)
{
	struct three *three = arg;

	weft__wake_remote(three->task[2]);
	weft__wake_remote(three->task[0]);
	weft__wake_remote(three->task[1]);
}

TaskTest(remote, wakes_from_another_thread_keep_their_order)
{
	struct three three = {{spawn_inner(park_and_note, "a"), spawn_inner(park_and_note, "b"),
			       spawn_inner(park_and_note, "c")}};

	weft_yield();
	on_foreign_thread(wake_three, &three);
	for (size_t i = 0; i < COUNT(three.task); i++)
		join_inner(three.task[i]);

	cr_assert_str_eq(noted(), "cab");
}

TaskTest(remote, a_wake_from_another_thread_is_seen_although_tasks_are_always_ready)
{
	struct weft__task *task = spawn_inner(park_and_note, "woken");

	weft_yield();
	on_foreign_thread(wake_remote, task);
	while (noted()[0] == '\0')
		weft_yield();

	join_inner(task);
}

/* A task says that it parks; its thread takes that back and wakes it. */
struct seat {
	struct weft__task *task;
	int parks; /* atomic */
	unsigned int wakes;
};

static struct seat seats[THREADS][TASKS_EACH];

static void park_many_times(void *arg)
{
	struct seat *seat = arg;

	for (; seat->wakes < WAKES_EACH; seat->wakes++) {
		__atomic_store_n(&seat->parks, 1, __ATOMIC_RELEASE);
		weft__park_firmly();
	}
}

static void *wake_many_times(void *arg)
{
	struct seat *row = arg;
	unsigned int left = TASKS_EACH * WAKES_EACH;

	while (left > 0) {
		for (unsigned int i = 0; i < TASKS_EACH; i++) {
			if (__atomic_exchange_n(&row[i].parks, 0, __ATOMIC_ACQUIRE) == 0)
				continue;
			weft__wake_remote(row[i].task);
			left--;
		}
		sched_yield();
	}
	return NULL;
}

TaskTest(remote, no_wake_is_lost_of_many_threads_and_many_tasks)
{
	pthread_t threads[THREADS];

	for (unsigned int i = 0; i < THREADS; i++)
		for (unsigned int j = 0; j < TASKS_EACH; j++)
			seats[i][j].task = spawn_inner(park_many_times, &seats[i][j]);
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, wake_many_times, seats[i]);

	for (unsigned int i = 0; i < THREADS; i++)
		for (unsigned int j = 0; j < TASKS_EACH; j++)
			join_inner(seats[i][j].task);

	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void yield_until(void *flag)
{
	while (!*(volatile bool *)flag)
		weft_yield();
}

/* The one that yields makes the loop be looked at, so the wake is found before its ring. */
static void run_until_woken(void *arg)
{
	struct seat *seat = arg;
	bool woken = false;

	spawn_detached(yield_until, &woken);
	seat->task = weft__current;
	__atomic_store_n(&seat->parks, 1, __ATOMIC_RELEASE);
	weft__park_firmly();
	woken = true;
	yield(2);
}

static void *wake_each_run(void *arg)
{
	struct seat *seat = arg;

	for (unsigned int i = 0; i < WAKES_EACH; i++) {
		while (__atomic_exchange_n(&seat->parks, 0, __ATOMIC_ACQUIRE) == 0)
			sched_yield();
		weft__wake_remote(seat->task);
	}
	return NULL;
}

/* The woken task ends the run at once: the waker may not touch what the run gave back. */
Test(remote, a_carrier_can_end_while_its_waker_still_returns, .timeout = HANG_S)
{
	struct seat seat = {.parks = 0};
	pthread_t thread;

	pthread_create(&thread, NULL, wake_each_run, &seat);

	for (unsigned int i = 0; i < WAKES_EACH; i++)
		cr_assert_eq(run_tasks(run_until_woken, &seat), 0);

	pthread_join(thread, NULL);
}
