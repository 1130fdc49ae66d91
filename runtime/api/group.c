/*
 * See weft/group.h and group.h.
 *
 * A member watches its task, so it has left when those who wait for that task go on. A place that
 * becomes free while somebody waits for one is handed over, and never seen to be free.
 */
#include "group.h"

#include <stdlib.h>

static void tell_whether_empty(weft_group *group)
{
	weft__object_set(&group->object, group->taken == 0 && weft__list_empty(&group->helpers));
}

int weft__group_take_place(weft_group *group, int64_t deadline_ns)
{
	struct weft__wait wait;

	if (group->taken == group->places)
		return weft__wait_in(&group->waiters, &wait, deadline_ns);
	group->taken++;
	tell_whether_empty(group);
	return 0;
}

void weft__group_give_place(weft_group *group)
{
	if (!weft__list_empty(&group->waiters))
		weft__wait_end(weft__wait_first(&group->waiters), 0);
	else
		group->taken--;
	tell_whether_empty(group);
}

/* The task has not ended, or is about to say so: this is not its last reference. */
static void leave_group(struct weft__member *member)
{
	weft_group *group = member->group;

	weft__list_remove(&member->link);
	weft__list_remove(&member->watcher.link);
	weft__unref(member->task);
	free(member);
	group->size--;
	weft__group_give_place(group);
}

static void end_member(struct weft__watcher *watcher)
{
	leave_group(weft__container(watcher, struct weft__member, watcher));
}

void weft__group_enroll(weft_group *group, struct weft__member *member, weft_task *task)
{
	member->group = group;
	member->task = task;
	member->watcher.ready = end_member;
	task->refs++;
	weft__list_append(&task->object.watchers, &member->watcher.link);
	weft__list_append(&group->members, &member->link);
	group->size++;
}

int weft__group_spawn_there(weft_group *group, struct weft__run *run, weft_task **ret_task,
			    weft_func *fn, void *arg)
{
	struct weft__member *member = malloc(sizeof(*member));
	weft_task *task;
	int err = member == NULL ? -ENOMEM : weft__spawn_in(run, &task, fn, arg);

	if (err != 0) {
		free(member);
		weft__group_give_place(group);
		return err;
	}
	weft__group_enroll(group, member, task);
	if (ret_task != NULL)
		*ret_task = task;
	else
		weft__unref(task);
	return 0;
}

void weft__group_add_helper(weft_group *group, struct weft__helper *helper, weft_task *task)
{
	helper->task = task;
	weft__list_append(&group->helpers, &helper->link);
	tell_whether_empty(group);
}

void weft__group_remove_helper(weft_group *group, struct weft__helper *helper)
{
	weft__list_remove(&helper->link);
	tell_whether_empty(group);
}

static int make(weft_group **ret_group, size_t places)
{
	weft_group *group;

	if (ret_group == NULL || places == 0)
		return -EINVAL;
	group = calloc(1, sizeof(*group));
	if (group == NULL)
		return -ENOMEM;
	weft__object_init(&group->object);
	group->object.ready = true;
	weft__list_init(&group->members);
	weft__list_init(&group->helpers);
	weft__list_init(&group->waiters);
	group->places = places;
	*ret_group = group;
	return 0;
}

int weft_group_new(weft_group **ret_group)
{
	return make(ret_group, SIZE_MAX);
}

int weft_pool_new(weft_group **ret_pool, size_t places)
{
	return make(ret_pool, places);
}

int weft_group_free(weft_group *group)
{
	bool busy;

	if (group == NULL)
		return 0;
	weft__enter();
	busy = !group->object.ready || !weft__list_empty(&group->waiters) ||
	       !weft__object_unused(&group->object);
	weft__leave();
	if (busy)
		return -EBUSY;
	free(group);
	return 0;
}

int weft_group_spawn(weft_group *group, weft_task **ret_task, weft_func *fn, void *arg,
		     int64_t deadline_ns)
{
	int err;

	if (group == NULL || fn == NULL)
		return -EINVAL;
	err = weft__enter_here(deadline_ns);
	if (err != 0)
		return err;
	err = weft__group_take_place(group, deadline_ns);
	if (err == 0)
		err = weft__group_spawn_there(group, weft__run_here(), ret_task, fn, arg);
	weft__leave();
	return err;
}

static struct weft__member *find(weft_group *group, const weft_task *task)
{
	struct weft__link *link;

	for (link = group->members.next; link != &group->members; link = link->next) {
		struct weft__member *member = weft__container(link, struct weft__member, link);

		if (member->task == task)
			return member;
	}
	return NULL;
}

/* 1, or why it is not to be put into the group. */
static int may_be_added(weft_group *group, const weft_task *task)
{
	if (task->object.ready)
		return 0;
	return find(group, task) != NULL ? -EEXIST : 1;
}

/* Entered. Whatever it waits for, the task may end, or be put in by another. */
static int add(weft_group *group, struct weft__member *member, weft_task *task, int64_t deadline_ns)
{
	int result = may_be_added(group, task);

	if (result != 1)
		return result;
	result = weft__group_take_place(group, deadline_ns);
	if (result != 0)
		return result;
	result = may_be_added(group, task);
	if (result == 1)
		weft__group_enroll(group, member, task);
	else
		weft__group_give_place(group);
	return result;
}

int weft_group_add(weft_group *group, weft_task *task, int64_t deadline_ns)
{
	struct weft__member *member;
	int result;

	if (group == NULL || task == NULL)
		return -EINVAL;
	member = malloc(sizeof(*member));
	if (member == NULL)
		return -ENOMEM;
	result = weft__out_of_reach(task) ? -EPERM : weft__enter_here(deadline_ns);
	if (result == 0) {
		result = add(group, member, task, deadline_ns);
		weft__leave();
	}
	if (result != 1)
		free(member);
	return result;
}

int weft_group_discard(weft_group *group, weft_task *task)
{
	struct weft__member *member;

	if (group == NULL || task == NULL)
		return -EINVAL;
	weft__enter();
	member = find(group, task);
	if (member != NULL)
		leave_group(member);
	weft__leave();
	return member == NULL ? -ENOENT : 0;
}

bool weft_group_has(weft_group *group, const weft_task *task)
{
	bool has;

	if (group == NULL || task == NULL)
		return false;
	weft__enter();
	has = find(group, task) != NULL;
	weft__leave();
	return has;
}

size_t weft_group_size(weft_group *group)
{
	size_t size;

	if (group == NULL)
		return 0;
	weft__enter();
	size = group->size;
	weft__leave();
	return size;
}

size_t weft_group_free_places(weft_group *group)
{
	size_t free_places;

	if (group == NULL)
		return 0;
	weft__enter();
	free_places = group->places == SIZE_MAX ? SIZE_MAX : group->places - group->taken;
	weft__leave();
	return free_places;
}

int weft_group_join(weft_group *group, int64_t deadline_ns)
{
	int err = group == NULL ? -EINVAL : weft__enter_wait(deadline_ns);

	if (err != 0)
		return err;
	err = find(group, weft__me()) != NULL ? -EDEADLK
					      : weft__object_wait(&group->object, deadline_ns);
	weft__leave();
	return err;
}

int weft_group_kill(weft_group *group, int64_t deadline_ns)
{
	int err = group == NULL ? -EINVAL : weft__enter_here(deadline_ns);
	struct weft__link *link;
	weft_task *me;
	bool in_it = false;

	if (err != 0)
		return err;
	me = weft__me();
	for (link = group->members.next; link != &group->members; link = link->next) {
		weft_task *task = weft__container(link, struct weft__member, link)->task;

		if (task != me)
			weft__kill(task);
		else
			in_it = true;
	}
	for (link = group->helpers.next; link != &group->helpers; link = link->next)
		weft__kill(weft__container(link, struct weft__helper, link)->task);
	if (deadline_ns != 0 && !in_it)
		err = weft__object_wait(&group->object, deadline_ns);
	weft__leave();
	return err;
}
