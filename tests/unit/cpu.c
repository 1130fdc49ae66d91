/* Processor time of tasks: by samples until somebody asks, counted from then on. */
#include "cpu.h"

#include <time.h>

#include "stats.h"
#include "unit.h"

static uint64_t own_time(void)
{
	return weft__cpu_time(weft__current);
}

static void burn(uint64_t ns)
{
	for (uint64_t until = own_time() + ns; own_time() < until;)
		;
}

static void yield_for_long(void *stop)
{
	while (!*(bool *)stop)
		weft_yield();
}

TaskTest(cpu, samples_are_a_tasks_time_before_anybody_asks)
{
	weft__cpu_begin(weft__current->carrier, weft__current);
	uint64_t before = weft__current->cpu_ns;

	weft__cpu_sample(weft__current, 10 * MS, false);
	weft__cpu_sample(weft__current, 10 * MS, false);
	weft__cpu_sample(NULL, 10 * MS, false);

	cr_assert_eq(weft__watched & WEFT__WATCH_CPU, 0);
	cr_assert_eq(weft__current->cpu_ns, before + 20 * MS);
}

TaskTest(cpu, samples_count_no_more_once_somebody_has_asked)
{
	weft__cpu_begin(weft__current->carrier, weft__current);
	uint64_t before = own_time();

	weft__cpu_sample(weft__current, 1000 * MS, false);

	cr_assert_lt(own_time() - before, 1000 * MS);
}

TaskTest(cpu, time_goes_on_after_samples_ran_ahead_and_never_back)
{
	weft__cpu_begin(weft__current->carrier, weft__current);
	weft__cpu_sample(weft__current, 20 * MS, false);
	uint64_t last = own_time();

	for (uint64_t now, until = last + 5 * MS; last < until; last = now) {
		now = own_time();
		cr_assert_geq(now, last);
	}
}

TaskTest(cpu, a_task_that_waits_has_none_of_what_others_burn)
{
	weft__cpu_begin(weft__current->carrier, weft__current);
	bool stop = false;
	struct weft__task *other = spawn_inner(yield_for_long, &stop);

	burn(1 * MS);
	uint64_t before = own_time();
	weft_sleep(30 * MS);
	uint64_t asleep = own_time() - before;
	stop = true;
	join_inner(other);

	/* The other had most of 30 ms; what this one had is the way to the clock and back. */
	cr_assert_lt(asleep, 15 * MS);
}

TaskTest(cpu, short_runs_add_up_to_what_the_carrier_had)
{
	weft__cpu_begin(weft__current->carrier, weft__current);
	bool stop = false;
	struct weft__task *other = spawn_inner(yield_for_long, &stop);
	uint64_t before = own_time();
	struct timespec from, to;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	for (int i = 0; i < 20000; i++)
		weft_yield();
	uint64_t had = own_time() - before;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	stop = true;
	join_inner(other);

	int64_t carrier = (to.tv_sec - from.tv_sec) * 1000000000LL + to.tv_nsec - from.tv_nsec;
	cr_assert_leq((int64_t)had, carrier + (int64_t)MS);
}
