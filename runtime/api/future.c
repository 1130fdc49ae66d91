/* See weft/executor.h and future.h: what tasks do with what they have submitted. */
#include "future.h"

#include <stdlib.h>

struct weft__done_call {
	struct weft__done_call *next;
	void (*fn)(weft_future *future, void *arg);
	void *arg;
};

void weft__future_complete(weft_future *future)
{
	struct weft__run *run = future->run;

	weft__object_set(&future->object, true);
	weft__future_unref(future);
	weft__run_let_go(run);
}

void weft__future_unref(weft_future *future)
{
	if (--future->refs == 0)
		free(future);
}

void weft__future_wait_firmly(weft_future *future)
{
	weft__object_wait_firmly(&future->object);
}

weft_future *weft_future_ref(weft_future *future)
{
	weft__enter();
	if (future != NULL)
		future->refs++;
	weft__leave();
	return future;
}

void weft_future_release(weft_future *future)
{
	weft__enter();
	if (future != NULL)
		weft__future_unref(future);
	weft__leave();
}

int weft_future_cancel(weft_future *future)
{
	int err = 0;

	if (future == NULL)
		return -EINVAL;
	weft__enter();
	if (future->object.ready)
		err = -EALREADY;
	else if (!weft__executor_withdraw(future))
		err = -EBUSY;
	else
		weft__future_complete(future);
	weft__leave();
	return err;
}

int weft_future_result(weft_future *future, int64_t deadline_ns, void **ret_value)
{
	int err;

	if (future == NULL)
		return -EINVAL;
	err = weft__enter_here(deadline_ns);
	if (err != 0)
		return err;
	err = weft__object_wait(&future->object, deadline_ns);
	if (err == 0)
		err = future->error;
	if (err == 0 && ret_value != NULL)
		*ret_value = future->value;
	weft__leave();
	return err;
}

int weft_future_error(weft_future *future)
{
	int err;

	if (future == NULL)
		return -EINVAL;
	weft__enter();
	err = future->object.ready ? future->error : -EINPROGRESS;
	weft__leave();
	return err;
}

bool weft_future_done(weft_future *future)
{
	return future != NULL && weft_future_error(future) != -EINPROGRESS;
}

bool weft_future_running(weft_future *future)
{
	bool running;

	if (future == NULL)
		return false;
	weft__enter();
	running = !future->object.ready &&
		  __atomic_load_n(&future->state, __ATOMIC_RELAXED) != WEFT__FUTURE_QUEUED;
	weft__leave();
	return running;
}

/* A task: it waits for the future, and calls whom it is to. */
static void *call_when_done(void *arg)
{
	weft_future *future = arg;
	struct weft__done_call *call;

	weft__enter();
	weft__future_wait_firmly(future);
	while ((call = future->first) != NULL) {
		future->first = call->next;
		weft__leave();
		call->fn(future, call->arg);
		free(call);
		weft__enter();
	}
	weft__future_unref(future);
	weft__leave();
	return NULL;
}

/* Entered. */
static int ensure_caller(weft_future *future)
{
	weft_task *task;
	int err;

	if (future->has_caller)
		return 0;
	err = weft__spawn_in(future->run, &task, call_when_done, future);
	if (err != 0)
		return err;
	weft__unlist(task);
	weft__unref(task);
	future->refs++;
	future->has_caller = true;
	return 0;
}

static void append(weft_future *future, struct weft__done_call *call)
{
	if (future->first == NULL)
		future->first = call;
	else
		future->last->next = call;
	future->last = call;
}

int weft_future_add_done_callback(weft_future *future, void (*fn)(weft_future *future, void *arg),
				  void *arg)
{
	struct weft__done_call *call;
	bool done;
	int err = 0;

	if (future == NULL || fn == NULL)
		return -EINVAL;
	call = malloc(sizeof(*call));
	if (call == NULL)
		return -ENOMEM;
	*call = (struct weft__done_call){.fn = fn, .arg = arg};
	weft__enter();
	done = future->object.ready;
	if (!done)
		err = ensure_caller(future);
	if (!done && err == 0)
		append(future, call);
	weft__leave();
	if (done || err != 0)
		free(call);
	if (done)
		fn(future, arg);
	return err;
}
