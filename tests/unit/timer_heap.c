/* The pairing heap of timers, held against a plain array. */
#include "timer.h"

#include <stdlib.h>

#include "unit.h"

#define TIMERS 256
#define STEPS 100000

static struct weft__timers timers;
static struct weft__timer timer[TIMERS];

static uint64_t soonest(void)
{
	uint64_t deadline_ns = UINT64_MAX;

	for (unsigned int i = 0; i < TIMERS; i++)
		if (timer[i].armed && timer[i].deadline_ns < deadline_ns)
			deadline_ns = timer[i].deadline_ns;
	return deadline_ns;
}

static unsigned int count_armed(void)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < TIMERS; i++)
		count += timer[i].armed != NULL;
	return count;
}

/* Arm or disarm at random, and look at the first after each step. */
static void shuffle(uint64_t most_ns)
{
	srandom(1);
	for (unsigned int step = 0; step < STEPS; step++) {
		struct weft__timer *one = &timer[(unsigned long)random() % TIMERS];

		if (one->armed)
			weft__timer_disarm(one);
		else
			weft__timer_arm(&timers, one, (uint64_t)random() % most_ns);
		if (timers.first == NULL)
			cr_assert_eq(count_armed(), 0);
		else
			cr_assert_eq(timers.first->deadline_ns, soonest(), "step %u", step);
		cr_assert_eq(timers.soonest_ns,
			     timers.first == NULL ? 0 : timers.first->deadline_ns);
	}
}

/* Take all out by the front; they must come sorted and each once. */
static void expect_sorted(unsigned int armed)
{
	uint64_t last_ns = 0;

	for (unsigned int i = 0; i < armed; i++) {
		struct weft__timer *first = timers.first;

		cr_assert_not_null(first);
		cr_assert(first->armed);
		cr_assert_geq(first->deadline_ns, last_ns);
		last_ns = first->deadline_ns;
		weft__timer_disarm(first);
	}
	cr_assert_null(timers.first);
	cr_assert_eq(count_armed(), 0);
}

Test(timer_heap, the_first_is_the_soonest_whatever_was_armed_and_disarmed)
{
	shuffle(UINT64_MAX);

	expect_sorted(count_armed());
}

Test(timer_heap, the_first_is_the_soonest_when_many_are_equal)
{
	shuffle(8);

	expect_sorted(count_armed());
}

Test(timer_heap, all_equal_deadlines_come_out)
{
	for (unsigned int i = 0; i < TIMERS; i++)
		weft__timer_arm(&timers, &timer[i], 7);

	expect_sorted(TIMERS);
}

Test(timer_heap, all_deadlines_come_out_sorted_when_armed_backwards)
{
	for (unsigned int i = 0; i < TIMERS; i++)
		weft__timer_arm(&timers, &timer[i], TIMERS - i);

	expect_sorted(TIMERS);
}

Test(timer_heap, disarming_twice_does_nothing)
{
	weft__timer_arm(&timers, &timer[0], 1);
	weft__timer_arm(&timers, &timer[1], 2);

	weft__timer_disarm(&timer[0]);
	weft__timer_disarm(&timer[0]);

	cr_assert_eq(timers.first, &timer[1]);
}

Test(timer_heap, a_timer_can_be_armed_again)
{
	weft__timer_arm(&timers, &timer[0], 1);
	weft__timer_arm(&timers, &timer[1], 2);

	weft__timer_disarm(&timer[0]);
	weft__timer_arm(&timers, &timer[0], 3);

	cr_assert_eq(timers.first, &timer[1]);
	weft__timer_disarm(&timer[1]);
	cr_assert_eq(timers.first, &timer[0]);
}
