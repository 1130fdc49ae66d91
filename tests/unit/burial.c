/* The end of a task: its record and its stack. */
#include <stdlib.h>

#include "unit.h"

#define STACK_BYTES 65536

struct mortal {
	struct weft__task task;
	char *stack;
	unsigned int buried;
};

static void bury_mortal(struct weft__task *task)
{
	struct mortal *mortal = weft__container(task, struct mortal, task);

	cr_expect_neq(weft__current, task);
	weft__task_release(task);
	free(mortal->stack);
	mortal->buried++;
}

static void end_at_once(void *unused)
{
	(void)unused;
	weft__task_exit();
}

static void start_mortal(struct mortal *mortal)
{
	*mortal = (struct mortal){.stack = aligned_alloc(64, STACK_BYTES)};
	weft__task_init(&mortal->task, weft__current->carrier);
	mortal->task.bury = bury_mortal;
	weft__context_make(&mortal->task.context, mortal->stack, STACK_BYTES, end_at_once, NULL, 0);
	weft__start(&mortal->task);
}

TaskTest(burial, a_task_that_has_ended_is_buried_once)
{
	static struct mortal mortals[100];
	unsigned int before = weft__current->carrier->tasks;

	for (size_t i = 0; i < COUNT(mortals); i++)
		start_mortal(&mortals[i]);
	cr_assert_eq(weft__current->carrier->tasks, before + COUNT(mortals));
	weft_yield();

	cr_assert_eq(weft__current->carrier->tasks, before);
	for (size_t i = 0; i < COUNT(mortals); i++)
		cr_assert_eq(mortals[i].buried, 1);
}

static void do_nothing(void *unused)
{
	(void)unused;
}

TaskTest(burial, a_task_is_buried_although_the_next_one_starts_only_then)
{
	struct mortal mortal;
	struct weft__task *next;

	start_mortal(&mortal);
	next = spawn_inner(do_nothing, NULL);
	join_inner(next);

	cr_assert_eq(mortal.buried, 1);
}

static void join_task(void *task)
{
	join_inner(task);
	note("joined");
}

static void detach_task(void *task)
{
	release_inner(task);
	note("detached");
}

/* The second task starts where the first one ended: nobody has come back from a switch between. */
TaskTest(burial, a_task_that_just_starts_can_join_one_that_just_ended)
{
	struct weft__task *first = spawn_inner(do_nothing, NULL);
	struct weft__task *second = spawn_inner(join_task, first);

	join_inner(second);

	cr_assert_str_eq(noted(), "joined");
}

TaskTest(burial, a_task_that_just_starts_can_detach_one_that_just_ended)
{
	struct weft__task *first = spawn_inner(do_nothing, NULL);
	struct weft__task *second = spawn_inner(detach_task, first);

	join_inner(second);

	cr_assert_str_eq(noted(), "detached");
}

TaskTest(burial, stacks_are_given_back_whichever_way_a_task_is_let_go)
{
	unsigned int before = count_mappings();

	for (unsigned int i = 0; i < 300; i++) {
		struct weft__task *joined = spawn_inner(do_nothing, NULL),
				  *detached = spawn_inner(do_nothing, NULL),
				  *ended = spawn_inner(do_nothing, NULL);

		release_inner(detached);
		weft_yield();
		join_inner(joined);
		release_inner(ended);
	}

	cr_assert_leq(count_mappings(),
		      before + 100 + SPARE_MAPPINGS); /* 900 stacks would be 1800 */
}
