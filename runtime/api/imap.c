/*
 * See weft/group.h: what a function gives for several items, and mapping.
 *
 * A task, the feeder, waits for places in the group and spawns in them; it is a helper of the group.
 * Each slot watches its task. A slot that has no task yet when the feeder ends is canceled.
 */
#include <stdlib.h>

#include "group.h"

struct slot {
	struct weft__watcher watcher; /* of its task; valid if there is one */
	weft_imap *imap;
	weft_task *task; /* while it runs */
	void *item, *value;
	int error;
	bool done;
	struct slot *next; /* of those done and not given, unless ordered */
};

struct weft_imap {
	weft_group *group;
	struct weft__run *run;
	weft_func *fn;
	bool ordered, freed;
	struct weft__helper feeder; /* task: NULL when it has ended */
	struct weft__watcher watcher;
	struct weft__link waiters;
	size_t n, spawned, given;
	struct slot *first, *last; /* done and not given, unless ordered */
	struct slot slots[];
};

static void wake_all(weft_imap *imap)
{
	while (!weft__list_empty(&imap->waiters))
		weft__wait_end(weft__wait_first(&imap->waiters), 0);
}

static void set_done(struct slot *slot, void *value, int error)
{
	weft_imap *imap = slot->imap;

	slot->value = value;
	slot->error = error;
	slot->task = NULL;
	slot->done = true;
	if (imap->first == NULL)
		imap->first = slot;
	else
		imap->last->next = slot;
	imap->last = slot;
	wake_all(imap);
}

static void end_task(struct weft__watcher *watcher)
{
	struct slot *slot = weft__container(watcher, struct slot, watcher);

	set_done(slot, slot->task->value, slot->task->error);
}

static void end_feeder(struct weft__watcher *watcher)
{
	weft_imap *imap = weft__container(watcher, weft_imap, watcher);

	imap->feeder.task = NULL;
	weft__group_remove_helper(imap->group, &imap->feeder);
	if (imap->freed) {
		free(imap);
		return;
	}
	while (imap->spawned < imap->n)
		set_done(&imap->slots[imap->spawned++], NULL, -ECANCELED);
}

/* Entered, and a place is taken. */
static void spawn_next(weft_imap *imap)
{
	struct slot *slot = &imap->slots[imap->spawned++];
	weft_task *task;
	int err = weft__group_spawn_there(imap->group, imap->run, &task, imap->fn, slot->item);

	if (err != 0) {
		set_done(slot, NULL, err);
		return;
	}
	slot->task = task;
	slot->watcher.ready = end_task;
	weft__list_append(&task->object.watchers, &slot->watcher.link);
	weft__unref(task);
}

static void *feed(void *arg)
{
	weft_imap *imap = arg;

	weft__enter();
	while (imap->spawned < imap->n) {
		if (weft__group_take_place(imap->group, WEFT_FOREVER) != 0)
			break; /* killed */
		if (imap->freed) {
			weft__group_give_place(imap->group);
			break;
		}
		spawn_next(imap);
	}
	weft__leave();
	return NULL;
}

/* Entered. */
static int begin(weft_imap *imap)
{
	weft_task *task;
	int err = weft__spawn_in(imap->run, &task, feed, imap);

	if (err != 0)
		return err;
	weft__group_add_helper(imap->group, &imap->feeder, task);
	imap->watcher.ready = end_feeder;
	weft__list_append(&task->object.watchers, &imap->watcher.link);
	weft__unref(task);
	return 0;
}

int weft_group_imap(weft_group *group, weft_imap **ret_imap, weft_func *fn, void *const items[],
		    size_t n, bool ordered)
{
	weft_imap *imap;
	int err;

	if (group == NULL || ret_imap == NULL || fn == NULL || (items == NULL && n != 0))
		return -EINVAL;
	imap = calloc(1, sizeof(*imap) + n * sizeof(*imap->slots));
	if (imap == NULL)
		return -ENOMEM;
	imap->group = group;
	imap->fn = fn;
	imap->ordered = ordered;
	weft__list_init(&imap->waiters);
	imap->n = n;
	for (size_t i = 0; i < n; i++) {
		imap->slots[i].imap = imap;
		imap->slots[i].item = items[i];
	}
	err = weft__enter_here(0);
	if (err == 0) {
		imap->run = weft__run_here();
		err = begin(imap);
		weft__leave();
	}
	if (err != 0)
		free(imap);
	else
		*ret_imap = imap;
	return err;
}

/* The next to be given, NULL: it is not done yet. */
static struct slot *pick(weft_imap *imap)
{
	struct slot *slot = imap->first;

	if (imap->ordered)
		return imap->slots[imap->given].done ? &imap->slots[imap->given] : NULL;
	if (slot != NULL)
		imap->first = slot->next;
	return slot;
}

/* Entered. */
static int next(weft_imap *imap, int64_t deadline_ns, struct slot **ret_slot)
{
	struct weft__wait wait;
	struct slot *slot = NULL;
	int err;

	while (imap->given < imap->n && (slot = pick(imap)) == NULL) {
		err = weft__wait_in(&imap->waiters, &wait, deadline_ns);
		if (err != 0)
			return err;
	}
	if (slot == NULL)
		return 0;
	if (++imap->given == imap->n)
		wake_all(imap);
	*ret_slot = slot;
	return 1;
}

int weft_imap_next(weft_imap *imap, int64_t deadline_ns, size_t *ret_index, void **ret_value)
{
	struct slot *slot = NULL;
	int result = imap == NULL ? -EINVAL : weft__enter_wait(deadline_ns);

	if (result != 0)
		return result;
	result = next(imap, deadline_ns, &slot);
	if (result == 1) {
		if (slot->error != 0)
			result = slot->error;
		else if (ret_value != NULL)
			*ret_value = slot->value;
		if (ret_index != NULL)
			*ret_index = (size_t)(slot - imap->slots);
	}
	weft__leave();
	return result;
}

int weft_imap_free(weft_imap *imap)
{
	bool busy;

	if (imap == NULL)
		return 0;
	weft__enter();
	busy = !weft__list_empty(&imap->waiters);
	for (size_t i = 0; i < imap->n && !busy; i++)
		if (imap->slots[i].task != NULL)
			weft__list_remove(&imap->slots[i].watcher.link);
	if (!busy && imap->feeder.task != NULL) {
		imap->freed = true;
		weft__kill(imap->feeder.task);
	} else if (!busy) {
		free(imap);
	}
	weft__leave();
	return busy ? -EBUSY : 0;
}

/* The first error in their order. */
static int take_values(weft_task *tasks[], size_t n, void *values[])
{
	int err = 0;

	for (size_t i = 0; i < n && err == 0; i++)
		err = weft_join(tasks[i], WEFT_FOREVER);
	if (err != 0)
		return err;
	for (size_t i = 0; i < n && err == 0; i++)
		err = tasks[i]->error;
	for (size_t i = 0; i < n && err == 0 && values != NULL; i++)
		values[i] = tasks[i]->value;
	return err;
}

int weft_group_map(weft_group *group, weft_func *fn, void *const items[], size_t n, void *values[])
{
	weft_task **tasks;
	size_t spawned = 0;
	int err = 0;

	if (group == NULL || fn == NULL || (items == NULL && n != 0))
		return -EINVAL;
	if (weft__me() == NULL)
		return -EPERM;
	tasks = calloc(n + 1, sizeof(*tasks));
	if (tasks == NULL)
		return -ENOMEM;
	while (spawned < n && err == 0) {
		err = weft_group_spawn(group, &tasks[spawned], fn, items[spawned], WEFT_FOREVER);
		spawned += err == 0;
	}
	if (err == 0)
		err = take_values(tasks, n, values);
	for (size_t i = 0; i < spawned; i++)
		weft_release(tasks[i]);
	free(tasks);
	return err;
}
