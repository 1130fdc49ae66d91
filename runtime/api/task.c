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

/* musl's default: printf(3) with floating point takes 8 KB, resolvers up to 64. */
#define STACK_BYTES ((size_t)128 * 1024)
#define LEAST_STACK_BYTES ((size_t)8192)
#define MOST_STACK_BYTES ((size_t)1 << 30)

struct weft__call_later {
	struct weft__call_later *next;
	void (*call)(void *arg);                       /* deferred */
	void (*call_link)(weft_task *task, void *arg); /* linked */
	void *arg;
	weft_task *task; /* of a link that is called late */
};

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

/* Its function has left its scopes, as its frame, whether or not it has closed them. */
static void call_deferred(weft_task *self)
{
	struct weft__call_later *later;

	while ((later = self->deferred) != NULL) {
		self->deferred = later->next;
		self->timeouts = NULL;
		later->call(later->arg);
		free(later);
	}
	self->timeouts = NULL;
}

/* Destructors may defer, and what is deferred may set variables. */
static void clean_up(weft_task *self)
{
	do {
		call_deferred(self);
		weft__locals_destroy(self);
	} while (self->deferred != NULL);
}

static void call_links(weft_task *self)
{
	for (;;) {
		struct weft__call_later *link;

		weft__enter();
		link = self->links;
		if (link != NULL)
			self->links = link->next;
		weft__leave();
		if (link == NULL)
			return;
		link->call_link(self, link->arg);
		free(link);
	}
}

/* Its function has returned, or never runs. */
static void say_ended(weft_task *self)
{
	clean_up(self);
	weft__enter();
	if (self->killed && self->error == 0)
		self->error = -ECANCELED;
	__atomic_store_n(&self->ended, 1, __ATOMIC_RELEASE);
	weft__object_set(&self->object, true);
	weft__leave();
	call_links(self);
	clean_up(self); /* what they have left */
}

static void finish(weft_task *self)
{
	say_ended(self);
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
		say_ended(task);
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
	if (fn == NULL || stack_bytes < LEAST_STACK_BYTES || stack_bytes > MOST_STACK_BYTES)
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
	weft_task *task = make(run, STACK_BYTES);
	int err;

	if (task == NULL)
		return -ENOMEM;
	task->fn = fn;
	task->arg = arg;
	if (ret_task != NULL)
		task->refs = 2;
	let_in(run, task);
	err = start(task, STACK_BYTES);
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
	return spawn(ret_task, STACK_BYTES, fn, arg, 0);
}

int weft_spawn_sized(weft_task **ret_task, size_t stack_bytes, weft_func *fn, void *arg)
{
	return spawn(ret_task, stack_bytes, fn, arg, 0);
}

int weft_spawn_later(weft_task **ret_task, int64_t duration_ns, weft_func *fn, void *arg)
{
	int64_t starts_ns = weft_after(duration_ns);

	return starts_ns < 0 ? -EINVAL : spawn(ret_task, STACK_BYTES, fn, arg, starts_ns);
}

int weft_spawn_raw(weft_func *fn, void *arg)
{
	return spawn(NULL, STACK_BYTES, fn, arg, 0);
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

static struct weft__call_later *call_later(void *arg)
{
	struct weft__call_later *later = calloc(1, sizeof(*later));

	if (later != NULL)
		later->arg = arg;
	return later;
}

int weft_defer(void (*fn)(void *arg), void *arg)
{
	weft_task *me = weft__me();
	struct weft__call_later *later;

	if (me == NULL)
		return -EPERM;
	if (fn == NULL)
		return -EINVAL;
	later = call_later(arg);
	if (later == NULL)
		return -ENOMEM;
	later->call = fn;
	later->next = me->deferred;
	me->deferred = later;
	return 0;
}

int weft_undefer(bool call)
{
	weft_task *me = weft__me();
	struct weft__call_later *later;

	if (me == NULL)
		return -EPERM;
	later = me->deferred;
	if (later == NULL)
		return -ENOENT;
	me->deferred = later->next;
	if (call)
		later->call(later->arg);
	free(later);
	return 0;
}

static void *call_late(void *arg)
{
	struct weft__call_later *link = arg;

	link->call_link(link->task, link->arg);
	weft_release(link->task);
	free(link);
	return NULL;
}

int weft_link(weft_task *task, void (*fn)(weft_task *task, void *arg), void *arg)
{
	struct weft__call_later *link, **place;
	int err = 0;

	if (task == NULL || fn == NULL)
		return -EINVAL;
	if (weft__out_of_reach(task))
		return -EPERM;
	link = call_later(arg);
	if (link == NULL)
		return -ENOMEM;
	link->call_link = fn;
	link->task = task;
	weft__enter();
	if (!task->object.ready) {
		place = &task->links;
		while (*place != NULL)
			place = &(*place)->next;
		*place = link;
		weft__leave();
		return 0;
	}
	task->refs++;
	weft__leave();
	err = weft_spawn_raw(call_late, link);
	if (err != 0) {
		weft_release(task);
		free(link);
	}
	return err;
}

int weft_unlink(weft_task *task, void (*fn)(weft_task *task, void *arg), void *arg)
{
	struct weft__call_later *link = NULL, **place;

	if (task == NULL)
		return -EINVAL;
	if (weft__out_of_reach(task))
		return -EPERM;
	weft__enter();
	place = &task->links;
	while (*place != NULL && ((*place)->call_link != fn || (*place)->arg != arg))
		place = &(*place)->next;
	link = *place;
	if (link != NULL)
		*place = link->next;
	weft__leave();
	free(link);
	return link == NULL ? -ENOENT : 0;
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
	say_ended(own->first);
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

	say_ended(first);
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
	own->hub_stack = weft__stack_take(STACK_BYTES, &own->hub_stack_bytes);
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
