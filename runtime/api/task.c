/*
 * See weft/task.h: how tasks begin and end.
 *
 *   own mode   record and stack are one place; the scheduler's record stands in weft_task
 *   patched    a thread runs the task; the record is allocated
 *
 * A task counts as a reference to itself until it is off its stack.
 */
#include <limits.h>
#include <stdlib.h>

#include "coroutine.h"
#include "crew.h"
#include "hub.h"
#include "native_stack.h"
#include "native.h"
#include "ready.h"

#define LEAST_STACK_BYTES ((size_t)8192)

void weft__record_init(weft_task *task, struct weft__run *run)
{
	weft__object_init(&task->object);
	task->run = run;
	task->wait = NULL;
	task->timeouts = NULL;
	task->value = NULL;
	task->starts_ns = 0;
	task->error = task->raised = 0;
	task->refs = 1;
	task->started = task->killed = false;
	task->outer = NULL;
	task->ended = 0;
	task->deferred = task->links = NULL;
	task->locals = NULL;
	task->stack = NULL;
}

/* Whether its function is to run. It waits for its time before. */
static bool begins(weft_task *self)
{
	int err;

	weft__enter();
	err = self->raised;
	self->raised = 0;
	if (err == 0 && self->starts_ns != 0)
		err = weft__wait_time(self->starts_ns);
	self->error = err;
	__atomic_store_n(&self->started, err == 0, __ATOMIC_RELAXED);
	weft__leave();
	return err == 0;
}

/* Something that is to be cleaned up. */
static bool has_left(const weft_task *self)
{
	return self->deferred != NULL || self->locals != NULL || self->timeouts != NULL;
}

void weft__say_ended(weft_task *self)
{
	if (has_left(self))
		weft__clean_up(self);
	weft__enter();
	if (self->killed && self->error == 0)
		self->error = -ECANCELED;
	__atomic_store_n(&self->ended, 1, __ATOMIC_RELEASE);
	weft__object_set(&self->object, true);
	weft__leave();
	/* Nothing is linked to who has ended. */
	if (self->links != NULL)
		weft__call_links(self);
	if (has_left(self)) /* the links */
		weft__clean_up(self);
}

static void finish(weft_task *self)
{
	weft__say_ended(self);
	weft__enter();
	weft__unlist(self);
	weft__run_let_go(self->run);
	weft__leave();
}

static void bury(struct weft__task *task)
{
	weft__task_release(task);
	weft_release(weft__container(task, weft_task, task));
}

static struct weft__context *own_main(void *arg)
{
	weft_task *self = arg;

	if (begins(self))
		self->value = self->fn(self->arg);
	finish(self);
	self->task.bury = bury;
	return weft__task_end();
}

/* Ends by weft__thread_ends(), however that comes. */
static void *thread_main(void *arg)
{
	weft_task *self = weft__adopt(arg);

	if (begins(self))
		self->value = self->fn(self->arg);
	return NULL;
}

void weft__thread_ends(weft_task *task)
{
	if (task->fn != NULL)
		finish(task);
	else
		weft__say_ended(task);
	weft_release(task);
}

static weft_task *make_own(struct weft__run *run, size_t stack_bytes)
{
	char *stack = weft__stack_take(stack_bytes, &stack_bytes);
	weft_task *task;

	if (stack == NULL)
		return NULL;
	task = (weft_task *)(void *)(stack + stack_bytes - ((sizeof(*task) + 63) & ~(size_t)63));
	weft__task_init(&task->task, run->carrier);
	weft__record_init(task, run);
	task->stack = stack;
	task->stack_bytes = stack_bytes;
	weft__context_make_ending(&task->task.context, stack, (size_t)((char *)task - stack),
				  own_main, task);
	return task;
}

int weft__thread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
			void *arg)
{
	return weft__shim == NULL || !weft__on_threads
		       ? pthread_create(thread, attr, start, arg)
		       : weft__shim->create(thread, attr, start, arg);
}

static int start_thread(weft_task *task, size_t stack_bytes)
{
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	if (stack_bytes < (size_t)PTHREAD_STACK_MIN)
		stack_bytes = (size_t)PTHREAD_STACK_MIN;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, (stack_bytes + 4095) & ~(size_t)4095);
	err = weft__thread_create(&thread, &attr, thread_main, task);
	pthread_attr_destroy(&attr);
	return -err;
}

static weft_task *make(struct weft__run *run, size_t stack_bytes)
{
	weft_task *task;

	if (!weft__on_threads)
		return make_own(run, stack_bytes);
	task = malloc(sizeof(*task));
	if (task != NULL)
		weft__record_init(task, run);
	return task;
}

/* Have the run know a task, or not. Entered. */
static void let_in(struct weft__run *run, weft_task *task)
{
	weft__run_hold(run);
	if (weft__unlikely(run->lists))
		weft__list_append(&run->all, &task->of_run);
}

static void take_back(struct weft__run *run, weft_task *task)
{
	weft__unlist(task);
	weft__run_let_go(run);
}

static int start(weft_task *task, size_t stack_bytes)
{
	if (weft__unlikely(weft__on_threads))
		return start_thread(task, stack_bytes);
	weft__start(&task->task);
	return 0;
}

static int spawn(weft_task **ret_task, size_t stack_bytes, weft_func *fn, void *arg,
		 int64_t starts_ns)
{
	struct weft__run *run = weft__run_here();
	weft_task *task;
	int err;

	if (run == NULL)
		return -EPERM;
	if (fn == NULL || stack_bytes < LEAST_STACK_BYTES || stack_bytes > WEFT__MOST_STACK_BYTES)
		return -EINVAL;
	task = make(run, stack_bytes);
	if (task == NULL)
		return -ENOMEM;
	task->fn = fn;
	task->arg = arg;
	task->starts_ns = starts_ns;
	if (ret_task != NULL)
		task->refs = 2;
	weft__enter();
	let_in(run, task);
	weft__leave();
	err = start(task, stack_bytes);
	if (weft__unlikely(err != 0)) {
		weft__enter();
		take_back(run, task);
		weft__leave();
		free(task);
		return err;
	}
	if (ret_task != NULL)
		*ret_task = task;
	return 0;
}

int weft__spawn_in(struct weft__run *run, weft_task **ret_task, weft_func *fn, void *arg)
{
	weft_task *task = make(run, WEFT__STACK_BYTES);
	int err;

	if (task == NULL)
		return -ENOMEM;
	task->fn = fn;
	task->arg = arg;
	if (ret_task != NULL)
		task->refs = 2;
	let_in(run, task);
	err = start(task, WEFT__STACK_BYTES);
	if (err != 0) {
		take_back(run, task);
		free(task);
		return err;
	}
	if (ret_task != NULL)
		*ret_task = task;
	return 0;
}

int weft_spawn(weft_task **ret_task, weft_func *fn, void *arg)
{
	return spawn(ret_task, WEFT__STACK_BYTES, fn, arg, 0);
}

int weft_spawn_sized(weft_task **ret_task, size_t stack_bytes, weft_func *fn, void *arg)
{
	return spawn(ret_task, stack_bytes, fn, arg, 0);
}

int weft_spawn_later(weft_task **ret_task, int64_t duration_ns, weft_func *fn, void *arg)
{
	int64_t starts_ns = weft_after(duration_ns);

	return starts_ns < 0 ? -EINVAL : spawn(ret_task, WEFT__STACK_BYTES, fn, arg, starts_ns);
}

int weft_spawn_raw(weft_func *fn, void *arg)
{
	return spawn(NULL, WEFT__STACK_BYTES, fn, arg, 0);
}

weft_task *weft_ref(weft_task *task)
{
	weft__enter();
	if (task != NULL)
		task->refs++;
	weft__leave();
	return task;
}

static void free_task(weft_task *task)
{
	if (task->stack != NULL)
		weft__stack_give(task->stack, task->stack_bytes);
	else
		free(task);
}

void weft__release(weft_task *task)
{
	if (--task->refs == 0)
		free_task(task);
}

void weft_release(weft_task *task)
{
	unsigned int left;

	if (task == NULL)
		return;
	weft__enter();
	left = --task->refs;
	weft__leave();
	if (left == 0)
		free_task(task);
}
