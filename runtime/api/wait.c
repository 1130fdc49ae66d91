/*
 * See weft/wait.h. Who waits for several watches each of them, and is told of each once; one wait ends
 * when as many have told as are waited for.
 */
#include <stdlib.h>

#include "native.h"

struct one_of {
	struct weft__watcher watcher;
	struct several *all;
	size_t number;
	bool ready;
	struct one_of *next; /* of an iwait: among those that are ready and not given yet */
};

struct several {
	struct weft__wait wait;
	size_t left; /* to be told of until the wait is over */
	bool waits;
};

static bool any_is_missing(weft_object *const objects[], size_t n)
{
	if (objects == NULL && n != 0)
		return true;
	for (size_t i = 0; i < n; i++)
		if (objects[i] == NULL)
			return true;
	return false;
}

static void count_down(struct weft__watcher *watcher)
{
	struct one_of *one = weft__container(watcher, struct one_of, watcher);
	struct several *all = one->all;

	one->ready = true;
	if (all->left != 0 && --all->left == 0 && all->waits && !all->wait.over)
		weft__wait_end(&all->wait, 0);
}

/* Watch those that are not ready. Entered. */
static void watch(struct one_of *ones, struct several *all, weft_object *const objects[], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		ones[i].all = all;
		ones[i].watcher.ready = count_down;
		weft__list_init(&ones[i].watcher.link);
		if (objects[i]->ready)
			count_down(&ones[i].watcher);
		else
			weft__list_append(&objects[i]->watchers, &ones[i].watcher.link);
	}
}

static int count_ready(struct one_of *ones, size_t n, bool ret_ready[])
{
	int ready = 0;

	for (size_t i = 0; i < n; i++) {
		weft__list_remove(&ones[i].watcher.link);
		ready += ones[i].ready;
		if (ret_ready != NULL)
			ret_ready[i] = ones[i].ready;
	}
	return ready;
}

int weft_wait(weft_object *const objects[], size_t n, size_t count, int64_t deadline_ns,
	      bool ret_ready[])
{
	struct several all = {.left = count == 0 ? n : count};
	struct one_of *ones;
	int err, ready;

	if (count > n || any_is_missing(objects, n))
		return -EINVAL;
	ones = calloc(n == 0 ? 1 : n, sizeof(*ones));
	if (ones == NULL)
		return -ENOMEM;
	err = weft__enter_wait(deadline_ns);
	if (err != 0)
		goto free_ones;
	watch(ones, &all, objects, n);
	if (all.left != 0) {
		all.waits = true;
		all.wait.over = false;
		err = weft__wait_in(NULL, &all.wait, deadline_ns);
	}
	ready = count_ready(ones, n, err == 0 ? ret_ready : NULL);
	weft__leave();
	if (err == 0)
		err = ready;
free_ones:
	free(ones);
	return err;
}

struct weft_iwait {
	size_t n, given;
	struct one_of *first, *last; /* ready and not given */
	struct weft__link waiters;
	size_t takers; /* that wait, or have been woken and have not looked yet */
	weft_object **objects;
	struct one_of ones[];
};

static void append_ready(struct weft__watcher *watcher)
{
	struct one_of *one = weft__container(watcher, struct one_of, watcher);
	weft_iwait *iwait = weft__container(one - one->number, weft_iwait, ones);

	if (iwait->first == NULL)
		iwait->first = one;
	else
		iwait->last->next = one;
	iwait->last = one;
	if (!weft__list_empty(&iwait->waiters))
		weft__wait_end(weft__wait_first(&iwait->waiters), 0);
}

int weft_iwait_new(weft_iwait **ret_iwait, weft_object *const objects[], size_t n)
{
	weft_iwait *iwait;

	if (ret_iwait == NULL || any_is_missing(objects, n))
		return -EINVAL;
	iwait = calloc(1, sizeof(*iwait) + n * (sizeof(*iwait->ones) + sizeof(*objects)));
	if (iwait == NULL)
		return -ENOMEM;
	iwait->n = n;
	iwait->objects = (weft_object **)(void *)(iwait->ones + n);
	weft__list_init(&iwait->waiters);
	weft__enter();
	for (size_t i = 0; i < n; i++) {
		struct one_of *one = &iwait->ones[i];

		iwait->objects[i] = objects[i];
		one->number = i;
		one->watcher.ready = append_ready;
		weft__list_init(&one->watcher.link);
		if (objects[i]->ready)
			append_ready(&one->watcher);
		else
			weft__list_append(&objects[i]->watchers, &one->watcher.link);
	}
	weft__leave();
	*ret_iwait = iwait;
	return 0;
}

/* Entered. */
static int next_ready(weft_iwait *iwait, int64_t deadline_ns, weft_object **ret_object)
{
	struct weft__wait wait;
	struct one_of *one;
	int err;

	if (iwait->given == iwait->n)
		return 0;
	while (iwait->first == NULL) {
		iwait->takers++;
		err = weft__wait_in(&iwait->waiters, &wait, deadline_ns);
		iwait->takers--;
		if (err != 0)
			return err;
		if (iwait->given == iwait->n)
			return 0;
	}
	one = iwait->first;
	iwait->first = one->next;
	iwait->given++;
	*ret_object = iwait->objects[one->number];
	/* The others who take from it have nothing to wait for any more. */
	while (iwait->given == iwait->n && !weft__list_empty(&iwait->waiters))
		weft__wait_end(weft__wait_first(&iwait->waiters), 0);
	return 1;
}

int weft_iwait_next(weft_iwait *iwait, int64_t deadline_ns, weft_object **ret_object)
{
	int result;

	if (iwait == NULL || ret_object == NULL)
		return -EINVAL;
	result = weft__enter_wait(deadline_ns);
	if (result != 0)
		return result;
	result = next_ready(iwait, deadline_ns, ret_object);
	weft__leave();
	return result;
}

int weft_iwait_free(weft_iwait *iwait)
{
	bool used;

	if (iwait == NULL)
		return 0;
	weft__enter();
	used = iwait->takers != 0;
	for (size_t i = 0; i < iwait->n && !used; i++)
		weft__list_remove(&iwait->ones[i].watcher.link);
	weft__leave();
	if (used)
		return -EBUSY;
	free(iwait);
	return 0;
}
