/* Whose turn it is, and on which carrier, where a crew has several. */
#include "on_crew.h"

#include <errno.h>
#include <sched.h>

#include "hub.h"

#define ROUNDS 300
#define TASKS 24

static unsigned int here, done;

static void meet_others(void *members)
{
	meet(&here, (unsigned int)(uintptr_t)members);
}

static void start_and_meet(void *members)
{
	for (uintptr_t i = 1; i < (uintptr_t)members; i++)
		start(meet_others, members);
	meet_others(members);
}

Test(crew, as_many_tasks_run_at_once_as_there_are_carriers, .timeout = HANG_S)
{
	run_on_crew(CARRIERS, start_and_meet, (void *)(uintptr_t)CARRIERS);

	cr_assert_eq(here, CARRIERS);
}

static void count_only(void *unused)
{
	(void)unused;
	count_one(&done);
}

/* Nobody runs before all are placed: the lock is held. */
static void place_seven(void *ret_places)
{
	enter_weft();
	for (size_t i = 0; i < 7; i++)
		((unsigned int *)ret_places)[i] = start_inside(count_only, NULL)->carrier->number;
	leave_weft();
}

Test(crew, who_makes_one_task_has_it_beside_and_who_makes_more_hands_them_out, .timeout = HANG_S)
{
	const unsigned int expected[] = {0, 1, 2, 1, 2, 0, 1};
	unsigned int places[COUNT(expected)];

	run_on_crew(3, place_seven, places);

	for (size_t i = 0; i < COUNT(expected); i++)
		cr_assert_eq(places[i], expected[i], "task %zu on carrier %u", i, places[i]);
	cr_assert_eq(done, COUNT(expected));
}

static struct weft__task *starter, *waiting[3];

static void wait_beside(void *unused)
{
	(void)unused;
	enter_weft();
	weft__wake(starter, 0);
	weft__park_firmly();
	leave_weft();
	count_one(&done);
}

/* They begin and park one after the other on the caller's carrier: of one ready task nobody takes any. */
static void start_waiting(size_t tasks)
{
	starter = weft__current;
	for (size_t i = 0; i < tasks; i++) {
		waiting[i] = start_here(wait_beside, NULL);
		park_firmly();
	}
}

static void wake_waiting(size_t tasks)
{
	enter_weft();
	for (size_t i = 0; i < tasks; i++)
		weft__wake(waiting[i], 0);
	leave_weft();
}

static void wake_three_and_compute(void *unused)
{
	(void)unused;
	start_waiting(3);
	wake_waiting(3);
	compute_until(&done, 2);
}

Test(crew, who_has_nothing_to_do_takes_all_ready_tasks_but_one, .timeout = HANG_S)
{
	run_on_crew(CARRIERS, wake_three_and_compute, NULL);

	for (size_t i = 0; i < 3; i++)
		cr_assert_eq(where_began(waiting[i]), 0);
	cr_assert_neq(where_ended(waiting[0]), 0);
	cr_assert_neq(where_ended(waiting[1]), 0);
	cr_assert_eq(where_ended(waiting[2]), 0, "the last is about to be run by its own");
}

static void wake_one_and_compute(void *unused)
{
	(void)unused;
	start_waiting(1);
	wake_waiting(1);
	compute_with_ticks(&done, 1);
}

Test(crew, a_tick_gives_away_the_last_one_behind_who_computes, .timeout = HANG_S)
{
	run_on_crew(CARRIERS, wake_one_and_compute, NULL);

	cr_assert_eq(where_began(waiting[0]), 0);
	cr_assert_neq(where_ended(waiting[0]), 0);
}

struct pair {
	struct weft__task *task[2];
	unsigned int moves;
};

static void answer(void *arg)
{
	struct pair *pair = arg;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		enter_weft();
		weft__wake(pair->task[0], 0);
		weft__park_firmly();
		leave_weft();
		pair->moves += where() != 0;
	}
}

static void ask(void *arg)
{
	struct pair *pair = arg;

	pair->task[0] = weft__current;
	pair->task[1] = start_here(answer, pair);
	park_firmly();
	for (unsigned int i = 1; i < ROUNDS; i++) {
		enter_weft();
		weft__wake(pair->task[1], 0);
		weft__park_firmly();
		leave_weft();
		pair->moves += where() != 0;
	}
	wake(pair->task[1]);
}

Test(crew, two_that_wake_each_other_stay_where_they_are, .timeout = HANG_S)
{
	struct pair pair = {.moves = 0};

	run_on_crew(CARRIERS, ask, &pair);

	cr_assert_eq(pair.moves, 0);
}

/* All wait for their turn, which is guarded by the lock alone. */
static struct weft__task *ring[TASKS];
static unsigned int turn, out_of_turn;
static uint8_t tired;

static void pass_on(void *arg)
{
	unsigned int mine = (unsigned int)(uintptr_t)arg;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		enter_weft();
		while (turn % TASKS != mine)
			weft__park_firmly();
		out_of_turn += turn != i * TASKS + mine;
		turn++;
		weft__current->tired = tired;
		weft__wake(ring[turn % TASKS], 0);
		leave_weft();
	}
	count_one(&done);
}

static void start_ring(void *unused)
{
	(void)unused;
	enter_weft();
	for (size_t i = 0; i < TASKS; i++)
		ring[i] = start_inside(pass_on, (void *)i);
	leave_weft();
}

Test(crew, no_wake_from_one_carrier_to_another_is_lost, .timeout = HANG_S)
{
	run_on_crew(CARRIERS, start_ring, NULL);

	cr_assert_eq(turn, TASKS * ROUNDS);
	cr_assert_eq(out_of_turn, 0);
}

static void start_ring_and_compute(void *unused)
{
	start_ring(unused);
	compute_with_ticks(&done, TASKS);
}

/* They stand apart when they are woken, on the carrier of who computes too. */
Test(crew, no_wake_of_who_has_had_a_slice_is_lost, .timeout = HANG_S)
{
	tired = 1;

	run_on_crew(CARRIERS, start_ring_and_compute, NULL);

	cr_assert_eq(turn, TASKS * ROUNDS);
	cr_assert_eq(out_of_turn, 0);
}

static unsigned int turns[TASKS];

static void yield_many_times(void *ret_turns)
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		enter_weft();
		++*(unsigned int *)ret_turns;
		weft__yield();
		leave_weft();
	}
	count_one(&done);
}

static void start_beside(void (*entry)(void *arg))
{
	for (size_t i = 0; i < TASKS; i++)
		start_here(entry, &turns[i]);
	compute_with_ticks(&done, TASKS);
}

static void start_yielding(void *unused)
{
	(void)unused;
	start_beside(yield_many_times);
}

Test(crew, the_others_run_all_that_yield_beside_one_that_computes, .timeout = HANG_S)
{
	run_on_crew(CARRIERS, start_yielding, NULL);

	for (size_t i = 0; i < TASKS; i++)
		cr_assert_eq(turns[i], ROUNDS);
	cr_assert_eq(count_buried(), TASKS + 1);
	cr_assert_eq(weft__crew_tasks(crew), 0);
}

/* weft__preempt() takes the lock, for it may come where that is not held. */
static void compute_slices(void *ret_turns)
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		weft__end_slice(weft__current->carrier);
		weft__preempt();
		++*(unsigned int *)ret_turns;
		leave_weft();
	}
	count_one(&done);
}

static void start_slices(void *unused)
{
	(void)unused;
	start_beside(compute_slices);
}

Test(crew, those_whose_slice_is_over_are_taken_too, .timeout = HANG_S)
{
	run_on_crew(CARRIERS, start_slices, NULL);

	for (size_t i = 0; i < TASKS; i++)
		cr_assert_eq(turns[i], ROUNDS);
}

static unsigned int wanted[TASKS];
static unsigned int kicks;

static void count_kick(struct weft__carrier *carrier)
{
	(void)carrier;
	count_one(&kicks);
}

static void park_until_wanted(void *ret_wanted)
{
	struct weft__task *me = weft__current;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		enter_weft();
		*(unsigned int *)ret_wanted += weft__park(0) == -EINTR;
		me->attention = 0;
		leave_weft();
	}
	count_one(&done);
}

static void interrupt_all(void *unused)
{
	(void)unused;
	for (size_t i = 0; i < TASKS; i++)
		ring[i] = start(park_until_wanted, &wanted[i]);
	while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) < TASKS) {
		enter_weft();
		for (size_t i = 0; i < TASKS; i++)
			weft__interrupt(ring[i]);
		weft__yield();
		leave_weft();
	}
}

Test(crew, an_interrupt_ends_a_park_on_another_carrier, .timeout = HANG_S)
{
	weft__kick = count_kick;

	run_on_crew(CARRIERS, interrupt_all, NULL);

	for (size_t i = 0; i < TASKS; i++)
		cr_assert_eq(wanted[i], ROUNDS);
}

static void compute_until_kicked(void *ret_result)
{
	count_one(&here);
	compute_until(&kicks, 1);
	enter_weft();
	*(int *)ret_result = weft__park(0);
	leave_weft();
}

static void interrupt_while_it_runs(void *ret_result)
{
	struct weft__task *task = start_here(compute_until_kicked, ret_result);

	compute_with_ticks(&here, 1);
	enter_weft();
	weft__interrupt(task);
	leave_weft();
}

Test(crew, who_runs_elsewhere_and_is_wanted_is_kicked, .timeout = HANG_S)
{
	int result = 0;

	weft__kick = count_kick;
	run_on_crew(2, interrupt_while_it_runs, &result);

	cr_assert_eq(kicks, 1);
	cr_assert_eq(result, -EINTR);
}

static unsigned int errands[CARRIERS];

static void do_errand(struct weft__carrier *carrier)
{
	errands[carrier->number] += weft__carrier_here() == carrier;
	count_one(&done);
}

/* Those who sleep, and those who wait for the lock, which is kept meanwhile. */
static void send_on_errands(void *unused)
{
	(void)unused;
	for (unsigned int i = 1; i <= ROUNDS; i++) {
		enter_weft();
		for (unsigned int j = 1; j < CARRIERS; j++) {
			__atomic_store_n(&crew->carrier[j]->errand, do_errand, __ATOMIC_RELEASE);
			weft__hub_ring(crew->carrier[j]);
		}
		compute_until(&done, i * (CARRIERS - 1));
		leave_weft();
	}
}

Test(crew, a_carrier_does_an_errand_while_who_sent_it_has_the_lock, .timeout = HANG_S)
{
	run_on_crew(CARRIERS, send_on_errands, NULL);

	cr_assert_eq(errands[0], 0);
	for (size_t i = 1; i < CARRIERS; i++)
		cr_assert_eq(errands[i], ROUNDS);
}
