/* Where a queue keeps what is in it: first in first out, last in first out, or by rank. */
#ifndef WEFT_STORE_H
#define WEFT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Whether the first is to come before (negative), after (positive) or as (0) the second. */
typedef int weft__compare(const void *a, const void *b);

struct weft__ranked {
	void *item;
	uint64_t arrival; /* decides among equals */
};

struct weft__store {
	size_t count, room;
	union {
		void **ring;               /* room is a power of two */
		struct weft__ranked *heap; /* each comes before those at 2i + 1 and 2i + 2 */
	};
	size_t first;           /* of the ring */
	bool last_in_first_out; /* of the ring */
	weft__compare *compare; /* of the heap; NULL: it is a ring */
	uint64_t arrivals;
};

/**
 * Make room for one more.
 *
 * @return 0, or
 *   -ENOMEM
 */
int weft__store_reserve(struct weft__store *store);

/** Put an item in, for which there is room. */
void weft__store_put(struct weft__store *store, void *item);

/** Take out the item that comes first; there is one. */
void *weft__store_take(struct weft__store *store);

/** The same, but leave it in. */
void *weft__store_first(const struct weft__store *store);

void weft__store_free(struct weft__store *store);

#endif
