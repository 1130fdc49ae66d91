/* The parking lot among the tasks of one carrier. */
#include "parking.h"

#include <errno.h>

#include "unit.h"

#define ANY UINT32_MAX
#define MOST_WORDS 4200 /* more than there are buckets */
#define LONG_WAIT 10000 /* yields of two tasks: what makes heirs */

static long load_word(uintptr_t address, uint32_t *value)
{
	*value = __atomic_load_n((uint32_t *)address, __ATOMIC_RELAXED);
	return 0;
}

static long load_nothing(uintptr_t address, uint32_t *value)
{
	(void)address;
	(void)value;
	return -EFAULT;
}

static uint32_t here, there;

struct visit {
	uint32_t *word;
	uint32_t bitset;
	uint64_t deadline_ns;
	const char *text;
	struct weft__task *task;
	long result;
};

static void visit_lot(void *arg)
{
	struct visit *visit = arg;

	visit->result = weft__lot_wait((uintptr_t)visit->word, *visit->word, visit->bitset,
				       visit->deadline_ns, load_word);
	note(visit->text);
}

static void start_visits(struct visit *visits, size_t n)
{
	for (size_t i = 0; i < n; i++)
		visits[i].task = spawn_inner(visit_lot, &visits[i]);
	weft_yield();
}

static void end_visits(struct visit *visits, size_t n)
{
	for (size_t i = 0; i < n; i++)
		join_inner(visits[i].task);
}

static long wake(uint32_t *word, long most, uint32_t bitset)
{
	return weft__lot_wake((uintptr_t)word, most, bitset);
}

#define VISIT(word_, text_) ((struct visit){.word = (word_), .bitset = ANY, .text = (text_)})

TaskTest(parking, a_wait_for_another_value_is_refused)
{
	cr_assert_eq(weft__lot_wait((uintptr_t)&here, 1, ANY, 0, load_word), -EAGAIN);

	cr_assert_eq(wake(&here, 1, ANY), 0);
}

TaskTest(parking, a_wait_at_a_bad_address_is_refused)
{
	cr_assert_eq(weft__lot_wait((uintptr_t)&here, 0, ANY, 0, load_nothing), -EFAULT);
}

TaskTest(parking, a_wake_where_nobody_waits_wakes_nobody)
{
	cr_assert_eq(wake(&here, 10, ANY), 0);
}

TaskTest(parking, those_who_wait_are_woken_first_come_first)
{
	struct visit visits[] = {VISIT(&here, "a"), VISIT(&here, "b"), VISIT(&here, "c")};

	start_visits(visits, 3);
	cr_assert_eq(wake(&here, 2, ANY), 2);
	weft_yield();
	cr_assert_str_eq(noted(), "ab");
	cr_assert_eq(wake(&here, 10, ANY), 1);
	end_visits(visits, 3);

	cr_assert_str_eq(noted(), "abc");
	cr_assert_eq(visits[0].result, 0);
}

TaskTest(parking, a_wake_of_none_wakes_nobody)
{
	struct visit visit = VISIT(&here, "a");

	start_visits(&visit, 1);
	cr_assert_eq(wake(&here, 0, ANY), 0);

	cr_assert_eq(wake(&here, 1, ANY), 1);
	end_visits(&visit, 1);
}

TaskTest(parking, a_wake_finds_only_those_whose_bitset_meets_its_own)
{
	struct visit visits[] = {VISIT(&here, "a"), VISIT(&here, "b"), VISIT(&here, "c")};

	visits[0].bitset = 1;
	visits[1].bitset = 6;
	visits[2].bitset = 4;
	start_visits(visits, 3);
	cr_assert_eq(wake(&here, 10, 8), 0);
	cr_assert_eq(wake(&here, 1, 4), 1);
	weft_yield();
	cr_assert_str_eq(noted(), "b");
	cr_assert_eq(wake(&here, 10, 5), 2);
	end_visits(visits, 3);

	cr_assert_str_eq(noted(), "bac");
}

/* More words than buckets: some share one. */
TaskTest(parking, a_wake_finds_only_those_of_its_own_address)
{
	static uint32_t words[MOST_WORDS];
	static struct visit visits[MOST_WORDS];

	for (size_t i = 0; i < MOST_WORDS; i++)
		visits[i] = VISIT(&words[i], "");
	start_visits(visits, MOST_WORDS);
	for (size_t i = MOST_WORDS; i-- > 0;)
		cr_assert_eq(wake(&words[i], 10, ANY), 1);
	end_visits(visits, MOST_WORDS);

	for (size_t i = 0; i < MOST_WORDS; i++)
		cr_assert_eq(visits[i].result, 0);
}

static long requeue(long wakes, long moves, const uint32_t *expected, long *moved)
{
	return weft__lot_requeue((uintptr_t)&here, wakes, (uintptr_t)&there, moves, expected,
				 load_word, moved);
}

TaskTest(parking, a_requeue_wakes_some_and_moves_others_in_their_order)
{
	struct visit visits[] = {VISIT(&here, "a"), VISIT(&here, "b"), VISIT(&here, "c"),
				 VISIT(&here, "d")};
	long moved = 0;

	start_visits(visits, 4);
	cr_assert_eq(requeue(1, 2, NULL, &moved), 1);
	cr_assert_eq(moved, 2);
	weft_yield();
	cr_assert_str_eq(noted(), "a");
	cr_assert_eq(wake(&here, 10, ANY), 1);
	weft_yield();
	cr_assert_str_eq(noted(), "ad");
	cr_assert_eq(wake(&there, 10, ANY), 2);
	end_visits(visits, 4);

	cr_assert_str_eq(noted(), "adbc");
}

TaskTest(parking, a_requeue_of_another_value_is_refused_and_moves_nobody)
{
	struct visit visit = VISIT(&here, "a");
	uint32_t expected = 1;
	long moved = 0;

	start_visits(&visit, 1);
	cr_assert_eq(requeue(1, 1, &expected, &moved), -EAGAIN);
	cr_assert_eq(moved, 0);

	expected = 0;
	cr_assert_eq(requeue(0, 1, &expected, &moved), 0);
	cr_assert_eq(moved, 1);
	cr_assert_eq(wake(&there, 1, ANY), 1);
	end_visits(&visit, 1);
}

/* Of a lock that many wait for: who has had it wakes the next one. */
struct line {
	unsigned int times; /* that each waits */
	unsigned int served, most_served;
	unsigned int rounds, most_rounds; /* of somebody who only yields, once the first is woken */
	bool has_begun;
};

static void stand_in_line(void *arg)
{
	struct line *line = arg;

	for (unsigned int i = 0; i < line->times && line->served < line->most_served; i++) {
		weft__lot_wait((uintptr_t)&here, here, ANY, 0, load_word);
		line->served++;
		wake(&here, 1, ANY);
	}
}

static void only_yield(void *arg)
{
	struct line *line = arg;

	while (line->served < line->most_served && line->rounds < line->most_rounds) {
		weft_yield();
		line->rounds += line->has_begun;
	}
	line->most_served = 0;
}

static void run_line(struct line *line, size_t n)
{
	struct weft__task *in_line[32], *yields;

	cr_assert_leq(n, COUNT(in_line));
	here = 2;
	for (size_t i = 0; i < n; i++)
		in_line[i] = spawn_inner(stand_in_line, line);
	weft_yield();
	yields = spawn_inner(only_yield, line);
	for (int i = 0; i < LONG_WAIT; i++)
		weft_yield();
	line->has_begun = true;
	wake(&here, 1, ANY);
	join_inner(yields);
	wake(&here, (long)n, ANY);
	for (size_t i = 0; i < n; i++)
		join_inner(in_line[i]);
}

TaskTest(parking, the_last_in_a_line_does_not_wait_a_round_for_each_before_it)
{
	struct line line = {.times = 1, .most_served = 32, .most_rounds = 1000};

	run_line(&line, 32);

	cr_assert_eq(line.served, 32);
	cr_assert_leq(line.rounds, 24);
}

TaskTest(parking, a_line_without_end_lets_others_have_their_turns)
{
	struct line line = {.times = 100000, .most_served = 100000, .most_rounds = 100};

	run_line(&line, 3);

	cr_assert_eq(line.rounds, 100);
	cr_assert_leq(line.served, 100 * 64);
}

TaskTest(parking, a_wait_ends_at_its_deadline_and_nobody_is_left)
{
	uint64_t deadline_ns = weft__now_ns() + 3 * MS;

	cr_assert_eq(weft__lot_wait((uintptr_t)&here, 0, ANY, deadline_ns, load_word), -ETIMEDOUT);

	cr_assert_geq(weft__now_ns(), deadline_ns);
	cr_assert_eq(wake(&here, 1, ANY), 0);
}

TaskTest(parking, a_wait_that_was_moved_ends_at_its_deadline_and_nobody_is_left)
{
	struct visit visit = VISIT(&here, "a");
	long moved = 0;

	visit.deadline_ns = weft__now_ns() + 3 * MS;
	start_visits(&visit, 1);
	requeue(0, 1, NULL, &moved);
	end_visits(&visit, 1);

	/* on a slow day the deadline came before the move */
	cr_assert_eq(visit.result, -ETIMEDOUT);
	cr_assert_eq(wake(&here, 1, ANY) + wake(&there, 1, ANY), 0);
}

TaskTest(parking, an_interrupt_ends_a_wait)
{
	struct visit visit = VISIT(&here, "a");

	start_visits(&visit, 1);
	weft__interrupt(visit.task);
	end_visits(&visit, 1);

	cr_assert_eq(visit.result, -EINTR);
	cr_assert_eq(wake(&here, 1, ANY), 0);
}

/* Who was counted as woken must say so: otherwise a wake is lost to those who still wait. */
TaskTest(parking, a_wake_that_finds_an_interrupted_task_counts_for_it)
{
	struct visit visit = VISIT(&here, "a");

	start_visits(&visit, 1);
	weft__interrupt(visit.task);
	cr_assert_eq(wake(&here, 1, ANY), 1);
	end_visits(&visit, 1);

	cr_assert_eq(visit.result, 0);
}
