/* See weft/task.h: what tasks do to each other, and what they tell of themselves. */
#include "native.h"

__thread int *weft__job_error;

static bool any_is(weft_task *const tasks[], size_t n, const weft_task *which)
{
	for (size_t i = 0; i < n; i++)
		if (tasks[i] == which)
			return true;
	return false;
}

static bool any_out_of_reach(weft_task *const tasks[], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (weft__out_of_reach(tasks[i]))
			return true;
	return false;
}

int weft_join(weft_task *task, int64_t deadline_ns)
{
	int err;

	if (task == NULL)
		return -EINVAL;
	err = weft__enter_wait(deadline_ns);
	if (err != 0)
		return err;
	if (task == weft__me())
		err = -EDEADLK;
	else if (weft__out_of_reach(task))
		err = -EPERM;
	else
		err = weft__object_wait(&task->object, deadline_ns);
	weft__leave();
	return err;
}

int weft_joinall(weft_task *const tasks[], size_t n, size_t count, int64_t deadline_ns)
{
	if (n != 0 && (tasks == NULL || any_is(tasks, n, NULL)))
		return -EINVAL;
	if (weft__me() == NULL || any_out_of_reach(tasks, n))
		return -EPERM;
	if (any_is(tasks, n, weft__me()))
		return -EDEADLK;
	return weft_wait((weft_object *const *)tasks, n, count, deadline_ns, NULL);
}

int weft_get(weft_task *task, int64_t deadline_ns, void **ret_value)
{
	int err = weft_join(task, deadline_ns);

	if (err == 0)
		err = task->error;
	if (err == 0 && ret_value != NULL)
		*ret_value = task->value;
	return err;
}

void weft__kill(weft_task *task)
{
	if (task->object.ready)
		return;
	__atomic_store_n(&task->killed, true, __ATOMIC_RELAXED);
	weft__raise(task, -ECANCELED);
}

int weft_kill(weft_task *task, int64_t deadline_ns)
{
	if (task == NULL)
		return -EINVAL;
	return weft_killall(&task, 1, deadline_ns);
}

int weft_killall(weft_task *const tasks[], size_t n, int64_t deadline_ns)
{
	const weft_task *me = weft__me();
	int err = 0;

	if (deadline_ns < 0 || (n != 0 && (tasks == NULL || any_is(tasks, n, NULL))))
		return -EINVAL;
	if ((deadline_ns != 0 && me == NULL) || any_out_of_reach(tasks, n))
		return -EPERM;
	weft__enter();
	for (size_t i = 0; i < n; i++)
		weft__kill(tasks[i]);
	for (size_t i = 0; i < n && err == 0 && deadline_ns != 0; i++)
		if (tasks[i] != me)
			err = weft__object_wait(&tasks[i]->object, deadline_ns);
	weft__leave();
	return err;
}

int weft_raise(weft_task *task, int error)
{
	int err = 0;

	if (task == NULL || error >= 0)
		return -EINVAL;
	if (weft__out_of_reach(task))
		return -EPERM;
	weft__enter();
	if (task->object.ready)
		err = -ESRCH;
	else
		weft__raise(task, error);
	weft__leave();
	return err;
}

bool weft_killed(void)
{
	const weft_task *me = weft__me();

	return me != NULL && __atomic_load_n(&me->killed, __ATOMIC_RELAXED);
}

int weft_set_error(int error)
{
	weft_task *me = weft__me();

	if (error > 0)
		return -EINVAL;
	if (weft__job_error != NULL)
		*weft__job_error = error;
	else if (me != NULL)
		me->error = error;
	else
		return -EPERM;
	return 0;
}

bool weft_ended(const weft_task *task)
{
	return task != NULL && __atomic_load_n(&task->ended, __ATOMIC_ACQUIRE) != 0;
}

bool weft_started(const weft_task *task)
{
	return task != NULL && __atomic_load_n(&task->started, __ATOMIC_RELAXED);
}

void *weft_value(const weft_task *task)
{
	return weft_ended(task) ? task->value : NULL;
}

int weft_error(const weft_task *task)
{
	if (task == NULL)
		return -EINVAL;
	return weft_ended(task) ? task->error : -EINPROGRESS;
}

weft_task *weft_self(void)
{
	return weft__me();
}
