/*
 * See weft/sync.h: results.
 *
 * Who waits for the value is given a copy of it, and does not look at the result any more: who is
 * first may free it. The functions that are linked are called by one task, or callback of the loop,
 * at a time; it takes one after the other out of the list, whoever has put it there.
 */
#include <stdlib.h>

#include "native.h"

struct result_link {
	struct result_link *next;
	void (*fn)(weft_result *result, void *arg);
	void *arg;
};

struct weft_result {
	struct weft_object object;
	void *value;
	int error;
	struct result_link *links;
	bool to_be_called;       /* a task is to call the links */
	bool *freed;             /* of who calls them; NULL: nobody does */
	const weft_task *caller; /* while somebody does; NULL: the loop */
};

struct result_wait {
	struct weft__watcher watcher;
	struct weft__wait wait;
	weft_result *result;
	void *value;
	int error;
};

int weft_result_new(weft_result **ret_result)
{
	weft_result *result;

	if (ret_result == NULL)
		return -EINVAL;
	result = calloc(1, sizeof(*result));
	if (result == NULL)
		return -ENOMEM;
	weft__object_init(&result->object);
	*ret_result = result;
	return 0;
}

/* Entered. What has been set and is linked is to be called, even when nobody does yet. */
static bool may_be_freed(const weft_result *result)
{
	if (!weft__object_unused(&result->object) || result->to_be_called)
		return false;
	if (result->freed != NULL)
		return result->links == NULL && result->caller == weft__me();
	return true;
}

int weft_result_free(weft_result *result)
{
	struct result_link *link;
	bool unused;

	if (result == NULL)
		return 0;
	weft__enter();
	unused = may_be_freed(result);
	if (unused && result->freed != NULL)
		*result->freed = true;
	weft__leave();
	if (!unused)
		return -EBUSY;
	while ((link = result->links) != NULL) {
		result->links = link->next;
		free(link);
	}
	free(result);
	return 0;
}

/* Entered. */
static struct result_link *take_link(weft_result *result)
{
	struct result_link *link = result->links;

	if (link != NULL)
		result->links = link->next;
	return link;
}

/* Entered; left for each call. The last one may free the result. */
static void call_links(weft_result *result)
{
	struct result_link *link;
	bool freed = false;

	if (result->freed != NULL)
		return;
	/* Until the end of this function, or of the result. */
	/* cppcheck-suppress autoVariables */
	result->freed = &freed;
	result->caller = weft__me();
	while (!freed && (link = take_link(result)) != NULL) {
		weft__leave();
		link->fn(result, link->arg);
		free(link);
		weft__enter();
	}
	if (!freed)
		result->freed = NULL;
}

static int set(weft_result *result, void *value, int error)
{
	int err = result == NULL ? -EINVAL : weft__enter_here(0);

	if (err != 0)
		return err;
	if (result->object.ready) {
		err = -EALREADY;
	} else {
		result->value = value;
		result->error = error;
		weft__object_set(&result->object, true);
		call_links(result);
	}
	weft__leave();
	return err;
}

int weft_result_set(weft_result *result, void *value)
{
	return set(result, value, 0);
}

int weft_result_set_error(weft_result *result, int error)
{
	return error >= 0 ? -EINVAL : set(result, NULL, error);
}

static void give_value(struct weft__watcher *watcher)
{
	struct result_wait *one = weft__container(watcher, struct result_wait, watcher);

	if (one->wait.over)
		return;
	one->value = one->result->value;
	one->error = one->result->error;
	weft__wait_end(&one->wait, 0);
}

/* Until it is set; then *ret_error is to what, if that is an error. Entered, and left. */
static int wait_for(weft_result *result, int64_t deadline_ns, void **ret_value, int *ret_error)
{
	struct result_wait one = {.watcher.ready = give_value, .result = result};
	int err = 0;

	if (result->object.ready) {
		one.value = result->value;
		one.error = result->error;
	} else {
		weft__list_append(&result->object.watchers, &one.watcher.link);
		err = weft__wait_in(NULL, &one.wait, deadline_ns);
		weft__list_remove(&one.watcher.link);
	}
	weft__leave();
	if (err == 0) {
		*ret_error = one.error;
		if (one.error == 0 && ret_value != NULL)
			*ret_value = one.value;
	}
	return err;
}

int weft_result_get(weft_result *result, int64_t deadline_ns, void **ret_value)
{
	int err = result == NULL ? -EINVAL : weft__enter_here(deadline_ns);
	int error = 0;

	if (err == 0)
		err = wait_for(result, deadline_ns, ret_value, &error);
	return err == 0 ? error : err;
}

int weft_result_wait(weft_result *result, int64_t deadline_ns)
{
	int err = result == NULL ? -EINVAL : weft__enter_here(deadline_ns);
	int error = 0;

	return err == 0 ? wait_for(result, deadline_ns, NULL, &error) : err;
}

int weft_result_error(const weft_result *result)
{
	int error;

	if (result == NULL)
		return -EINVAL;
	weft__enter();
	error = result->object.ready ? result->error : -EINPROGRESS;
	weft__leave();
	return error;
}

bool weft_result_is_ready(const weft_result *result)
{
	bool ready;

	if (result == NULL)
		return false;
	weft__enter();
	ready = result->object.ready;
	weft__leave();
	return ready;
}

void *weft_result_value(const weft_result *result)
{
	return weft_result_error(result) == 0 ? result->value : NULL;
}

static void *call_late(void *arg)
{
	weft_result *result = arg;

	weft__enter();
	result->to_be_called = false;
	call_links(result);
	weft__leave();
	return NULL;
}

/* Take a link out, by what it calls. Entered. */
static struct result_link *remove_link(weft_result *result,
				       void (*fn)(weft_result *result, void *arg), const void *arg)
{
	struct result_link *link, **place = &result->links;

	while (*place != NULL && ((*place)->fn != fn || (*place)->arg != arg))
		place = &(*place)->next;
	link = *place;
	if (link != NULL)
		*place = link->next;
	return link;
}

/* Entered. */
static void append_link(weft_result *result, struct result_link *link)
{
	struct result_link **place = &result->links;

	while (*place != NULL)
		place = &(*place)->next;
	*place = link;
}

int weft_result_link(weft_result *result, void (*fn)(weft_result *result, void *arg), void *arg)
{
	struct result_link *link;
	bool spawns;
	int err;

	if (result == NULL || fn == NULL)
		return -EINVAL;
	link = malloc(sizeof(*link));
	if (link == NULL)
		return -ENOMEM;
	*link = (struct result_link){NULL, fn, arg};
	err = weft__enter_here(0);
	if (err != 0)
		goto free_link;
	append_link(result, link);
	spawns = result->object.ready && result->freed == NULL && !result->to_be_called;
	result->to_be_called |= spawns;
	weft__leave();
	if (!spawns)
		return 0;
	err = weft_spawn_raw(call_late, result);
	if (err == 0)
		return 0;
	weft__enter();
	result->to_be_called = false;
	link = remove_link(result, fn, arg);
	call_links(result); /* of others who have relied on that task */
	weft__leave();
free_link:
	free(link);
	return err;
}

int weft_result_unlink(weft_result *result, void (*fn)(weft_result *result, void *arg), void *arg)
{
	struct result_link *link;
	int err = result == NULL ? -EINVAL : weft__enter_here(0);

	if (err != 0)
		return err;
	link = remove_link(result, fn, arg);
	weft__leave();
	free(link);
	return link == NULL ? -ENOENT : 0;
}
