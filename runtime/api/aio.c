/* See weft/aio.h: what asyncio does with tasks. */
#include <stdlib.h>

#include "future.h"
#include "native.h"

struct first_call {
	weft_func *fn;
	void *arg;
};

/* Entered. */
static void kill_others(struct weft__run *run)
{
	struct weft__link *link;

	for (link = run->all.next; link != &run->all; link = link->next)
		weft__kill(weft__container(link, weft_task, of_run));
	weft__timers_stop(run);
}

static void *run_first(void *arg)
{
	const struct first_call *first = arg;
	struct weft__run *run = weft__run_here();
	void *value;

	run->lists = true;
	value = first->fn(first->arg);
	weft__enter();
	kill_others(run);
	weft__leave();
	return value;
}

int weft_run_until_complete(weft_func *fn, void *arg, void **ret_value)
{
	struct first_call first = {fn, arg};

	return fn == NULL ? -EINVAL : weft_run(run_first, &first, ret_value);
}

/* What is raised in the caller, 0: all have ended, or one of them with an error that counts. */
static int wait_for_each(weft_iwait *iwait, int *error)
{
	weft_task *task;
	int result;

	do
		result = weft_next_completed(iwait, WEFT_FOREVER, &task);
	while (result == 1 && (error == NULL || (*error = weft_error(task)) == 0));
	return result < 0 ? result : 0;
}

static int check(weft_task *const tasks[], size_t n)
{
	const weft_task *me = weft__me();

	if (tasks == NULL && n != 0)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		if (tasks[i] == NULL)
			return -EINVAL;
	if (me == NULL)
		return -EPERM;
	for (size_t i = 0; i < n; i++) {
		if (tasks[i] == me)
			return -EDEADLK;
		if (weft__out_of_reach(tasks[i]))
			return -EPERM;
	}
	return 0;
}

int weft_gather(weft_task *const tasks[], size_t n, int errors[], void *values[])
{
	weft_iwait *iwait;
	int error = 0, err = check(tasks, n);

	if (err == 0)
		err = weft_as_completed(&iwait, tasks, n);
	if (err != 0)
		return err;
	err = wait_for_each(iwait, errors == NULL ? &error : NULL);
	weft_iwait_free(iwait);
	if (err != 0)
		weft_killall(tasks, n, 0);
	if (err != 0 || error != 0)
		return err != 0 ? err : error;
	for (size_t i = 0; i < n; i++) {
		if (errors != NULL)
			errors[i] = weft_error(tasks[i]);
		if (values != NULL)
			values[i] = weft_error(tasks[i]) == 0 ? weft_value(tasks[i]) : NULL;
	}
	return 0;
}

int weft_gather_calls(const weft_call calls[], size_t n, int errors[], void *values[])
{
	weft_task **tasks;
	size_t spawned = 0;
	int err = 0;

	if (calls == NULL && n != 0)
		return -EINVAL;
	if (weft__me() == NULL)
		return -EPERM;
	tasks = calloc(n + 1, sizeof(*tasks));
	if (tasks == NULL)
		return -ENOMEM;
	while (spawned < n && err == 0) {
		err = weft_spawn(&tasks[spawned], calls[spawned].fn, calls[spawned].arg);
		spawned += err == 0;
	}
	if (err == 0)
		err = weft_gather(tasks, n, errors, values);
	else
		weft_killall(tasks, spawned, 0);
	for (size_t i = 0; i < spawned; i++)
		weft_release(tasks[i]);
	free(tasks);
	return err;
}

int weft_wait_for(weft_task *task, int64_t deadline_ns, void **ret_value)
{
	int err = task == NULL ? -EINVAL : weft__enter_wait(deadline_ns);

	if (err != 0)
		return err;
	if (task == weft__me() || weft__out_of_reach(task)) {
		weft__leave();
		return task == weft__me() ? -EDEADLK : -EPERM;
	}
	err = weft__object_wait(&task->object, deadline_ns);
	if (!task->object.ready) {
		weft__kill(task);
		weft__object_wait_firmly(&task->object);
	} else {
		/* It has ended just in time. What was raised nevertheless is so at the next wait. */
		if (err != 0 && weft_now() < deadline_ns)
			weft__raise(weft__me(), err);
		err = task->error;
	}
	if (err == 0 && ret_value != NULL)
		*ret_value = task->value;
	weft__leave();
	return err;
}

/* Its reference is given back when the shield ends, which may never have run. */
struct shield {
	struct weft__watcher watcher;
	weft_task *task;
};

static void *stand_before(void *arg)
{
	weft_task *task = arg, *me = weft__me();
	void *value = NULL;

	me->error = weft_get(task, WEFT_FOREVER, &value);
	return value;
}

static void give_back(struct weft__watcher *watcher)
{
	struct shield *shield = weft__container(watcher, struct shield, watcher);

	weft__release(shield->task);
	free(shield);
}

int weft_shield(weft_task **ret_shield, weft_task *task)
{
	struct shield *shield;
	weft_task *before;
	int err;

	if (ret_shield == NULL || task == NULL)
		return -EINVAL;
	shield = malloc(sizeof(*shield));
	if (shield == NULL)
		return -ENOMEM;
	err = weft__out_of_reach(task) ? -EPERM : weft__enter_here(0);
	if (err == 0) {
		err = weft__spawn_in(weft__run_here(), &before, stand_before, task);
		if (err == 0) {
			*shield = (struct shield){.watcher.ready = give_back, .task = task};
			task->refs++;
			weft__list_append(&before->object.watchers, &shield->watcher.link);
			*ret_shield = before;
		}
		weft__leave();
	}
	if (err != 0)
		free(shield);
	return err;
}

int weft_as_completed(weft_iwait **ret_iwait, weft_task *const tasks[], size_t n)
{
	return weft_iwait_new(ret_iwait, (weft_object *const *)tasks, n);
}

int weft_next_completed(weft_iwait *iwait, int64_t deadline_ns, weft_task **ret_task)
{
	weft_object *object;
	int result = ret_task == NULL ? -EINVAL : weft_iwait_next(iwait, deadline_ns, &object);

	if (result == 1)
		*ret_task = weft__container(object, weft_task, object);
	return result;
}

/* What was raised is kept for the next wait if the function has begun. Entered. */
static int await(weft_future *future)
{
	int err = weft__object_wait(&future->object, WEFT_FOREVER);

	if (err == 0)
		return future->error;
	if (!future->object.ready && weft__executor_withdraw(future)) {
		weft__future_complete(future);
		return err;
	}
	weft__future_wait_firmly(future);
	weft__raise(weft__me(), err);
	return future->error;
}

int weft_run_in_executor(weft_executor *executor, weft_func *fn, void *arg, void **ret_value)
{
	weft_future *future;
	int err = weft__me() == NULL ? -EPERM : 0;

	if (err == 0 && executor == NULL)
		err = weft_executor_default(&executor);
	if (err == 0)
		err = weft_executor_submit(executor, &future, fn, arg);
	if (err != 0)
		return err;
	weft__enter();
	err = await(future);
	if (err == 0 && ret_value != NULL)
		*ret_value = future->value;
	weft__future_unref(future);
	weft__leave();
	return err;
}
