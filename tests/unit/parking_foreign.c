/* The parking lot between a carrier's tasks and kernel threads that are none. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "parking.h"
#include "unit.h"

#define ANY UINT32_MAX
#define THREADS 3
#define TASKS 24
#define WAITS_EACH 250

static uint32_t words[2];

static long load_word(uintptr_t address, uint32_t *value)
{
	*value = __atomic_load_n((uint32_t *)address, __ATOMIC_RELAXED);
	return 0;
}

static long wait_at(uint32_t *word, uint64_t deadline_ns)
{
	return weft__lot_wait((uintptr_t)word, 0, ANY, deadline_ns, load_word);
}

static void wait_task(void *ret_result)
{
	*(long *)ret_result = wait_at(&words[0], 0);
}

static void wake_one(void *ret_woken)
{
	*(long *)ret_woken = weft__lot_wake((uintptr_t)&words[0], 1, ANY);
}

TaskTest(parking_foreign, another_thread_wakes_a_parked_task)
{
	long result = -1, woken = -1;
	struct weft__task *task = spawn_inner(wait_task, &result);

	weft_yield();
	on_foreign_thread(wake_one, &woken);
	join_inner(task);

	cr_assert_eq(woken, 1);
	cr_assert_eq(result, 0);
}

TaskTest(parking_foreign, a_wake_that_meets_an_interrupted_task_counts_for_it)
{
	long result = -1, woken = -1;
	struct weft__task *task = spawn_inner(wait_task, &result);

	weft_yield();
	weft__interrupt(task);
	on_foreign_thread(wake_one, &woken);
	join_inner(task);

	cr_assert_eq(woken, 1);
	cr_assert_eq(result, 0);
}

static void yield_some(void *unused)
{
	(void)unused;
	yield(3);
}

/* A hundred tasks are ahead of it, so the hub looks at wakes before it has seen its own. */
TaskTest(parking_foreign, a_wake_that_arrives_before_an_interrupted_task_runs_is_not_lost)
{
	long result = -1, woken = -1;
	struct weft__task *task = spawn_inner(wait_task, &result);

	weft_yield();
	for (unsigned int i = 0; i < 100; i++)
		spawn_detached(yield_some, NULL);
	weft__interrupt(task);
	on_foreign_thread(wake_one, &woken);
	join_inner(task);

	cr_assert_eq(woken, 1);
	cr_assert_eq(result, 0);
}

static struct {
	int stop; /* atomic */
	long woken[THREADS], moved[THREADS];
} foreign;

static unsigned long ended_by_wake;

static void wait_many_times(void *arg)
{
	unsigned long seed = (unsigned long)arg;

	for (unsigned int i = 0; i < WAITS_EACH; i++) {
		long result;

		seed = seed * 6364136223846793005UL + 1442695040888963407UL;
		result =
			wait_at(&words[seed >> 62 & 1], weft__now_ns() + (seed >> 48) % 200 * 1000);
		if (result == 0)
			ended_by_wake++;
		else
			cr_expect_eq(result, -ETIMEDOUT);
	}
}

static void *wake_for_ever(void *arg)
{
	unsigned int me = (unsigned int)(uintptr_t)arg;

	for (unsigned int i = 0; __atomic_load_n(&foreign.stop, __ATOMIC_RELAXED) == 0; i++) {
		foreign.woken[me] += weft__lot_wake((uintptr_t)&words[i & 1], 1 + i % 3, ANY);
		sched_yield();
	}
	return NULL;
}

static void *move_for_ever(void *arg)
{
	unsigned int me = (unsigned int)(uintptr_t)arg;

	for (unsigned int i = 0; __atomic_load_n(&foreign.stop, __ATOMIC_RELAXED) == 0; i++) {
		foreign.woken[me] += weft__lot_requeue((uintptr_t)&words[i & 1], i % 3 == 0,
						       (uintptr_t)&words[~i & 1], 4, NULL,
						       load_word, &foreign.moved[me]);
		sched_yield();
	}
	return NULL;
}

/* Each wake that was counted ended exactly one wait, and nobody is left behind. */
static void wait_against(void *(*run)(void *arg))
{
	struct weft__task *tasks[TASKS];
	pthread_t threads[THREADS];
	long woken = 0;

	for (uintptr_t i = 0; i < TASKS; i++)
		tasks[i] = spawn_inner(wait_many_times, (void *)i);
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, i == 0 ? wake_for_ever : run, (void *)i);
	for (unsigned int i = 0; i < TASKS; i++)
		join_inner(tasks[i]);
	__atomic_store_n(&foreign.stop, 1, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		woken += foreign.woken[i];
	}

	cr_assert_eq((unsigned long)woken, ended_by_wake, "%ld woken, %lu told", woken,
		     ended_by_wake);
	cr_assert_eq(weft__lot_wake((uintptr_t)&words[0], 1000, ANY), 0);
	cr_assert_eq(weft__lot_wake((uintptr_t)&words[1], 1000, ANY), 0);
}

TaskTest(parking_foreign, each_wake_ends_one_wait_although_deadlines_race_with_it)
{
	wait_against(wake_for_ever);
}

TaskTest(parking_foreign, each_wake_ends_one_wait_although_others_move_those_who_wait)
{
	wait_against(move_for_ever);
}

/* The classical use: a lock whose word is 0 free, 1 held, 2 held and waited for (Drepper, 2011). */
static uint32_t lock_word;
static unsigned long guarded;

static void wake_next(void)
{
	if (__atomic_exchange_n(&lock_word, 0, __ATOMIC_SEQ_CST) == 2)
		weft__lot_wake((uintptr_t)&lock_word, 1, ANY);
}

static void lock_from_task(void)
{
	uint32_t state = 0;

	if (__atomic_compare_exchange_n(&lock_word, &state, 1, false, __ATOMIC_SEQ_CST,
					__ATOMIC_SEQ_CST))
		return;
	while (__atomic_exchange_n(&lock_word, 2, __ATOMIC_SEQ_CST) != 0)
		weft__lot_wait((uintptr_t)&lock_word, 2, ANY, 0, load_word);
}

static void lock_many_times(void *unused)
{
	(void)unused;
	for (unsigned int i = 0; i < WAITS_EACH; i++) {
		lock_from_task();
		guarded++;
		weft_yield();
		wake_next();
	}
}

static void *lock_from_thread(void *unused)
{
	for (unsigned int i = 0; i < WAITS_EACH; i++) {
		uint32_t state = 0;

		while (!__atomic_compare_exchange_n(&lock_word, &state, 2, false, __ATOMIC_SEQ_CST,
						    __ATOMIC_SEQ_CST)) {
			state = 0;
			sched_yield();
		}
		guarded++;
		wake_next();
	}
	return unused;
}

TaskTest(parking_foreign, tasks_and_threads_share_a_lock)
{
	struct weft__task *tasks[TASKS];
	pthread_t thread;

	for (unsigned int i = 0; i < TASKS; i++)
		tasks[i] = spawn_inner(lock_many_times, NULL);
	pthread_create(&thread, NULL, lock_from_thread, NULL);
	for (unsigned int i = 0; i < TASKS; i++)
		join_inner(tasks[i]);
	pthread_join(thread, NULL);

	cr_assert_eq(guarded, (TASKS + 1) * WAITS_EACH);
}
