/*
 * See weft_run(): a run of its own makes the thread a carrier, with its first task on the thread's own
 * stack; in a patched program the thread is a task already.
 */
#include <stdlib.h>

#include "coroutine.h"
#include "crew.h"
#include "hub.h"
#include "native.h"
#include "native_stack.h"
#include "ready.h"

/* The calling thread's, while weft_run() is on its stack. */
struct own_run {
	struct weft__run run;
	struct weft__crew crew;
	struct weft__carrier carrier;
	weft_task *first;
	void *hub_stack;
	size_t hub_stack_bytes;
};

#define XSTR(x) STR(x)
#define STR(x) #x

const char *weft_version(void)
{
	return XSTR(WEFT_VERSION_MAJOR) "." XSTR(WEFT_VERSION_MINOR) "." XSTR(WEFT_VERSION_PATCH);
}

void weft__run_init(struct weft__run *run)
{
	*run = (struct weft__run){.carrier = NULL};
	weft__list_init(&run->waiters);
	weft__list_init(&run->idlers);
	weft__list_init(&run->all);
	weft__list_init(&run->executors);
}

void weft__run_forget(struct weft__run *run)
{
	run->tasks = 0;
	run->timekeeper = NULL;
	weft__timers_stop(run);
	run->inbox = NULL;
	run->executor = NULL;
	while (!weft__list_empty(&run->executors))
		weft__list_remove(run->executors.next);
	while (!weft__list_empty(&run->all))
		weft__list_remove(run->all.next);
}

void weft__run_let_go(struct weft__run *run)
{
	/* A child of fork(2) does not count what it has not got. */
	if (run->tasks != 0 && --run->tasks == 0 && !weft__list_empty(&run->waiters))
		weft__wait_end(weft__wait_first(&run->waiters), 0);
}

static void hub_main(void *arg)
{
	weft__hub_run(arg);
}

/*
 * What a run's first task does when all it has to do itself is done. Before it has its turn after the
 * wake, a callback of the loop may have spawned another.
 */
static void wait_for_others(struct weft__run *run)
{
	struct weft__wait wait;

	weft__enter();
	while (run->tasks != 0)
		weft__wait_firmly(&run->waiters, &wait);
	weft__leave();
}

/* Executors, and what is put into the inbox, may make tasks, and these what is to be closed again. */
static void wind_up(struct weft__run *run)
{
	do {
		wait_for_others(run);
		weft__executors_close(run);
	} while (!weft__inbox_close(run));
	wait_for_others(run);
}

static int run_own(struct own_run *own, weft_func *fn, void *arg, void **ret_value)
{
	struct weft__carrier *carrier = &own->carrier;
	int err;

	weft__crew_join(&own->crew, carrier);
	err = weft__hub_open(carrier);
	if (err != 0)
		return err;
	weft__context_make(&carrier->hub_context, own->hub_stack, own->hub_stack_bytes, hub_main,
			   carrier, 0);
	own->run.carrier = carrier;
	carrier->run = &own->run;
	weft__task_init(&own->first->task, carrier);
	weft__co_lend(&own->first->task);
	carrier->tasks = 1;
	weft__current = &own->first->task;

	own->first->value = fn(arg);
	weft__say_ended(own->first);
	wind_up(&own->run);
	if (ret_value != NULL)
		*ret_value = own->first->value;

	weft__co_take_back(&own->first->task);
	weft__current = NULL;
	weft__hub_of = NULL;
	weft__hub_close(carrier);
	weft__context_drop(&carrier->hub_context);
	weft__ready_release(&own->first->task);
	return 0;
}

/* However the first task ends: pthread_exit(3) must not leave the others without their run. */
static void leave_run(void *arg)
{
	weft_task *first = arg;

	weft__say_ended(first);
	wind_up(first->run);
	weft__adopt(first->outer);
	weft_release(first);
}

static int run_on_thread(weft_func *fn, void *arg, void **ret_value)
{
	weft_task *outer = weft__me(), *first;
	struct weft__run run;
	void *value;

	if (outer == NULL)
		return -ENOMEM;
	if (outer->run->carrier != NULL || outer->fn != NULL || outer->outer != NULL)
		return -EPERM;
	weft__run_init(&run);
	first = calloc(1, sizeof(*first));
	if (first == NULL)
		return -ENOMEM;
	weft__record_init(first, &run);
	first->started = true;
	first->outer = outer;
	weft__adopt(first);
	pthread_cleanup_push(leave_run, first);
	value = fn(arg);
	first->value = value;
	pthread_cleanup_pop(1);
	if (ret_value != NULL)
		*ret_value = value;
	return 0;
}

int weft_run(weft_func *fn, void *arg, void **ret_value)
{
	struct own_run *own;
	int err = -ENOMEM;

	if (fn == NULL)
		return -EINVAL;
	if (weft__on_threads || weft__patched())
		return run_on_thread(fn, arg, ret_value);
	if (weft__carrier_here() != NULL)
		return -EPERM;
	own = calloc(1, sizeof(*own));
	if (own == NULL)
		return -ENOMEM;
	weft__run_init(&own->run);
	own->first = calloc(1, sizeof(*own->first));
	if (own->first == NULL)
		goto free_run;
	weft__record_init(own->first, &own->run);
	own->first->started = true;
	own->hub_stack = weft__stack_take(WEFT__STACK_BYTES, &own->hub_stack_bytes);
	if (own->hub_stack == NULL)
		goto free_first;
	err = run_own(own, fn, arg, ret_value);
	weft__stack_give(own->hub_stack, own->hub_stack_bytes);
free_first:
	weft_release(own->first);
free_run:
	free(own);
	return err;
}
