/* See timer.h. */
#include "timer.h"

#include <time.h>

#include "raw.h"

/* Join two heaps: the later root becomes the first child of the sooner one. Either may be NULL. */
static struct weft__timer *meld(struct weft__timer *a, struct weft__timer *b)
{
	if (a == NULL)
		return b;
	if (b == NULL)
		return a;
	if (b->deadline_ns < a->deadline_ns) {
		struct weft__timer *swap = a;

		a = b;
		b = swap;
	}
	b->prev = a;
	b->next = a->child;
	if (a->child != NULL)
		a->child->prev = b;
	a->child = b;
	return a;
}

/* Join a row of siblings into one heap: in pairs from the left, then the pairs from the right. */
static struct weft__timer *meld_row(struct weft__timer *row)
{
	struct weft__timer *pairs = NULL, *whole = NULL;

	while (row != NULL) {
		struct weft__timer *a = row, *b = row->next, *pair;

		row = b == NULL ? NULL : b->next;
		a->next = a->prev = NULL;
		if (b != NULL)
			b->next = b->prev = NULL;
		pair = meld(a, b);
		pair->next = pairs;
		pairs = pair;
	}
	while (pairs != NULL) {
		struct weft__timer *rest = pairs->next;

		pairs->next = NULL;
		whole = meld(whole, pairs);
		pairs = rest;
	}
	return whole;
}

/* Its record may be freed while somebody looks without the lock, so the deadline stands here too. */
static void set_first(struct weft__timers *timers, struct weft__timer *first)
{
	timers->first = first;
	__atomic_store_n(&timers->soonest_ns, first == NULL ? 0 : first->deadline_ns,
			 __ATOMIC_RELAXED);
}

void weft__timer_arm(struct weft__timers *timers, struct weft__timer *timer, uint64_t deadline_ns)
{
	weft__check(timer->armed == NULL);
	timer->deadline_ns = deadline_ns;
	timer->child = timer->next = timer->prev = NULL;
	timer->armed = timers;
	set_first(timers, meld(timers->first, timer));
}

void weft__timer_disarm(struct weft__timer *timer)
{
	struct weft__timers *timers = timer->armed;

	if (timers == NULL)
		return;
	timer->armed = NULL;
	if (timer == timers->first) {
		set_first(timers, meld_row(timer->child));
		return;
	}
	if (timer->prev->child == timer)
		timer->prev->child = timer->next;
	else
		timer->prev->next = timer->next;
	if (timer->next != NULL)
		timer->next->prev = timer->prev;
	meld(timers->first, meld_row(timer->child)); /* none is sooner than the first */
}

uint64_t weft__now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}
