/* Words, deadlines, other threads and jobs, for which tasks of several carriers wait at once. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "offload.h"
#include "on_crew.h"
#include "parking.h"

#define ANY UINT32_MAX
#define HOUR_NS (3600000 * MS)
#define ROUNDS 300
#define TASKS 24
#define THREADS 3

static unsigned int here, done;

static void start_all(void (*entry)(void *arg), struct weft__task *tasks[TASKS])
{
	for (size_t i = 0; i < TASKS; i++)
		tasks[i] = start(entry, (void *)i);
}

/* --- the parking lot --- */

static uint32_t words[2];

static long load_word(uintptr_t address, uint32_t *value)
{
	*value = __atomic_load_n((uint32_t *)address, __ATOMIC_RELAXED);
	return 0;
}

static long wait_at(uint32_t *word, uint32_t expected, uint64_t deadline_ns)
{
	long result;

	enter_weft();
	result = weft__lot_wait((uintptr_t)word, expected, ANY, deadline_ns, load_word);
	leave_weft();
	return result;
}

static long wake_at(uint32_t *word, long most)
{
	long woken;

	enter_weft();
	woken = weft__lot_wake((uintptr_t)word, most, ANY);
	leave_weft();
	return woken;
}

/* A mutex as programs have it: 0 free, 1 taken, 2 waited for. */
static void lock_word(uint32_t *word)
{
	uint32_t seen = 0;

	if (__atomic_compare_exchange_n(word, &seen, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	while (__atomic_exchange_n(word, 2, __ATOMIC_ACQUIRE) != 0)
		wait_at(word, 2, 0);
}

static void unlock_word(uint32_t *word)
{
	if (__atomic_exchange_n(word, 0, __ATOMIC_RELEASE) == 2)
		wake_at(word, 1);
}

static unsigned int guarded;

static void count_guarded(void *unused)
{
	(void)unused;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		lock_word(&words[0]);
		guarded++;
		if (i % 16 == 0) /* who owns it may be on another carrier than who waits */
			sched_yield();
		unlock_word(&words[0]);
	}
}

static struct weft__task *tasks[TASKS];

static void start_guarded(void *unused)
{
	(void)unused;
	start_all(count_guarded, tasks);
}

Test(crew_waits, a_mutex_of_the_program_has_one_owner_on_all_carriers, .timeout = HANG_S)
{
	run_on_crew(CARRIERS, start_guarded, NULL);

	cr_assert_eq(guarded, TASKS * ROUNDS);
}

/* Each wait that ends by a wake is one that was counted for it, whoever woke. */
static unsigned int woken_waits, woken_count;

static void wait_a_moment(void *arg)
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint64_t deadline_ns = weft__now_ns() + ((uintptr_t)arg + i) % 8 * 20000 + 1;

		if (wait_at(&words[0], 0, deadline_ns) == 0)
			count_one(&woken_waits);
	}
	count_one(&done);
}

static void add_woken(long woken)
{
	__atomic_add_fetch(&woken_count, (unsigned int)woken, __ATOMIC_RELAXED);
}

static void *wake_from_outside(void *unused)
{
	while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) < TASKS) {
		add_woken(weft__lot_wake((uintptr_t)&words[0], 1, ANY));
		sched_yield();
	}
	return unused;
}

static void wake_from_a_task(void *unused)
{
	(void)unused;
	start_all(wait_a_moment, tasks);
	while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) < TASKS) {
		add_woken(wake_at(&words[0], 2));
		enter_weft();
		weft__yield();
		leave_weft();
	}
}

Test(crew_waits, each_wake_at_a_word_ends_one_wait_though_deadlines_come, .timeout = HANG_S)
{
	pthread_t thread;

	pthread_create(&thread, NULL, wake_from_outside, NULL);
	run_on_crew(CARRIERS, wake_from_a_task, NULL);
	pthread_join(thread, NULL);

	cr_assert_eq(woken_waits, woken_count);
	for (unsigned int i = 0; i < CARRIERS; i++)
		cr_assert_null(crew->carrier[i]->timers.first);
}

static long results[TASKS];

static void wait_at_first(void *arg)
{
	count_one(&here);
	results[(uintptr_t)arg] = wait_at(&words[0], 0, 0);
	count_one(&done);
}

static void requeue_all(void *unused)
{
	long moved = 0, woken = 0;

	(void)unused;
	start_all(wait_at_first, tasks);
	compute_with_ticks(&here, TASKS);
	while (woken + moved < TASKS) {
		enter_weft();
		woken += weft__lot_requeue((uintptr_t)&words[0], 1, (uintptr_t)&words[1], 2, NULL,
					   load_word, &moved);
		leave_weft();
		compute_with_ticks(&done, (unsigned int)woken);
	}
	while (woken < TASKS)
		woken += wake_at(&words[1], 1);
}

Test(crew_waits, who_is_moved_to_another_word_is_woken_there, .timeout = HANG_S)
{
	run_on_crew(CARRIERS, requeue_all, NULL);

	cr_assert_eq(done, TASKS);
	for (size_t i = 0; i < TASKS; i++)
		cr_assert_eq(results[i], 0);
}

/* --- deadlines --- */

static struct weft__task *starter, *waiting[2];

static void park_for_an_hour(void *ret_result)
{
	enter_weft();
	weft__wake(starter, 0);
	*(long *)ret_result = weft__park(weft__now_ns() + HOUR_NS);
	leave_weft();
	count_one(&done);
}

/* Two are woken where their timers are armed, and one is taken by another carrier. */
static void wake_beside(void *unused)
{
	(void)unused;
	starter = weft__current;
	for (size_t i = 0; i < COUNT(waiting); i++) {
		results[i] = 1;
		waiting[i] = start_here(park_for_an_hour, &results[i]);
		park_firmly();
	}
	enter_weft();
	for (size_t i = 0; i < COUNT(waiting); i++)
		weft__wake(waiting[i], 0);
	leave_weft();
	compute_with_ticks(&done, 1);
}

Test(crew_waits, a_deadline_is_taken_back_from_the_carrier_that_has_it, .timeout = HANG_S)
{
	run_on_crew(2, wake_beside, NULL);

	cr_assert_eq(where_began(waiting[0]), 0);
	cr_assert_eq(where_ended(waiting[0]), 1);
	for (unsigned int i = 0; i < 2; i++) {
		cr_assert_eq(results[i], 0);
		cr_assert_null(crew->carrier[i]->timers.first);
	}
}

static unsigned int timed_out;

static void park_a_moment(void *arg)
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint64_t deadline_ns = weft__now_ns() + ((uintptr_t)arg + i) % 8 * 20000 + 1;
		int result;

		enter_weft();
		result = weft__park(deadline_ns);
		leave_weft();
		count_one(result == 0 ? &woken_waits : &timed_out);
	}
	count_one(&done);
}

static void wake_some(void *unused)
{
	(void)unused;
	start_all(park_a_moment, tasks);
	while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) < TASKS) {
		for (size_t i = 0; i < TASKS; i += 3)
			add_woken(wake(tasks[i]));
		enter_weft();
		weft__yield();
		leave_weft();
	}
}

Test(crew_waits, a_park_ends_by_a_wake_or_a_deadline_and_by_one_of_them, .timeout = HANG_S)
{
	run_on_crew(CARRIERS, wake_some, NULL);

	cr_assert_eq(woken_waits, woken_count);
	cr_assert_eq(woken_waits + timed_out, TASKS * ROUNDS);
	for (unsigned int i = 0; i < CARRIERS; i++)
		cr_assert_null(crew->carrier[i]->timers.first);
}

/* --- other threads --- */

/* A task says that it parks; its thread takes that back and wakes it. */
struct seat {
	struct weft__task *task; /* atomic */
	unsigned int wakes;
};

static struct seat seats[TASKS];

static void park_many_times(void *arg)
{
	struct seat *seat = &seats[(uintptr_t)arg];

	for (; seat->wakes < ROUNDS; seat->wakes++) {
		enter_weft();
		__atomic_store_n(&seat->task, weft__current, __ATOMIC_RELEASE);
		weft__park_firmly();
		leave_weft();
	}
}

static void *wake_many_times(void *row)
{
	unsigned int left = TASKS / THREADS * ROUNDS;
	struct weft__task *task;

	while (left > 0) {
		for (uintptr_t i = (uintptr_t)row; i < TASKS; i += THREADS) {
			task = __atomic_exchange_n(&seats[i].task, NULL, __ATOMIC_ACQUIRE);
			if (task == NULL)
				continue;
			weft__wake_remote(task);
			left--;
		}
		sched_yield();
	}
	return NULL;
}

static void start_seats(void *unused)
{
	(void)unused;
	start_all(park_many_times, tasks);
}

Test(crew_waits, no_wake_of_threads_outside_is_lost, .timeout = HANG_S)
{
	pthread_t threads[THREADS];

	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, wake_many_times, (void *)i);
	run_on_crew(CARRIERS, start_seats, NULL);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);

	for (size_t i = 0; i < TASKS; i++)
		cr_assert_eq(seats[i].wakes, ROUNDS);
}

/* With a tick, so that a carrier with nothing to do takes who waits for its turn. */
static void yield_and_move(void)
{
	enter_weft();
	weft__tick(weft__current->carrier);
	weft__yield();
	leave_weft();
}

static bool has_been_woken(const struct weft__task *me)
{
	bool woken;

	enter_weft();
	woken = me->woken_early;
	leave_weft();
	return woken;
}

static void yield_until_woken(void *unused)
{
	struct weft__task *me = weft__current;

	(void)unused;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		__atomic_store_n(&seats[0].task, me, __ATOMIC_RELEASE);
		while (!has_been_woken(me))
			yield_and_move();
		results[0] += park_firmly() == 0;
	}
	count_one(&done);
}

static void *wake_who_yields(void *unused)
{
	struct weft__task *task;

	for (unsigned int left = ROUNDS; left > 0; left -= task != NULL) {
		task = __atomic_exchange_n(&seats[0].task, NULL, __ATOMIC_ACQUIRE);
		if (task != NULL)
			weft__wake_remote(task);
		sched_yield();
	}
	return unused;
}

/* Whose carrier has nothing to do now and then. */
static void yield_and_sleep(void *unused)
{
	(void)unused;
	while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) == 0) {
		yield_and_move();
		enter_weft();
		weft__park(weft__now_ns() + 20000);
		leave_weft();
	}
}

static void start_moving(void *unused)
{
	start(yield_until_woken, unused);
	for (size_t i = 0; i < 2; i++)
		start(yield_and_sleep, unused);
	yield_and_sleep(unused);
}

Test(crew_waits, a_wake_from_outside_finds_a_task_that_moves, .timeout = HANG_S)
{
	pthread_t thread;

	pthread_create(&thread, NULL, wake_who_yields, NULL);
	run_on_crew(2, start_moving, NULL);
	pthread_join(thread, NULL);

	cr_assert_eq(results[0], ROUNDS);
}

/* --- jobs --- */

static long run_twice(struct weft__job *job)
{
	return 2 * job->arg[0];
}

static void offload_many_times(void *arg)
{
	for (long i = 0; i < ROUNDS / 10; i++) {
		struct weft__job job = {.run = run_twice, .arg = {i}, .data_arg = -1, .ends = true};
		long result;

		enter_weft();
		result = weft__offload(&job);
		leave_weft();
		results[(uintptr_t)arg] += result == 2 * i;
	}
}

static void start_offloads(void *unused)
{
	(void)unused;
	start_all(offload_many_times, tasks);
}

Test(crew_waits, jobs_of_all_carriers_come_back_to_who_made_them, .timeout = HANG_S)
{
	run_on_crew(CARRIERS, start_offloads, NULL);

	for (size_t i = 0; i < TASKS; i++)
		cr_assert_eq(results[i], ROUNDS / 10);
}
