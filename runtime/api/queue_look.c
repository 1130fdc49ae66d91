/* See weft/queue.h: what a queue tells of itself, and items that are to be finished. */
#include "api/queue.h"

bool weft_queue_is_closed(const weft_queue *queue)
{
	bool closed;

	if (queue == NULL)
		return false;
	weft__enter();
	closed = queue->closed;
	weft__leave();
	return closed;
}

size_t weft_queue_size(const weft_queue *queue)
{
	size_t size;

	if (queue == NULL)
		return 0;
	weft__enter();
	size = queue->size;
	weft__leave();
	return size;
}

bool weft_queue_is_empty(const weft_queue *queue)
{
	return weft_queue_size(queue) == 0;
}

bool weft_queue_is_full(const weft_queue *queue)
{
	return queue != NULL && weft_queue_size(queue) >= queue->capacity;
}

int weft_queue_task_done(weft_queue *queue)
{
	int err = queue == NULL ? -EINVAL : weft__enter_here(0);

	if (err != 0)
		return err;
	if (queue->unfinished == 0)
		err = -EOVERFLOW;
	else if (--queue->unfinished == 0)
		weft__wait_end_all(&queue->joiners, 0);
	weft__leave();
	return err;
}

size_t weft_queue_unfinished(const weft_queue *queue)
{
	size_t unfinished;

	if (queue == NULL)
		return 0;
	weft__enter();
	unfinished = queue->unfinished;
	weft__leave();
	return unfinished;
}

int weft_queue_join(weft_queue *queue, int64_t deadline_ns)
{
	struct weft__wait wait;
	int err = queue == NULL ? -EINVAL : weft__enter_here(deadline_ns);

	if (err != 0)
		return err;
	if (queue->unfinished != 0)
		err = weft__wait_in(&queue->joiners, &wait, deadline_ns);
	weft__leave();
	return err;
}
