/* See store.h. It only ever grows: a queue is as long again soon. */
#include "store.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_ROOM ((size_t)8)

static size_t element_bytes(const struct weft__store *store)
{
	return store->compare == NULL ? sizeof(*store->ring) : sizeof(*store->heap);
}

/* The part of a full ring that is before its first one goes behind the rest. */
static void unwrap(struct weft__store *store, size_t old_room)
{
	for (size_t i = 0; i < store->first; i++)
		store->ring[old_room + i] = store->ring[i];
}

int weft__store_reserve(struct weft__store *store)
{
	size_t old_room = store->room, room = old_room == 0 ? FIRST_ROOM : 2 * old_room;
	void *larger;

	if (store->count < old_room)
		return 0;
	larger = reallocarray(store->ring, room, element_bytes(store));
	if (larger == NULL)
		return -ENOMEM;
	store->ring = larger; /* or the heap */
	store->room = room;
	if (store->compare == NULL)
		unwrap(store, old_room);
	return 0;
}

static void **place_in_ring(const struct weft__store *store, size_t i)
{
	return &store->ring[(store->first + i) & (store->room - 1)];
}

static bool comes_before(const struct weft__store *store, const struct weft__ranked *a,
			 const struct weft__ranked *b)
{
	int order = store->compare(a->item, b->item);

	return order != 0 ? order < 0 : a->arrival < b->arrival;
}

/* Put one where it or one above it is to be. */
static void sift_up(struct weft__store *store, size_t i, struct weft__ranked one)
{
	while (i > 0 && comes_before(store, &one, &store->heap[(i - 1) / 2])) {
		store->heap[i] = store->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	store->heap[i] = one;
}

/* Fill the first place with one. */
static void sift_down(struct weft__store *store, struct weft__ranked one)
{
	size_t i = 0, child;

	while ((child = 2 * i + 1) < store->count) {
		if (child + 1 < store->count &&
		    comes_before(store, &store->heap[child + 1], &store->heap[child]))
			child++;
		if (!comes_before(store, &store->heap[child], &one))
			break;
		store->heap[i] = store->heap[child];
		i = child;
	}
	store->heap[i] = one;
}

void weft__store_put(struct weft__store *store, void *item)
{
	size_t last = store->count++;

	if (store->compare == NULL)
		*place_in_ring(store, last) = item;
	else
		sift_up(store, last, (struct weft__ranked){item, store->arrivals++});
}

static void *take_ranked(struct weft__store *store)
{
	void *item = store->heap[0].item;

	if (--store->count > 0)
		sift_down(store, store->heap[store->count]);
	return item;
}

void *weft__store_take(struct weft__store *store)
{
	void *item;

	if (store->compare != NULL)
		return take_ranked(store);
	item = weft__store_first(store);
	store->count--;
	if (!store->last_in_first_out)
		store->first = (store->first + 1) & (store->room - 1);
	return item;
}

void *weft__store_first(const struct weft__store *store)
{
	if (store->compare != NULL)
		return store->heap[0].item;
	return *place_in_ring(store, store->last_in_first_out ? store->count - 1 : 0);
}

void weft__store_free(struct weft__store *store)
{
	free(store->ring);
}
