/*
 * See weft/queue.h.
 *
 *	putters -> store -> getters
 *
 * Whoever waits stands in one of the lists with its item, or room for one. There are getters only
 * when there is nothing to get, and putters only when the store is full (a channel's always is), so
 * each operation serves the first on the other side at once. Nobody looks at the queue after a
 * wait: who has emptied it may free it.
 *
 * Comparing items is the program's, which is never called while entered. So in a queue by rank one
 * operation at a time has the order, for longer than it is entered: in a patched program that is a
 * mutex; where tasks take turns anyway, only what the comparing itself calls has to be refused.
 */
#include <stdlib.h>

#include "api/queue.h"

/* What those who wait for items are told, that closing is no error for all of them. */
#define CLOSED 1

static int make(weft_queue **ret_queue, size_t capacity, weft__compare *compare)
{
	pthread_mutexattr_t attr;
	weft_queue *queue;

	if (ret_queue == NULL)
		return -EINVAL;
	queue = calloc(1, sizeof(*queue));
	if (queue == NULL)
		return -ENOMEM;
	weft__object_init(&queue->object);
	queue->store.compare = compare;
	queue->capacity = capacity;
	weft__list_init(&queue->putters);
	weft__list_init(&queue->getters);
	weft__list_init(&queue->peekers);
	weft__list_init(&queue->joiners);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(&queue->order, &attr);
	pthread_mutexattr_destroy(&attr);
	*ret_queue = queue;
	return 0;
}

int weft_queue_new(weft_queue **ret_queue, size_t capacity)
{
	return make(ret_queue, capacity == 0 ? SIZE_MAX : capacity, NULL);
}

int weft_queue_new_lifo(weft_queue **ret_queue, size_t capacity)
{
	int err = weft_queue_new(ret_queue, capacity);

	if (err == 0)
		(*ret_queue)->store.last_in_first_out = true;
	return err;
}

int weft_queue_new_priority(weft_queue **ret_queue, size_t capacity,
			    int (*compare)(const void *a, const void *b))
{
	if (compare == NULL)
		return -EINVAL;
	return make(ret_queue, capacity == 0 ? SIZE_MAX : capacity, compare);
}

int weft_queue_new_channel(weft_queue **ret_queue)
{
	return make(ret_queue, 0, NULL);
}

int weft_queue_free(weft_queue *queue)
{
	bool unused;

	if (queue == NULL)
		return 0;
	weft__enter();
	unused = weft__object_unused(&queue->object) && weft__list_empty(&queue->putters) &&
		 weft__list_empty(&queue->getters) && weft__list_empty(&queue->peekers) &&
		 weft__list_empty(&queue->joiners) && !queue->comparing;
	weft__leave();
	if (!unused)
		return -EBUSY;
	pthread_mutex_destroy(&queue->order);
	weft__store_free(&queue->store);
	free(queue);
	return 0;
}

static int begin_order(weft_queue *queue)
{
	if (queue->store.compare == NULL)
		return 0;
	if (weft__on_threads)
		return -pthread_mutex_lock(&queue->order);
	return queue->comparing ? -EDEADLK : 0;
}

static void end_order(weft_queue *queue)
{
	if (queue->store.compare != NULL && weft__on_threads)
		pthread_mutex_unlock(&queue->order);
}

static int enter_queue(weft_queue *queue, int64_t deadline_ns)
{
	int err = queue == NULL ? -EINVAL : begin_order(queue);

	if (err != 0)
		return err;
	err = weft__enter_here(deadline_ns);
	if (err != 0)
		end_order(queue);
	return err;
}

/* The other way round, it might be gone by then. */
static void leave_queue(weft_queue *queue)
{
	end_order(queue);
	weft__leave();
}

/* Entered, but not while it compares. */
static void begin_comparing(weft_queue *queue)
{
	if (queue->store.compare == NULL)
		return;
	queue->comparing = true;
	weft__leave();
}

static void end_comparing(weft_queue *queue)
{
	if (queue->store.compare == NULL)
		return;
	weft__enter();
	queue->comparing = false;
}

/* Entered; the store has room. */
static void keep(weft_queue *queue, void *item)
{
	begin_comparing(queue);
	weft__store_put(&queue->store, item);
	end_comparing(queue);
	queue->size++;
	queue->unfinished++;
}

/* Entered. */
static void *take(weft_queue *queue)
{
	void *item;

	begin_comparing(queue);
	item = weft__store_take(&queue->store);
	end_comparing(queue);
	queue->size--;
	return item;
}

/* Entered. */
static void *end_put(struct weft__wait *putter)
{
	weft__wait_end(putter, 0);
	return putter->item;
}

/* Entered. */
static void say_whether_ready(weft_queue *queue)
{
	weft__object_set(&queue->object,
			 queue->size > 0 || queue->closed || !weft__list_empty(&queue->putters));
}

/* That there is something to see. Entered. */
static void tell_peekers(weft_queue *queue, void *item)
{
	struct weft__wait *peeker;

	while ((peeker = weft__wait_first(&queue->peekers)) != NULL) {
		peeker->item = item;
		weft__wait_end(peeker, 0);
	}
}

/* 1, or 0: it would have to wait, or an error. Entered. */
static int try_put(weft_queue *queue, void *item)
{
	struct weft__wait *getter = weft__wait_first(&queue->getters);
	int err;

	if (queue->closed)
		return -EPIPE;
	if (getter != NULL) {
		queue->unfinished++;
		getter->item = item;
		weft__wait_end(getter, 0);
		return 1;
	}
	if (queue->size >= queue->capacity)
		return 0;
	err = weft__store_reserve(&queue->store);
	if (err != 0)
		return err;
	keep(queue, item);
	say_whether_ready(queue);
	if (weft__unlikely(!weft__list_empty(&queue->peekers)))
		tell_peekers(queue, weft__store_first(&queue->store));
	return 1;
}

/* Entered. */
static int wait_to_put(weft_queue *queue, void *item, int64_t deadline_ns)
{
	bool is_channel = queue->capacity == 0;
	struct weft__wait wait;
	int err = weft__wait_begin(&queue->putters, &wait, deadline_ns);

	if (err != 0)
		return err;
	wait.item = item;
	if (is_channel) {
		weft__object_set(&queue->object, true);
		tell_peekers(queue, item);
	}
	err = weft__wait_rest(&wait);
	/*
	 * It was in the list until now. What something was raised in is not, and the queue may be gone:
	 * then the next who gets nothing says that it is not ready.
	 */
	if (is_channel && !wait.over)
		say_whether_ready(queue);
	return err;
}

int weft_queue_put(weft_queue *queue, void *item, int64_t deadline_ns)
{
	int done = enter_queue(queue, deadline_ns);

	if (done != 0)
		return done;
	done = try_put(queue, item);
	if (done != 0) {
		leave_queue(queue);
		return done < 0 ? done : 0;
	}
	end_order(queue);
	done = wait_to_put(queue, item, deadline_ns);
	weft__leave();
	return done;
}

/* 1, or 0: it would have to wait. Entered. */
static int try_get(weft_queue *queue, void **ret_item)
{
	struct weft__wait *putter;
	int done = 1;

	if (queue->size > 0) {
		*ret_item = take(queue);
		putter = weft__wait_first(&queue->putters);
		if (putter != NULL)
			keep(queue, end_put(putter));
	} else if ((putter = weft__wait_first(&queue->putters)) != NULL) {
		*ret_item = end_put(putter);
		queue->unfinished++;
	} else {
		done = 0;
	}
	say_whether_ready(queue);
	return done;
}

/* The same, without taking it. */
static int try_peek(weft_queue *queue, void **ret_item)
{
	struct weft__wait *putter = weft__wait_first(&queue->putters);

	if (queue->size > 0)
		*ret_item = weft__store_first(&queue->store);
	else if (putter != NULL)
		*ret_item = putter->item;
	else
		return 0;
	return 1;
}

/* 0, or CLOSED, or an error. */
static int get_by(weft_queue *queue, int (*try)(weft_queue *queue, void **ret_item),
		  struct weft__link *waiters, int64_t deadline_ns, void **ret_item)
{
	struct weft__wait wait;
	int result = enter_queue(queue, deadline_ns);

	if (result != 0)
		return result;
	if (try(queue, &wait.item) != 0) {
		leave_queue(queue);
	} else if (queue->closed) {
		leave_queue(queue);
		return CLOSED;
	} else {
		end_order(queue);
		result = weft__wait_in(waiters, &wait, deadline_ns);
		weft__leave();
	}
	if (result == 0)
		*ret_item = wait.item;
	return result;
}

int weft_queue_get(weft_queue *queue, int64_t deadline_ns, void **ret_item)
{
	int result;

	if (queue == NULL || ret_item == NULL)
		return -EINVAL;
	result = get_by(queue, try_get, &queue->getters, deadline_ns, ret_item);
	return result == CLOSED ? -EPIPE : result;
}

int weft_queue_next(weft_queue *queue, int64_t deadline_ns, void **ret_item)
{
	int result;

	if (queue == NULL || ret_item == NULL)
		return -EINVAL;
	result = get_by(queue, try_get, &queue->getters, deadline_ns, ret_item);
	if (result < 0)
		return result;
	return result == CLOSED ? 0 : 1;
}

int weft_queue_peek(weft_queue *queue, int64_t deadline_ns, void **ret_item)
{
	int result;

	if (queue == NULL || ret_item == NULL)
		return -EINVAL;
	result = get_by(queue, try_peek, &queue->peekers, deadline_ns, ret_item);
	return result == CLOSED ? -EPIPE : result;
}

int weft_queue_close(weft_queue *queue)
{
	int err = enter_queue(queue, 0);

	if (err != 0)
		return err;
	queue->closed = true;
	weft__wait_end_all(&queue->putters, -EPIPE);
	weft__wait_end_all(&queue->getters, CLOSED);
	weft__wait_end_all(&queue->peekers, CLOSED);
	say_whether_ready(queue);
	leave_queue(queue);
	return 0;
}
