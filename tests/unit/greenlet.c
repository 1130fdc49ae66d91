/* Coroutines that switch to each other. */
#include <errno.h>
#include <string.h>

#include "unit.h"

static weft_co *main_co, *co_a, *co_b;
static size_t cleaned;

static weft_co *make(weft_func *fn)
{
	weft_co *co = NULL;
	int err = weft_co_new(&co, fn, 0);

	cr_assert_eq(err, 0, "weft_co_new: %s", strerror(-err));
	return co;
}

static void free_co(weft_co *co)
{
	int err = weft_co_free(co);

	cr_assert_eq(err, 0, "weft_co_free: %s", strerror(-err));
}

/* weft_switch() that works; what it is given. */
static void *go(weft_co *co, void *value)
{
	void *given = (void *)-1;
	int err = weft_switch(co, value, &given);

	cr_assert_eq(err, 0, "weft_switch: %s", strerror(-err));
	return given;
}

static void *add_one(void *value)
{
	return (char *)value + 1;
}

Test(greenlet, the_first_value_is_the_argument_and_what_returns_goes_to_the_parent)
{
	weft_co *co = make(add_one);

	cr_assert_eq(go(co, (void *)41), (void *)42);

	free_co(co);
}

static void *sum_up(void *value)
{
	size_t sum = 0;

	while (value != NULL) {
		sum += (size_t)value;
		value = go(main_co, (void *)sum);
	}
	return (void *)-sum;
}

Test(greenlet, values_go_both_ways)
{
	weft_co *co = make(sum_up);

	main_co = weft_co_current();

	cr_assert_eq(go(co, (void *)1), (void *)1);
	cr_assert_eq(go(co, (void *)2), (void *)3);
	cr_assert_eq(go(co, (void *)3), (void *)6);
	cr_assert_eq(go(co, NULL), (void *)-6L);
	free_co(co);
}

static void *eat(void *unused)
{
	note("eat1 ");
	go(co_b, NULL);
	note("eat2 ");
	weft_switch(co_b, NULL, NULL);
	return unused;
}

static void *play(void *unused)
{
	note("play1 ");
	go(co_a, NULL);
	note("play2 ");
	return unused;
}

static void take_turns(void *unused)
{
	(void)unused;
	co_a = make(eat);
	co_b = make(play);
	go(co_a, NULL);
	note("end");

	cr_expect_str_eq(noted(), "eat1 play1 eat2 play2 end");
	cr_expect_eq(weft_co_state(co_a), WEFT_CO_SUSPENDED);
	cr_expect_eq(weft_co_state(co_b), WEFT_CO_DEAD);
	cr_expect_eq(weft_co_free(co_a), 0);
	cr_expect_eq(weft_co_free(co_b), 0);
}

Test(greenlet, two_take_turns_in_a_plain_thread)
{
	take_turns(NULL);
}

TaskTest(greenlet, two_take_turns_in_the_first_task)
{
	take_turns(NULL);
}

TaskTest(greenlet, two_take_turns_in_a_task)
{
	join(spawn(take_turns, NULL));
}

static void *save_state(void *ret_state)
{
	*(int *)ret_state = weft_co_state(weft_co_current());
	go(main_co, NULL);
	return NULL;
}

Test(greenlet, a_coroutine_is_new_then_runs_then_is_suspended_then_dead)
{
	weft_co *co = make(save_state);
	int state = -1;

	main_co = weft_co_current();

	cr_assert_eq(weft_co_state(main_co), WEFT_CO_RUNNING);
	cr_assert_eq(weft_co_state(co), WEFT_CO_NEW);
	go(co, &state);
	cr_assert_eq(state, WEFT_CO_RUNNING);
	cr_assert_eq(weft_co_state(co), WEFT_CO_SUSPENDED);
	go(co, NULL);
	cr_assert_eq(weft_co_state(co), WEFT_CO_DEAD);
	free_co(co);
}

Test(greenlet, who_is_dead_runs_or_is_nobody_cannot_be_switched_to)
{
	weft_co *co = make(add_one);
	void *value = &value;

	go(co, NULL);

	cr_assert_eq(weft_switch(co, NULL, &value), -ESRCH);
	cr_assert_eq(weft_throw(co, -EIO, &value), -ESRCH);
	cr_assert_eq(weft_switch(weft_co_current(), NULL, &value), -EBUSY);
	cr_assert_eq(weft_throw(weft_co_current(), -EIO, &value), -EBUSY);
	cr_assert_eq(weft_switch(NULL, NULL, &value), -EINVAL);
	cr_assert_eq(weft_throw(NULL, -EIO, &value), -EINVAL);
	cr_assert_eq(value, &value);
	free_co(co);
}

Test(greenlet, bad_arguments_are_refused)
{
	weft_co *co = (void *)7, *good = make(add_one);

	cr_assert_eq(weft_co_new(NULL, add_one, 0), -EINVAL);
	cr_assert_eq(weft_co_new(&co, NULL, 0), -EINVAL);
	cr_assert_eq(weft_co_new(&co, add_one, SIZE_MAX), -EINVAL);
	cr_assert_eq(co, (void *)7);
	cr_assert_eq(weft_throw(good, 0, NULL), -EINVAL);
	cr_assert_eq(weft_throw(good, EIO, NULL), -EINVAL);
	cr_assert_eq(weft_throw(good, -4096, NULL), -EINVAL);
	cr_assert_eq(weft_co_free(NULL), -EINVAL);
	cr_assert_eq(weft_co_free(weft_co_current()), -EINVAL);
	cr_assert_eq(weft_co_state(NULL), -EINVAL);
	cr_assert_null(weft_co_parent(NULL));
	cr_assert_eq(weft_co_set_parent(NULL, good), -EINVAL);
	cr_assert_eq(weft_co_set_parent(good, NULL), -EINVAL);
	cr_assert_eq(weft_co_set_parent(weft_co_current(), good), -EINVAL);
	cr_assert_eq(weft_co_state(good), WEFT_CO_NEW);
	free_co(good);
}

static void *catch (void *unused)
{
	void *value = &value;
	int err = weft_switch(main_co, unused, &value);

	cr_expect_eq(value, &value);
	return (void *)(long)err;
}

Test(greenlet, an_error_that_is_thrown_is_what_the_switch_returns)
{
	weft_co *co = make(catch);
	void *value;

	main_co = weft_co_current();
	go(co, NULL);

	cr_assert_eq(weft_throw(co, -EIO, &value), 0);
	cr_assert_eq(value, (void *)(long)-EIO);
	cr_assert_eq(weft_co_state(co), WEFT_CO_DEAD);
	free_co(co);
}

Test(greenlet, who_has_not_started_ends_by_a_throw_and_its_parent_gets_the_error)
{
	weft_co *co = make(catch);
	void *value = &value;

	cr_assert_eq(weft_throw(co, -EIO, &value), -EIO);

	cr_assert_eq(value, &value);
	cr_assert_eq(weft_co_state(co), WEFT_CO_DEAD);
	free_co(co);
}

static void *throw_at_b(void *unused)
{
	(void)unused;
	return (void *)(long)weft_throw(co_b, -EIO, NULL);
}

Test(greenlet, the_error_goes_past_a_parent_that_has_not_started)
{
	int err;

	co_a = make(add_one);
	co_b = make(add_one);
	cr_assert_eq(weft_co_set_parent(co_b, co_a), 0);
	main_co = make(throw_at_b);

	err = weft_switch(main_co, NULL, NULL);

	cr_assert_eq(err, -EIO);
	cr_assert_eq(weft_co_state(co_a), WEFT_CO_DEAD);
	cr_assert_eq(weft_co_state(co_b), WEFT_CO_DEAD);
	cr_assert_eq(weft_co_state(main_co), WEFT_CO_SUSPENDED);
	free_co(co_a);
	free_co(co_b);
	free_co(main_co);
}

static void *return_note(void *text)
{
	note(text);
	return text;
}

static void *make_child(void *ret_child)
{
	*(weft_co **)ret_child = make(return_note);
	return NULL;
}

Test(greenlet, a_dead_parent_is_passed_over)
{
	weft_co *parent = make(make_child), *child = NULL;

	go(parent, &child);
	cr_assert_eq(weft_co_parent(child), parent);

	cr_assert_str_eq(go(child, "child"), "child");

	free_co(child);
	free_co(parent);
}

Test(greenlet, a_parent_that_is_freed_hands_its_children_on)
{
	weft_co *parent = make(make_child), *child = NULL;

	go(parent, &child);
	free_co(parent);

	cr_assert_eq(weft_co_parent(child), weft_co_current());
	cr_assert_str_eq(go(child, "child"), "child");
	free_co(child);
}

Test(greenlet, a_parent_that_has_not_started_begins_with_what_its_child_returns)
{
	weft_co *parent = make(add_one), *child = make(add_one);

	cr_assert_eq(weft_co_set_parent(child, parent), 0);

	cr_assert_eq(go(child, (void *)1), (void *)3);

	cr_assert_eq(weft_co_state(parent), WEFT_CO_DEAD);
	free_co(child);
	free_co(parent);
}

Test(greenlet, nobody_becomes_its_own_ancestor)
{
	weft_co *a = make(add_one), *b = make(add_one), *c = make(add_one);

	cr_assert_eq(weft_co_set_parent(b, a), 0);
	cr_assert_eq(weft_co_set_parent(c, b), 0);

	cr_assert_eq(weft_co_set_parent(a, c), -EINVAL);
	cr_assert_eq(weft_co_set_parent(a, a), -EINVAL);
	cr_assert_eq(weft_co_parent(a), weft_co_current());
	free_co(b);
	cr_assert_eq(weft_co_parent(c), a);
	free_co(a);
	free_co(c);
}

static void *clean_up(void *unused)
{
	if (weft_switch(main_co, NULL, NULL) == -ECANCELED)
		cleaned++;
	return unused;
}

Test(greenlet, who_is_freed_while_suspended_cleans_up)
{
	weft_co *co = make(clean_up);

	main_co = weft_co_current();
	go(co, NULL);
	free_co(co);

	cr_assert_eq(cleaned, 1);
}

static void *free_a(void *unused)
{
	(void)unused;
	return (void *)(long)weft_co_free(co_a);
}

Test(greenlet, who_is_freed_comes_back_to_who_freed_it)
{
	weft_co *freeing = make(free_a);

	main_co = weft_co_current();
	co_a = make(clean_up);
	go(co_a, NULL);

	/* Its parent is this one, not who frees it. */
	cr_assert_eq(go(freeing, NULL), NULL);
	cr_assert_eq(cleaned, 1);
	cr_assert_eq(weft_co_state(freeing), WEFT_CO_DEAD);
	free_co(freeing);
}

static void *live_on(void *unused)
{
	while (weft_switch(main_co, NULL, NULL) == -ECANCELED)
		note("no ");
	return unused;
}

Test(greenlet, who_does_not_want_to_end_is_not_freed)
{
	weft_co *co = make(live_on);

	main_co = weft_co_current();
	go(co, NULL);

	cr_assert_eq(weft_co_free(co), -EBUSY);
	cr_assert_eq(weft_co_free(co), -EBUSY);
	cr_assert_eq(weft_co_state(co), WEFT_CO_SUSPENDED);
	go(co, NULL);
	free_co(co);
	cr_assert_str_eq(noted(), "no no ");
}

static void *free_oneself(void *unused)
{
	(void)unused;
	return (void *)(long)weft_co_free(weft_co_current());
}

Test(greenlet, nobody_frees_itself)
{
	weft_co *co = make(free_oneself);

	cr_assert_eq(go(co, NULL), (void *)(long)-EBUSY);

	free_co(co);
}

/* What another thread or task gets to hear. */
static void try_all(void *co)
{
	weft_co *own = make(add_one);

	cr_expect_eq(weft_switch(co, NULL, NULL), -EPERM);
	cr_expect_eq(weft_throw(co, -EIO, NULL), -EPERM);
	cr_expect_eq(weft_co_free(co), -EPERM);
	cr_expect_eq(weft_co_state(co), -EPERM);
	cr_expect_eq(weft_co_set_parent(co, own), -EPERM);
	cr_expect_eq(weft_co_set_parent(own, co), -EPERM);
	cr_expect_eq(weft_co_free(own), 0);
}

Test(greenlet, another_thread_has_no_part_in_a_coroutine)
{
	weft_co *co = make(add_one);

	on_foreign_thread(try_all, co);

	free_co(co);
}

TaskTest(greenlet, another_task_has_no_part_in_a_coroutine)
{
	weft_co *co = make(add_one);

	join(spawn(try_all, co));

	free_co(co);
}

static void leave_three(void *ret_co)
{
	main_co = weft_co_current();
	co_a = make(clean_up);
	go(co_a, NULL);
	go(make(make_child), ret_co);
}

static void check_orphans(weft_co *co)
{
	make(add_one); /* a root of our own */
	cr_assert_eq(weft_switch(co, NULL, NULL), -EPERM);
	cr_assert_eq(weft_switch(co_a, NULL, NULL), -EPERM);
	cr_assert_null(weft_co_parent(co));
	free_co(co);
	free_co(co_a);
	cr_assert_eq(cleaned, 0);
}

Test(greenlet, who_has_outlived_its_thread_can_only_be_freed)
{
	weft_co *co = NULL;

	on_foreign_thread(leave_three, &co);

	check_orphans(co);
}

TaskTest(greenlet, who_has_outlived_its_task_can_only_be_freed)
{
	weft_co *co = NULL;

	join(spawn(leave_three, &co));
	yield(2);

	check_orphans(co);
}

static weft_co *made_before;

static void *use_made_before(void *unused)
{
	note(go(made_before, "inside "));
	made_before = make(return_note);
	return unused;
}

Test(greenlet, those_of_a_thread_stay_its_own_in_weft_run)
{
	made_before = make(return_note);
	cr_assert_eq(weft_run(use_made_before, NULL, NULL), 0);
	note(go(made_before, "after "));

	cr_assert_str_eq(noted(), "inside inside after after ");
	free_co(made_before);
}

static void *sleep_inside(void *text)
{
	for (int i = 0; i < 3; i++) {
		cr_expect_eq(weft_sleep(WEFT_MS), 0);
		note(text);
		weft_switch(weft_co_parent(weft_co_current()), NULL, NULL);
	}
	return text;
}

static void sleep_in_coroutine(void *text)
{
	weft_co *co = make(sleep_inside);

	for (int i = 0; i < 3; i++) {
		go(co, text);
		cr_expect_eq(weft_sleep(WEFT_MS), 0);
	}
	cr_expect_eq(weft_co_free(co), 0);
}

TaskTest(greenlet, a_task_that_waits_in_a_coroutine_goes_on_there)
{
	weft_task *tasks[10];

	for (size_t i = 0; i < COUNT(tasks); i++)
		tasks[i] = spawn(sleep_in_coroutine, "x");
	for (size_t i = 0; i < COUNT(tasks); i++)
		join(tasks[i]);

	cr_assert_eq(strlen(noted()), 30);
}

static unsigned int sse_rounding(void)
{
	unsigned int word;

	__asm__ volatile("stmxcsr %0" : "=m"(word));
	return word >> 13 & 3;
}

static unsigned int x87_rounding(void)
{
	unsigned short word;

	__asm__ volatile("fnstcw %0" : "=m"(word));
	return word >> 10 & 3;
}

static void set_rounding(unsigned int mode)
{
	unsigned short x87;
	unsigned int sse;

	__asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(sse), "=m"(x87));
	sse = (sse & ~0x6000U) | mode << 13;
	x87 = (unsigned short)((x87 & ~0xc00U) | mode << 10);
	__asm__ volatile("ldmxcsr %0; fldcw %1" : : "m"(sse), "m"(x87));
}

static void *keep_rounding(void *mode)
{
	set_rounding((unsigned int)(size_t)mode);
	for (int round = 0; round < 10; round++) {
		go(main_co, NULL);
		cr_expect_eq(sse_rounding(), (unsigned int)(size_t)mode);
		cr_expect_eq(x87_rounding(), (unsigned int)(size_t)mode);
	}
	return NULL;
}

Test(greenlet, a_switch_keeps_the_control_words_of_sse_and_x87)
{
	weft_co *cos[4];

	main_co = weft_co_current();
	for (size_t i = 0; i < COUNT(cos); i++)
		cos[i] = make(keep_rounding);
	for (int round = 0; round < 11; round++) {
		for (size_t i = 0; i < COUNT(cos); i++) {
			go(cos[i], (void *)i);
			cr_expect_eq(sse_rounding(), 0);
			cr_expect_eq(x87_rounding(), 0);
		}
	}
	for (size_t i = 0; i < COUNT(cos); i++)
		free_co(cos[i]);
}

static void *use_registers(void *seed)
{
	size_t a = (size_t)seed, b = a * 3, c = a * 5, d = a * 7, e = a * 9, f = a * 11;

	for (int round = 0; round < 10; round++) {
		/* Six values that live across a switch: they are in what a call keeps. */
		__asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f));
		go(main_co, NULL);
		__asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f));
	}
	cr_expect(b == a * 3 && c == a * 5 && d == a * 7 && e == a * 9 && f == a * 11);
	return NULL;
}

Test(greenlet, a_switch_keeps_the_callee_saved_registers)
{
	weft_co *cos[8];

	main_co = weft_co_current();
	for (size_t i = 0; i < COUNT(cos); i++)
		cos[i] = make(use_registers);
	for (int round = 0; round < 11; round++)
		for (size_t i = 0; i < COUNT(cos); i++)
			go(cos[i], (void *)(i + 1));
	for (size_t i = 0; i < COUNT(cos); i++)
		free_co(cos[i]);
}

/* noinline: it has a frame, whose address is a multiple of 16 if the stack was aligned (System V ABI). */
static __attribute__((noinline)) void *save_frame(void *ret_frame)
{
	*(uintptr_t *)ret_frame = (uintptr_t)__builtin_frame_address(0);
	return NULL;
}

Test(greenlet, a_stack_is_aligned_when_its_function_is_called)
{
	weft_co *co = make(save_frame);
	uintptr_t frame = 1;

	go(co, &frame);

	cr_assert_eq(frame % 16, 0, "%#lx", frame);
	free_co(co);
}

static size_t fill_pages(size_t pages)
{
	volatile char page[4096];

	page[0] = 1;
	return pages == 0 ? 0 : fill_pages(pages - 1) + (size_t)page[0];
}

static void *fill_stack(void *pages)
{
	return (void *)fill_pages((size_t)pages);
}

Test(greenlet, a_stack_of_the_size_asked_for_is_that_large)
{
	weft_co *co = NULL;

	cr_assert_eq(weft_co_new(&co, fill_stack, 64 << 20), 0);
	go(co, (void *)(size_t)(UNDER_SANITIZER ? 4000 : 12000)); /* 48 MB */

	free_co(co);
}

Test(greenlet, ten_thousand_can_be_alive)
{
	static weft_co *cos[MANY_TASKS];

	main_co = weft_co_current();
	for (size_t i = 0; i < COUNT(cos); i++) {
		cos[i] = make(clean_up);
		go(cos[i], NULL);
	}
	for (size_t i = 0; i < COUNT(cos); i++)
		free_co(cos[i]);

	cr_assert_eq(cleaned, COUNT(cos));
}
