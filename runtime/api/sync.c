/* See weft/sync.h: events, latches and semaphores. Results are in result.c, locks in lock.c. */
#include <stdlib.h>

#include "native.h"

struct weft_event {
	struct weft_object object;
};

struct weft_latch {
	struct weft_object object; /* ready: nothing is left */
	size_t left;
};

/* Who waits is given the next unit that is released: some are left only if nobody waits. */
struct weft_semaphore {
	struct weft__link waiters;
	size_t units;
	size_t bound;
};

int weft_event_new(weft_event **ret_event)
{
	weft_event *event;

	if (ret_event == NULL)
		return -EINVAL;
	event = malloc(sizeof(*event));
	if (event == NULL)
		return -ENOMEM;
	weft__object_init(&event->object);
	*ret_event = event;
	return 0;
}

int weft_event_free(weft_event *event)
{
	bool unused;

	if (event == NULL)
		return 0;
	weft__enter();
	unused = weft__object_unused(&event->object);
	weft__leave();
	if (!unused)
		return -EBUSY;
	free(event);
	return 0;
}

static int set_event(weft_event *event, bool is_set)
{
	int err = event == NULL ? -EINVAL : weft__enter_here(0);

	if (err != 0)
		return err;
	weft__object_set(&event->object, is_set);
	weft__leave();
	return 0;
}

int weft_event_set(weft_event *event)
{
	return set_event(event, true);
}

int weft_event_clear(weft_event *event)
{
	return set_event(event, false);
}

static bool is_ready(const struct weft_object *object)
{
	bool ready;

	weft__enter();
	ready = object->ready;
	weft__leave();
	return ready;
}

bool weft_event_is_set(const weft_event *event)
{
	return event != NULL && is_ready(&event->object);
}

static int wait_until_ready(struct weft_object *object, int64_t deadline_ns)
{
	int err = weft__enter_wait(deadline_ns);

	if (err != 0)
		return err;
	err = weft__object_wait(object, deadline_ns);
	weft__leave();
	return err;
}

int weft_event_wait(weft_event *event, int64_t deadline_ns)
{
	return event == NULL ? -EINVAL : wait_until_ready(&event->object, deadline_ns);
}

int weft_latch_new(weft_latch **ret_latch, size_t count)
{
	weft_latch *latch;

	if (ret_latch == NULL)
		return -EINVAL;
	latch = malloc(sizeof(*latch));
	if (latch == NULL)
		return -ENOMEM;
	weft__object_init(&latch->object);
	latch->object.ready = count == 0;
	latch->left = count;
	*ret_latch = latch;
	return 0;
}

int weft_latch_free(weft_latch *latch)
{
	bool unused;

	if (latch == NULL)
		return 0;
	weft__enter();
	unused = weft__object_unused(&latch->object);
	weft__leave();
	if (!unused)
		return -EBUSY;
	free(latch);
	return 0;
}

int weft_latch_count_down(weft_latch *latch, size_t n)
{
	int err = latch == NULL ? -EINVAL : weft__enter_here(0);

	if (err != 0)
		return err;
	if (n > latch->left) {
		err = -EOVERFLOW;
	} else {
		latch->left -= n;
		weft__object_set(&latch->object, latch->left == 0);
	}
	weft__leave();
	return err;
}

size_t weft_latch_value(const weft_latch *latch)
{
	size_t left;

	if (latch == NULL)
		return 0;
	weft__enter();
	left = latch->left;
	weft__leave();
	return left;
}

int weft_latch_wait(weft_latch *latch, int64_t deadline_ns)
{
	return latch == NULL ? -EINVAL : wait_until_ready(&latch->object, deadline_ns);
}

int weft_semaphore_new(weft_semaphore **ret_semaphore, size_t units, size_t bound)
{
	weft_semaphore *semaphore;

	if (ret_semaphore == NULL || (bound != 0 && units > bound))
		return -EINVAL;
	semaphore = malloc(sizeof(*semaphore));
	if (semaphore == NULL)
		return -ENOMEM;
	weft__list_init(&semaphore->waiters);
	semaphore->units = units;
	semaphore->bound = bound == 0 ? SIZE_MAX : bound;
	*ret_semaphore = semaphore;
	return 0;
}

int weft_semaphore_free(weft_semaphore *semaphore)
{
	bool unused;

	if (semaphore == NULL)
		return 0;
	weft__enter();
	unused = weft__list_empty(&semaphore->waiters);
	weft__leave();
	if (!unused)
		return -EBUSY;
	free(semaphore);
	return 0;
}

int weft_semaphore_acquire(weft_semaphore *semaphore, int64_t deadline_ns)
{
	struct weft__wait wait;
	int err = semaphore == NULL ? -EINVAL : weft__enter_here(deadline_ns);

	if (err != 0)
		return err;
	if (semaphore->units > 0)
		semaphore->units--;
	else
		err = weft__wait_in(&semaphore->waiters, &wait, deadline_ns);
	weft__leave();
	return err;
}

int weft_semaphore_release(weft_semaphore *semaphore)
{
	struct weft__wait *first;
	int err = semaphore == NULL ? -EINVAL : weft__enter_here(0);

	if (err != 0)
		return err;
	first = weft__wait_first(&semaphore->waiters);
	if (first != NULL)
		weft__wait_end(first, 0);
	else if (semaphore->units == semaphore->bound)
		err = -EOVERFLOW;
	else
		semaphore->units++;
	weft__leave();
	return err;
}

size_t weft_semaphore_count(const weft_semaphore *semaphore)
{
	size_t units;

	if (semaphore == NULL)
		return 0;
	weft__enter();
	units = semaphore->units;
	weft__leave();
	return units;
}
