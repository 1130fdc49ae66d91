/* Generators, by the rules of PEP 342. */
#include <errno.h>
#include <string.h>

#include "unit.h"

#define P(n) ((void *)(long)(n))

static weft_gen *make(weft_func *fn, void *arg)
{
	weft_gen *gen = NULL;
	int err = weft_gen_new(&gen, fn, arg, 0);

	cr_assert_eq(err, 0, "weft_gen_new: %s", strerror(-err));
	return gen;
}

static void free_gen(weft_gen *gen)
{
	int err = weft_gen_free(gen);

	cr_assert_eq(err, 0, "weft_gen_free: %s", strerror(-err));
}

/* What weft_gen_next() gives when it returns `result`. */
static void *next(weft_gen *gen, int result)
{
	void *value = P(-1);

	cr_assert_eq(weft_gen_next(gen, &value), result);
	return value;
}

static void *count_to(void *last)
{
	for (long i = 1; i <= (long)last; i++)
		if (weft_gen_yield(P(i), NULL) != 0)
			return P(-i);
	return P(100);
}

static void count_three(void *unused)
{
	weft_gen *gen = make(count_to, P(3));

	(void)unused;
	cr_expect_eq(next(gen, 1), P(1));
	cr_expect_eq(next(gen, 1), P(2));
	cr_expect_eq(next(gen, 1), P(3));
	cr_expect_eq(next(gen, 0), P(100), "the value that it returns");
	cr_expect_eq(next(gen, 0), NULL);
	cr_expect_eq(next(gen, 0), NULL);
	free_gen(gen);
}

Test(generator, values_come_one_after_the_other_and_then_the_end)
{
	count_three(NULL);
}

TaskTest(generator, values_come_in_a_task)
{
	join(spawn(count_three, NULL));
}

static weft_gen *itself;
static int state_inside, next_inside, close_inside, free_inside;

static void *look_at_itself(void *unused)
{
	state_inside = weft_gen_state(itself);
	next_inside = weft_gen_next(itself, NULL);
	close_inside = weft_gen_close(itself);
	free_inside = weft_gen_free(itself);
	weft_gen_yield(NULL, NULL);
	return unused;
}

Test(generator, it_is_created_then_running_then_suspended_then_closed)
{
	itself = make(look_at_itself, NULL);

	cr_assert_eq(weft_gen_state(itself), WEFT_GEN_CREATED);
	next(itself, 1);
	cr_assert_eq(state_inside, WEFT_GEN_RUNNING);
	cr_assert_eq(weft_gen_state(itself), WEFT_GEN_SUSPENDED);
	next(itself, 0);
	cr_assert_eq(weft_gen_state(itself), WEFT_GEN_CLOSED);
	free_gen(itself);
}

Test(generator, one_that_is_running_cannot_be_asked_closed_or_freed)
{
	itself = make(look_at_itself, NULL);
	next(itself, 1);

	cr_assert_eq(next_inside, -EBUSY);
	cr_assert_eq(close_inside, -EBUSY);
	cr_assert_eq(free_inside, -EBUSY);
	free_gen(itself);
}

static void *sum_up(void *unused)
{
	void *sent = NULL;
	long sum = 0;

	(void)unused;
	while (weft_gen_yield(P(sum), &sent) == 0)
		sum += (long)sent;
	return P(sum);
}

Test(generator, what_is_sent_is_what_yield_hands_out)
{
	weft_gen *gen = make(sum_up, NULL);
	void *value = NULL;

	cr_assert_eq(weft_gen_send(gen, NULL, &value), 1);
	cr_assert_eq(weft_gen_send(gen, P(5), &value), 1);
	cr_assert_eq(value, P(5));
	cr_assert_eq(weft_gen_send(gen, P(7), &value), 1);
	cr_assert_eq(value, P(12));
	cr_assert_eq(next(gen, 1), P(12), "next sends NULL");
	free_gen(gen);
}

Test(generator, one_just_created_can_be_sent_nothing_but_null)
{
	weft_gen *gen = make(sum_up, NULL);
	void *value = P(7);

	cr_assert_eq(weft_gen_send(gen, P(1), &value), -EINVAL);
	cr_assert_eq(value, P(7));
	cr_assert_eq(weft_gen_state(gen), WEFT_GEN_CREATED);
	cr_assert_eq(weft_gen_send(gen, NULL, &value), 1);
	free_gen(gen);
}

Test(generator, one_that_has_ended_can_be_sent_anything)
{
	weft_gen *gen = make(count_to, P(0));
	void *value = P(7);

	next(gen, 0);

	cr_assert_eq(weft_gen_send(gen, P(1), &value), 0);
	cr_assert_null(value);
	free_gen(gen);
}

Test(generator, what_is_thrown_is_what_yield_returns)
{
	weft_gen *gen = make(count_to, P(3));
	void *value = NULL;

	next(gen, 1);
	next(gen, 1);

	cr_assert_eq(weft_gen_throw(gen, -EIO, &value), 0);
	cr_assert_eq(value, P(-2));
	cr_assert_eq(weft_gen_state(gen), WEFT_GEN_CLOSED);
	free_gen(gen);
}

static void *survive(void *unused)
{
	long errors = 0;

	while (errors > -3) {
		int err = weft_gen_yield(P(errors), NULL);

		errors -= err != 0;
	}
	return unused;
}

Test(generator, one_can_survive_what_is_thrown)
{
	weft_gen *gen = make(survive, NULL);
	void *value = NULL;

	next(gen, 1);

	cr_assert_eq(weft_gen_throw(gen, -EIO, &value), 1);
	cr_assert_eq(value, P(-1));
	cr_assert_eq(weft_gen_state(gen), WEFT_GEN_SUSPENDED);
	cr_assert_eq(weft_gen_throw(gen, -EIO, &value), 1);
	cr_assert_eq(weft_gen_throw(gen, -EIO, &value), 0);
	free_gen(gen);
}

static void *note_run(void *unused)
{
	note("run");
	return unused;
}

Test(generator, what_is_thrown_at_a_created_or_closed_one_comes_back)
{
	weft_gen *gen = make(note_run, NULL);
	void *value = P(7);

	cr_assert_eq(weft_gen_throw(gen, -EIO, &value), -EIO);
	cr_assert_eq(weft_gen_state(gen), WEFT_GEN_CLOSED);
	cr_assert_eq(weft_gen_throw(gen, -ENOENT, &value), -ENOENT);
	cr_assert_eq(value, P(7));
	cr_assert_eq(next(gen, 0), NULL);
	cr_assert_str_eq(noted(), "");
	free_gen(gen);
}

static void *clean_up(void *unused)
{
	if (weft_gen_yield(NULL, NULL) == -ECANCELED)
		note("cleaned ");
	return unused;
}

Test(generator, closing_lets_it_clean_up_once)
{
	weft_gen *gen = make(clean_up, NULL);

	next(gen, 1);

	cr_assert_eq(weft_gen_close(gen), 0);
	cr_assert_eq(weft_gen_state(gen), WEFT_GEN_CLOSED);
	cr_assert_eq(weft_gen_close(gen), 0);
	cr_assert_eq(next(gen, 0), NULL);
	free_gen(gen);
	cr_assert_str_eq(noted(), "cleaned ");
}

Test(generator, closing_one_just_created_never_runs_it)
{
	weft_gen *gen = make(note_run, NULL);

	cr_assert_eq(weft_gen_close(gen), 0);
	cr_assert_eq(weft_gen_state(gen), WEFT_GEN_CLOSED);

	free_gen(gen);
	cr_assert_str_eq(noted(), "");
}

Test(generator, one_that_yields_when_closed_is_not_closed)
{
	weft_gen *gen = make(survive, NULL);

	next(gen, 1);

	cr_assert_eq(weft_gen_close(gen), -EBUSY);
	cr_assert_eq(weft_gen_free(gen), -EBUSY);
	cr_assert_eq(weft_gen_state(gen), WEFT_GEN_SUSPENDED);
	cr_assert_eq(weft_gen_close(gen), 0);
	free_gen(gen);
}

Test(generator, bad_arguments_are_refused)
{
	weft_gen *gen = (void *)7, *good = make(clean_up, NULL);

	cr_assert_eq(weft_gen_new(NULL, clean_up, NULL, 0), -EINVAL);
	cr_assert_eq(weft_gen_new(&gen, NULL, NULL, 0), -EINVAL);
	cr_assert_eq(weft_gen_new(&gen, clean_up, NULL, SIZE_MAX), -EINVAL);
	cr_assert_eq(gen, (void *)7);
	cr_assert_eq(weft_gen_next(NULL, NULL), -EINVAL);
	cr_assert_eq(weft_gen_send(NULL, NULL, NULL), -EINVAL);
	cr_assert_eq(weft_gen_throw(NULL, -EIO, NULL), -EINVAL);
	cr_assert_eq(weft_gen_throw(good, 0, NULL), -EINVAL);
	cr_assert_eq(weft_gen_throw(good, -4096, NULL), -EINVAL);
	cr_assert_eq(weft_gen_close(NULL), -EINVAL);
	cr_assert_eq(weft_gen_free(NULL), -EINVAL);
	cr_assert_eq(weft_gen_state(NULL), -EINVAL);
	cr_assert_eq(weft_gen_state(good), WEFT_GEN_CREATED);
	free_gen(good);
}

static void *yield_in_coroutine(void *unused)
{
	(void)unused;
	return P(weft_gen_yield(NULL, NULL));
}

Test(generator, who_is_no_generator_does_not_yield)
{
	void *value = NULL;
	weft_co *co = NULL;

	cr_assert_eq(weft_gen_yield(NULL, NULL), -EPERM);
	cr_assert_eq(weft_co_new(&co, yield_in_coroutine, 0), 0);
	cr_assert_eq(weft_gen_yield(NULL, NULL), -EPERM);
	cr_assert_eq(weft_switch(co, NULL, &value), 0);
	cr_assert_eq(value, P(-EPERM));
	weft_co_free(co);
}

static void *double_all(void *from)
{
	void *value;

	while (weft_gen_next(from, &value) == 1)
		weft_gen_yield(P(2 * (long)value), NULL);
	return NULL;
}

Test(generator, one_can_take_from_another)
{
	weft_gen *from = make(count_to, P(3)), *gen = make(double_all, from);

	cr_assert_eq(next(gen, 1), P(2));
	cr_assert_eq(next(from, 1), P(2));
	cr_assert_eq(next(gen, 1), P(6));
	cr_assert_eq(next(gen, 0), NULL);
	free_gen(gen);
	free_gen(from);
}

static void *yield_from_depth(void *depth)
{
	if ((long)depth > 0)
		return yield_from_depth((char *)depth - 1);
	weft_gen_yield(P(1), NULL);
	return P(2);
}

Test(generator, one_can_yield_from_deep_in_its_calls)
{
	weft_gen *gen = make(yield_from_depth, P(20));

	cr_assert_eq(next(gen, 1), P(1));
	cr_assert_eq(next(gen, 0), P(2));
	free_gen(gen);
}

static void try_all(void *gen)
{
	cr_expect_eq(weft_gen_next(gen, NULL), -EPERM);
	cr_expect_eq(weft_gen_send(gen, NULL, NULL), -EPERM);
	cr_expect_eq(weft_gen_throw(gen, -EIO, NULL), -EPERM);
	cr_expect_eq(weft_gen_close(gen), -EPERM);
	cr_expect_eq(weft_gen_free(gen), -EPERM);
	cr_expect_eq(weft_gen_state(gen), -EPERM);
}

Test(generator, another_thread_has_no_part_in_one)
{
	weft_gen *gen = make(clean_up, NULL);

	on_foreign_thread(try_all, gen);

	free_gen(gen);
}

static void leave_one(void *ret_gen)
{
	weft_gen *gen = make(clean_up, NULL);

	next(gen, 1);
	*(weft_gen **)ret_gen = gen;
}

Test(generator, one_that_has_outlived_its_thread_can_only_be_freed)
{
	weft_gen *gen = NULL;

	on_foreign_thread(leave_one, &gen);

	cr_assert_eq(weft_gen_next(gen, NULL), -EPERM);
	free_gen(gen);
	cr_assert_str_eq(noted(), "");
}

/* A generator that switches elsewhere instead of answering. */

static weft_co *root, *inside;

static void *switch_elsewhere(void *unused)
{
	int err;

	inside = weft_co_current();
	weft_switch(root, P(1), NULL);
	err = weft_gen_yield(P(2), NULL);
	note(err == -EPIPE ? "nobody waits" : "somebody waits");
	return unused;
}

Test(generator, who_is_switched_to_by_somebody_else_does_not_wait_any_more)
{
	weft_gen *gen = make(switch_elsewhere, NULL);
	void *value = P(7);

	root = weft_co_current();

	cr_assert_eq(weft_gen_next(gen, &value), -EINTR);
	cr_assert_eq(value, P(7));
	cr_assert_eq(weft_gen_state(gen), WEFT_GEN_RUNNING);
	cr_assert_eq(weft_gen_next(gen, &value), -EBUSY);
	cr_assert_eq(weft_gen_free(gen), -EBUSY);
	cr_assert_eq(weft_switch(inside, NULL, NULL), 0);
	cr_assert_str_eq(noted(), "nobody waits");
	cr_assert_eq(weft_gen_state(gen), WEFT_GEN_CLOSED);
	free_gen(gen);
}

static void *tell_itself(void *unused)
{
	inside = weft_co_current();
	weft_gen_yield(NULL, NULL);
	return unused;
}

Test(generator, one_between_two_values_cannot_be_switched_to_or_freed_as_a_coroutine)
{
	weft_gen *gen = make(tell_itself, NULL);

	next(gen, 1);

	cr_assert_eq(weft_switch(inside, NULL, NULL), -EBUSY);
	cr_assert_eq(weft_throw(inside, -EIO, NULL), -EBUSY);
	cr_assert_eq(weft_co_free(inside), -EINVAL);
	cr_assert_eq(weft_gen_state(gen), WEFT_GEN_SUSPENDED);
	free_gen(gen);
}

static void *make_coroutine(void *ret_co)
{
	weft_co_new(ret_co, yield_in_coroutine, 0);
	weft_gen_yield(NULL, NULL);
	return NULL;
}

Test(generator, what_its_coroutine_returns_passes_it_over_between_two_values)
{
	weft_co *co = NULL;
	weft_gen *gen = make(make_coroutine, &co);
	void *value = NULL;

	next(gen, 1);

	cr_assert_eq(weft_switch(co, NULL, &value), 0);
	cr_assert_eq(value, P(-EPERM));
	cr_assert_eq(weft_gen_state(gen), WEFT_GEN_SUSPENDED);
	weft_co_free(co);
	free_gen(gen);
}
