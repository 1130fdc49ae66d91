/* Injection (inject.h) into the waits of weft/queue.h. */
#include <errno.h>
#include <stdint.h>

#include "inject.h"

enum {
	GIVEN, /* a digit for each item: how often it was got */
	PUT,   /* how many */
	DONE,
	ODD, /* what must not happen */
	NEXT,
};

#define EACH 3

static void expect(struct stage *stage, bool well)
{
	if (!well)
		count_in(stage, ODD, 1);
}

static void make_bounded(struct stage *stage)
{
	weft_queue_new((weft_queue **)&stage->x, 1);
}

static void make_lifo(struct stage *stage)
{
	weft_queue_new_lifo((weft_queue **)&stage->x, 2);
}

static int compare(const void *a, const void *b)
{
	return ((uintptr_t)a > (uintptr_t)b) - ((uintptr_t)a < (uintptr_t)b);
}

static void make_priority(struct stage *stage)
{
	weft_queue_new_priority((weft_queue **)&stage->x, 1, compare);
}

static void make_channel(struct stage *stage)
{
	weft_queue_new_channel((weft_queue **)&stage->x);
}

/* Items are 1, 2, .. in the order in which they are put. */
static void *put_items(void *arg)
{
	struct stage *stage = arg;
	int err;

	for (int i = 0; i < EACH; i++) {
		intptr_t item = count_in(stage, NEXT, 1);

		do
			UNTIL_DONE(err, weft_queue_put(stage->x, (void *)item,
						       i == 1 ? weft_after(10 * WEFT_US)
							      : WEFT_FOREVER));
		while (i == 1 && err == -ETIMEDOUT);
		expect(stage, err == 0);
		count_in(stage, PUT, 1);
	}
	return NULL;
}

static void *get_items(void *arg)
{
	struct stage *stage = arg;
	void *item;
	int err;

	for (int i = 0;; i++) {
		UNTIL_DONE(err,
			   weft_queue_get(stage->x,
					  i == 1 ? weft_after(10 * WEFT_US) : WEFT_FOREVER, &item));
		if (err == -EPIPE)
			break;
		expect(stage, err == 0 || (i == 1 && err == -ETIMEDOUT));
		if (err != 0)
			continue;
		count_in(stage, GIVEN, 1 << (4 * ((intptr_t)item - 1)));
		weft_sleep(0);
		expect(stage, weft_queue_task_done(stage->x) == 0);
	}
	count_in(stage, DONE, 1);
	return NULL;
}

static void *join_queue(void *arg)
{
	struct stage *stage = arg;
	int err;

	UNTIL_DONE(err, weft_queue_join(stage->x, WEFT_FOREVER));
	expect(stage, err == 0);
	return NULL;
}

static void *peek_once(void *arg)
{
	struct stage *stage = arg;
	void *item;
	int err;

	UNTIL_DONE(err, weft_queue_peek(stage->x, WEFT_FOREVER, &item));
	expect(stage, err == 0 || err == -EPIPE);
	return NULL;
}

static void close_queue(struct stage *stage)
{
	expect(stage, weft_queue_close(stage->x) == 0);
}

static const char *check_queue(struct stage *stage)
{
	void *item;

	MUST(stage->counts[ODD] == 0);
	MUST(stage->counts[PUT] == 2 * EACH);
	MUST(stage->counts[GIVEN] == 0x111111);
	MUST(stage->counts[DONE] == 2);
	MUST(weft_queue_size(stage->x) == 0);
	MUST(weft_queue_unfinished(stage->x) == 0);
	MUST(weft_queue_get(stage->x, WEFT_FOREVER, &item) == -EPIPE);
	MUST(weft_queue_free(stage->x) == 0);
	return NULL;
}

#define InjectedQueue(name, make_it) \
	Injected(name, .make = make_it, \
		 .bodies = {put_items, put_items, join_queue, get_items, get_items, peek_once}, \
		 .leaders = 3, .close = close_queue, .check = check_queue)

InjectedQueue(bounded_queue, make_bounded) InjectedQueue(lifo_queue, make_lifo)
	InjectedQueue(priority_queue, make_priority) InjectedQueue(channel, make_channel)

	/* --- a queue that is closed while producers wait --- */

	static void *put_until_closed(void *arg)
{
	struct stage *stage = arg;
	int err;

	for (int i = 0; i < 2; i++) {
		UNTIL_DONE(err, weft_queue_put(stage->x, stage, WEFT_FOREVER));
		expect(stage, err == 0 || err == -EPIPE);
		if (err == 0)
			count_in(stage, PUT, 1);
	}
	return NULL;
}

static void *close_soon(void *arg)
{
	struct stage *stage = arg;

	weft_sleep(0);
	close_queue(stage);
	return NULL;
}

static const char *check_closed(struct stage *stage)
{
	void *item;

	MUST(stage->counts[ODD] == 0);
	while (weft_queue_get(stage->x, 0, &item) == 0)
		count_in(stage, GIVEN, 1);
	MUST(stage->counts[GIVEN] == stage->counts[PUT]);
	MUST(weft_queue_free(stage->x) == 0);
	return NULL;
}

Injected(closed_queue, .make = make_bounded,
	 .bodies = {put_until_closed, put_until_closed, close_soon, put_until_closed},
	 .check = check_closed)
