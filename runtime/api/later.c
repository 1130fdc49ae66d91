/* See weft/task.h: what a task calls when it ends, of its own (deferred) and for others (links). */
#include <stdlib.h>

#include "native.h"

struct weft__call_later {
	struct weft__call_later *next;
	void (*call)(void *arg);                       /* deferred */
	void (*call_link)(weft_task *task, void *arg); /* linked */
	void *arg;
	weft_task *task; /* of a link that is called late */
};

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
void weft__clean_up(weft_task *self)
{
	do {
		call_deferred(self);
		weft__locals_destroy(self);
	} while (self->deferred != NULL);
}

void weft__call_links(weft_task *self)
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
