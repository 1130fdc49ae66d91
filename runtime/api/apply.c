/* See weft/group.h: one call by a task of a group. */
#include <stdlib.h>

#include "group.h"

/* What weft_group_apply_async() has begun. Freed when its task ends, which may never have run. */
struct async {
	struct weft__helper helper;
	struct weft__watcher watcher;
	weft_group *group;
	struct weft__member *member; /* NULL: it is one */
	weft_func *fn;
	void *arg;
	void (*callback)(void *value, void *arg);
	void *callback_arg;
};

int weft_group_apply(weft_group *group, weft_func *fn, void *arg, void **ret_value)
{
	weft_task *task;
	int err;

	if (weft__me() == NULL)
		return -EPERM;
	err = weft_group_spawn(group, &task, fn, arg, WEFT_FOREVER);
	if (err != 0)
		return err;
	err = weft_get(task, WEFT_FOREVER, ret_value);
	weft_release(task);
	return err;
}

/* Entered. */
static void become_member(struct async *async, weft_task *task)
{
	weft__group_enroll(async->group, async->member, task);
	async->member = NULL;
}

static void end_async(struct weft__watcher *watcher)
{
	struct async *async = weft__container(watcher, struct async, watcher);

	/* The group of what has left it may be gone. */
	if (!weft__list_empty(&async->helper.link))
		weft__group_remove_helper(async->group, &async->helper);
	free(async->member);
	free(async);
}

/* What was raised, or 0: it has a place. */
static int get_in(struct async *async, weft_task *me)
{
	int err = 0;

	weft__enter();
	if (async->member != NULL) {
		err = weft__group_take_place(async->group, WEFT_FOREVER);
		if (err == 0) {
			become_member(async, me);
			weft__group_remove_helper(async->group, &async->helper);
		}
	}
	weft__leave();
	return err;
}

static void *run_async(void *arg)
{
	struct async *async = arg;
	weft_task *me = weft__me();
	void *value;

	me->error = get_in(async, me);
	if (me->error != 0)
		return NULL;
	value = async->fn(async->arg);
	if (me->error == 0 && !weft_killed() && async->callback != NULL)
		async->callback(value, async->callback_arg);
	return value;
}

/* Entered. */
static int begin_async(struct async *async, weft_task **ret_task)
{
	weft_group *group = async->group;
	weft_task *task;
	int err = weft__spawn_in(weft__run_here(), &task, run_async, async);

	if (err != 0)
		return err;
	weft__list_init(&async->helper.link);
	async->watcher.ready = end_async;
	weft__list_append(&task->object.watchers, &async->watcher.link);
	if (group->taken < group->places) {
		weft__group_take_place(group, 0);
		become_member(async, task);
	} else {
		weft__group_add_helper(group, &async->helper, task);
	}
	if (ret_task != NULL)
		*ret_task = task;
	else
		weft__unref(task);
	return 0;
}

int weft_group_apply_async(weft_group *group, weft_task **ret_task, weft_func *fn, void *arg,
			   void (*callback)(void *value, void *arg), void *callback_arg)
{
	struct async *async;
	int err;

	if (group == NULL || fn == NULL)
		return -EINVAL;
	async = calloc(1, sizeof(*async));
	if (async == NULL)
		return -ENOMEM;
	*async = (struct async){.group = group,
				.fn = fn,
				.arg = arg,
				.callback = callback,
				.callback_arg = callback_arg,
				.member = malloc(sizeof(*async->member))};
	err = async->member == NULL ? -ENOMEM : weft__enter_here(0);
	if (err == 0) {
		err = begin_async(async, ret_task);
		weft__leave();
	}
	if (err != 0) {
		free(async->member);
		free(async);
	}
	return err;
}
