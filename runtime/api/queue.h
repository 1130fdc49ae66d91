/* What a queue is made of (queue.c, queue_look.c). */
#ifndef WEFT_QUEUE_INNER_H
#define WEFT_QUEUE_INNER_H

#include "api/store.h"
#include "native.h"

struct weft_queue {
	struct weft_object object; /* ready: a get would not wait */
	struct weft__store store;
	size_t size, capacity;
	size_t unfinished; /* put, and not task_done() */
	bool closed;
	bool comparing;        /* entered by nobody, but in the store */
	pthread_mutex_t order; /* of a queue by rank in a patched program */
	struct weft__link putters, getters, peekers, joiners;
};

/** End all waits in a list. Entered. */
static inline void weft__wait_end_all(struct weft__link *waiters, int result)
{
	while (!weft__list_empty(waiters))
		weft__wait_end(weft__wait_first(waiters), result);
}

#endif
