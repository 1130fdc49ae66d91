/* <weft/queue.h>: what is particular to queues; see api_waits.c. */
#include <errno.h>
#include <string.h>

#include "unit.h"

static void must(int err)
{
	cr_assert_eq(err, 0, "%s", strerror(-err));
}

/* Items are numbers here, from 0. */
static void *item_of(uintptr_t number)
{
	return (void *)number;
}

static void put(weft_queue *queue, uintptr_t number)
{
	must(weft_queue_put(queue, item_of(number), 0));
}

static uintptr_t get(weft_queue *queue)
{
	void *item = NULL;

	must(weft_queue_get(queue, 0, &item));
	return (uintptr_t)item;
}

static int compare_tens(const void *a, const void *b)
{
	uintptr_t first = (uintptr_t)a / 10, second = (uintptr_t)b / 10;

	return first < second ? -1 : first > second;
}

/* A task that puts or gets one. */
struct caller {
	weft_queue *queue;
	void *item;
	weft_task *task;
	int result;
};

static void put_one(void *arg)
{
	struct caller *caller = arg;

	caller->result = weft_queue_put(caller->queue, caller->item, WEFT_FOREVER);
}

static void get_one(void *arg)
{
	struct caller *caller = arg;

	caller->result = weft_queue_get(caller->queue, WEFT_FOREVER, &caller->item);
}

static void get_next(void *arg)
{
	struct caller *caller = arg;

	caller->result = weft_queue_next(caller->queue, WEFT_FOREVER, &caller->item);
}

static void peek_one(void *arg)
{
	struct caller *caller = arg;

	caller->result = weft_queue_peek(caller->queue, WEFT_FOREVER, &caller->item);
}

static void join_queue(void *arg)
{
	struct caller *caller = arg;

	caller->result = weft_queue_join(caller->queue, WEFT_FOREVER);
}

static void start(struct caller *caller, weft_queue *queue, void (*entry)(void *caller),
		  uintptr_t number)
{
	*caller = (struct caller){.queue = queue, .item = item_of(number), .result = 5};
	caller->task = spawn(entry, caller);
	until_waits(caller->task);
}

static void end(struct caller *caller, int result, uintptr_t number)
{
	join(caller->task);
	cr_assert_eq(caller->result, result, "%d", caller->result);
	cr_assert_eq(caller->item, item_of(number));
}

BothWays(api_queue, what_comes_first_depends_on_the_kind)
{
	static const uintptr_t fifo[] = {31, 10, 32, 20, 11}, lifo[] = {11, 20, 32, 10, 31},
			       ranked[] = {10, 11, 20, 31, 32};
	static const uintptr_t *orders[] = {fifo, lifo, ranked};
	weft_queue *queues[3];

	must(weft_queue_new(&queues[0], 0));
	must(weft_queue_new_lifo(&queues[1], 0));
	must(weft_queue_new_priority(&queues[2], 0, compare_tens));
	for (size_t i = 0; i < COUNT(queues); i++) {
		for (size_t j = 0; j < COUNT(fifo); j++)
			put(queues[i], fifo[j]);
		for (size_t j = 0; j < COUNT(fifo); j++) {
			void *first;

			must(weft_queue_peek(queues[i], 0, &first));
			cr_assert_eq(first, item_of(orders[i][j]));
			cr_assert_eq(get(queues[i]), orders[i][j]);
		}
		must(weft_queue_free(queues[i]));
	}
}

/* Grown in the middle of the ring, and from both ends. */
BothWays(api_queue, a_queue_without_a_capacity_grows)
{
	uintptr_t in = 0, out = 0;
	weft_queue *queue;

	must(weft_queue_new(&queue, 0));
	for (unsigned int round = 1; round < 200; round++) {
		for (unsigned int i = 0; i < 2 * round; i++)
			put(queue, in++);
		for (unsigned int i = 0; i < round; i++)
			cr_assert_eq(get(queue), out++);
		cr_assert(!weft_queue_is_full(queue));
	}
	cr_assert_eq(weft_queue_size(queue), in - out);
	while (out < in)
		cr_assert_eq(get(queue), out++);
	cr_assert(weft_queue_is_empty(queue));
	must(weft_queue_free(queue));
}

static int compare_numbers(const void *a, const void *b)
{
	return (uintptr_t)a < (uintptr_t)b ? -1 : (uintptr_t)a > (uintptr_t)b;
}

/* Against the smallest of what is in it, kept as flags. */
BothWays(api_queue, the_first_by_rank_is_always_the_smallest)
{
	bool in[1024] = {false};
	unsigned int state = 1, smallest;
	weft_queue *queue;

	must(weft_queue_new_priority(&queue, 0, compare_numbers));
	for (unsigned int round = 0; round < 5000; round++) {
		state = state * 1103515245 + 12345;
		if ((state >> 20) % 3 != 0 && !in[(state >> 8) % COUNT(in)]) {
			in[(state >> 8) % COUNT(in)] = true;
			put(queue, (state >> 8) % COUNT(in));
		} else if (!weft_queue_is_empty(queue)) {
			for (smallest = 0; !in[smallest]; smallest++)
				;
			cr_assert_eq(get(queue), smallest);
			in[smallest] = false;
		}
	}
	must(weft_queue_free(queue));
}

BothWays(api_queue, a_capacity_is_kept_and_those_who_wait_put_in_order)
{
	struct caller callers[3];
	weft_queue *queue;

	must(weft_queue_new(&queue, 2));
	cr_assert(weft_queue_is_empty(queue));
	put(queue, 0);
	cr_assert(!weft_queue_is_full(queue) && !weft_queue_is_empty(queue));
	put(queue, 1);
	cr_assert(weft_queue_is_full(queue));
	cr_assert_eq(weft_queue_put(queue, NULL, 0), -ETIMEDOUT);
	for (unsigned int i = 0; i < COUNT(callers); i++)
		start(&callers[i], queue, put_one, 2 + i);

	for (uintptr_t i = 0; i < 5; i++) {
		cr_assert_eq(weft_queue_size(queue), i < 4 ? 2 : 1);
		cr_assert_eq(get(queue), i);
	}
	for (unsigned int i = 0; i < COUNT(callers); i++)
		end(&callers[i], 0, 2 + i);
	must(weft_queue_free(queue));
}

BothWays(api_queue, items_are_handed_to_those_who_wait_in_order)
{
	struct caller callers[3];
	weft_queue *queue;
	void *item;

	must(weft_queue_new(&queue, 0));
	for (unsigned int i = 0; i < COUNT(callers); i++)
		start(&callers[i], queue, get_one, 99);

	for (unsigned int i = 0; i < COUNT(callers); i++) {
		put(queue, i);
		/* It is not there for who comes later. */
		cr_assert_eq(weft_queue_size(queue), 0);
		cr_assert_eq(weft_queue_get(queue, 0, &item), -ETIMEDOUT);
	}
	for (unsigned int i = 0; i < COUNT(callers); i++)
		end(&callers[i], 0, i);
	must(weft_queue_free(queue));
}

BothWays(api_queue, a_channel_hands_over_and_keeps_nothing)
{
	struct caller putters[2], getter;
	weft_queue *channel;
	void *item = NULL;

	must(weft_queue_new_channel(&channel));
	cr_assert(weft_queue_is_empty(channel) && weft_queue_is_full(channel));
	cr_assert_eq(weft_queue_put(channel, NULL, 0), -ETIMEDOUT);
	start(&putters[0], channel, put_one, 1);
	start(&putters[1], channel, put_one, 2);
	cr_assert_eq(weft_queue_size(channel), 0);
	must(weft_queue_peek(channel, 0, &item));
	cr_assert_eq(item, item_of(1));
	cr_assert_eq(get(channel), 1);
	end(&putters[0], 0, 1);
	cr_assert(!weft_ended(putters[1].task));
	cr_assert_eq(get(channel), 2);
	end(&putters[1], 0, 2);

	start(&getter, channel, get_one, 99);
	put(channel, 3);
	end(&getter, 0, 3);
	must(weft_queue_free(channel));
}

BothWays(api_queue, after_close_what_is_left_is_got_and_no_more)
{
	static int (*const makers[])(weft_queue * *ret_queue,
				     size_t capacity) = {weft_queue_new, weft_queue_new_lifo};

	for (size_t i = 0; i < COUNT(makers); i++) {
		struct caller putter;
		weft_queue *queue;
		void *item = item_of(99);

		must(makers[i](&queue, 1));
		put(queue, 0);
		start(&putter, queue, put_one, 1);
		cr_assert(!weft_queue_is_closed(queue));
		must(weft_queue_close(queue));
		must(weft_queue_close(queue));
		cr_assert(weft_queue_is_closed(queue));
		end(&putter, -EPIPE, 1);

		cr_assert_eq(weft_queue_put(queue, NULL, WEFT_FOREVER), -EPIPE);
		cr_assert_eq(weft_queue_next(queue, WEFT_FOREVER, &item), 1);
		cr_assert_eq(item, NULL);
		item = item_of(99);
		cr_assert_eq(weft_queue_get(queue, WEFT_FOREVER, &item), -EPIPE);
		cr_assert_eq(weft_queue_peek(queue, WEFT_FOREVER, &item), -EPIPE);
		cr_assert_eq(weft_queue_next(queue, WEFT_FOREVER, &item), 0);
		cr_assert_eq(item, item_of(99));
		must(weft_queue_free(queue));
	}
}

BothWays(api_queue, close_ends_the_waits_of_all)
{
	struct caller getter, peeker, last, putter;
	weft_queue *queue, *channel;

	must(weft_queue_new(&queue, 0));
	must(weft_queue_new_channel(&channel));
	start(&getter, queue, get_one, 99);
	start(&peeker, queue, peek_one, 99);
	start(&last, queue, get_next, 99);
	start(&putter, channel, put_one, 1);
	must(weft_queue_close(queue));
	must(weft_queue_close(channel));

	end(&getter, -EPIPE, 99);
	end(&peeker, -EPIPE, 99);
	end(&last, 0, 99);
	end(&putter, -EPIPE, 1);
	must(weft_queue_free(queue));
	must(weft_queue_free(channel));
}

static void get_all(void *arg)
{
	struct caller *caller = arg;
	uintptr_t expected = 0;
	int result;

	while ((result = weft_queue_next(caller->queue, WEFT_FOREVER, &caller->item)) == 1) {
		if (caller->item != item_of(expected++))
			result = -EBADMSG;
		weft_queue_task_done(caller->queue);
	}
	caller->result = result;
}

BothWays(api_queue, next_gives_all_until_the_queue_is_closed)
{
	struct caller caller;
	weft_queue *queue;

	must(weft_queue_new(&queue, 3));
	start(&caller, queue, get_all, 99);
	for (uintptr_t i = 0; i < 100; i++)
		must(weft_queue_put(queue, item_of(i), WEFT_FOREVER));
	must(weft_queue_join(queue, WEFT_FOREVER));
	must(weft_queue_close(queue));

	end(&caller, 0, 99);
	must(weft_queue_free(queue));
}

BothWays(api_queue, join_waits_until_all_is_done)
{
	struct caller joiners[2], putter, getter;
	weft_queue *queue;

	must(weft_queue_new(&queue, 1));
	must(weft_queue_join(queue, 0));
	cr_assert_eq(weft_queue_task_done(queue), -EOVERFLOW);
	start(&getter, queue, get_one, 99);
	put(queue, 0); /* handed over */
	put(queue, 1); /* kept */
	start(&putter, queue, put_one, 2);
	cr_assert_eq(weft_queue_unfinished(queue), 2); /* the third waits outside */
	cr_assert_eq(get(queue), 1);
	cr_assert_eq(get(queue), 2);
	cr_assert_eq(weft_queue_unfinished(queue), 3);
	start(&joiners[0], queue, join_queue, 0);
	start(&joiners[1], queue, join_queue, 0);

	must(weft_queue_task_done(queue));
	must(weft_queue_task_done(queue));
	cr_assert_eq(weft_queue_join(queue, 0), -ETIMEDOUT);
	cr_assert_eq(weft_queue_free(queue), -EBUSY);
	must(weft_queue_task_done(queue));
	end(&joiners[0], 0, 0);
	end(&joiners[1], 0, 0);
	end(&getter, 0, 0);
	end(&putter, 0, 2);
	cr_assert_eq(weft_queue_task_done(queue), -EOVERFLOW);
	must(weft_queue_free(queue));
}

BothWays(api_queue, who_peeks_leaves_it_for_who_gets)
{
	struct caller peekers[2];
	weft_queue *queue;

	must(weft_queue_new(&queue, 0));
	start(&peekers[0], queue, peek_one, 99);
	start(&peekers[1], queue, peek_one, 99);
	put(queue, 7);

	end(&peekers[0], 0, 7);
	end(&peekers[1], 0, 7);
	cr_assert_eq(get(queue), 7);
	must(weft_queue_free(queue));
}

BothWays(api_queue, who_puts_into_a_channel_is_seen_by_who_peeks)
{
	struct caller peeker, putter;
	weft_queue *channel;

	must(weft_queue_new_channel(&channel));
	start(&peeker, channel, peek_one, 99);
	start(&putter, channel, put_one, 7);

	end(&peeker, 0, 7);
	cr_assert_eq(get(channel), 7);
	end(&putter, 0, 7);
	must(weft_queue_free(channel));
}

static bool is_ready(weft_queue *queue)
{
	weft_object *one[] = {weft_object(queue)};
	int n = weft_wait(one, 1, 1, 0, NULL);

	cr_assert(n == 1 || n == -ETIMEDOUT);
	return n == 1;
}

static void watch(void *arg)
{
	struct caller *caller = arg;
	weft_object *one[] = {weft_object(caller->queue)};

	caller->result = weft_wait(one, 1, 1, WEFT_FOREVER, NULL);
}

BothWays(api_queue, a_queue_is_ready_when_a_get_would_not_wait)
{
	struct caller watcher;
	weft_queue *queue;

	must(weft_queue_new(&queue, 0));
	cr_assert(!is_ready(queue));
	start(&watcher, queue, watch, 0);
	cr_assert_eq(weft_queue_free(queue), -EBUSY);
	put(queue, 1);
	end(&watcher, 1, 0);
	put(queue, 2);
	get(queue);
	cr_assert(is_ready(queue));
	get(queue);
	cr_assert(!is_ready(queue));
	must(weft_queue_close(queue));
	cr_assert(is_ready(queue));
	must(weft_queue_free(queue));
}

static void put_for_a_while(void *arg)
{
	struct caller *caller = arg;

	caller->result = weft_queue_put(caller->queue, caller->item, weft_after(2 * WEFT_MS));
}

BothWays(api_queue, a_channel_is_ready_when_somebody_waits_to_put)
{
	struct caller putter, watcher;
	weft_queue *channel;

	must(weft_queue_new_channel(&channel));
	start(&watcher, channel, watch, 0);
	start(&putter, channel, put_one, 1);
	end(&watcher, 1, 0);
	cr_assert(is_ready(channel));
	get(channel);
	cr_assert(!is_ready(channel));
	end(&putter, 0, 1);

	putter = (struct caller){.queue = channel};
	putter.task = spawn(put_for_a_while, &putter);
	end(&putter, -ETIMEDOUT, 0);
	cr_assert(!is_ready(channel));
	must(weft_queue_free(channel));
}

static weft_queue *compared;
static int result_in_compare;

static int compare_and_put(const void *a, const void *b)
{
	result_in_compare = weft_queue_put(compared, NULL, WEFT_FOREVER);
	return compare_numbers(a, b);
}

BothWays(api_queue, what_compares_cannot_use_the_queue)
{
	must(weft_queue_new_priority(&compared, 0, compare_and_put));
	put(compared, 2);
	put(compared, 1);

	cr_assert_eq(result_in_compare, -EDEADLK);
	cr_assert_eq(weft_queue_size(compared), 2);
	cr_assert_eq(get(compared), 1);
	must(weft_queue_free(compared));
}

static int compare_and_use_others(const void *a, const void *b)
{
	weft_queue_put(compared, NULL, 0);
	return compare_numbers(a, b);
}

BothWays(api_queue, what_compares_can_use_other_queues)
{
	weft_queue *queue;

	must(weft_queue_new(&compared, 0));
	must(weft_queue_new_priority(&queue, 0, compare_and_use_others));
	put(queue, 2);
	put(queue, 1);

	cr_assert_eq(weft_queue_size(compared), 1);
	must(weft_queue_free(queue));
	must(weft_queue_free(compared));
}

TaskTest(api_queue, a_put_without_room_in_memory_says_so_and_loses_nothing)
{
	struct rlimit limit;
	weft_queue *queue;
	uintptr_t in = 0;
	int err;

	if (UNDER_SANITIZER)
		cr_skip_test("a sanitizer needs its address space");
	must(weft_queue_new(&queue, 0));

	limit_memory(65536, &limit);
	while ((err = weft_queue_put(queue, item_of(in), WEFT_FOREVER)) == 0)
		in++;
	setrlimit(RLIMIT_AS, &limit);
	cr_assert_eq(err, -ENOMEM);
	cr_assert_eq(weft_queue_size(queue), in);
	cr_assert_eq(weft_queue_unfinished(queue), in);

	put(queue, in);
	for (uintptr_t i = 0; i <= in; i++)
		cr_assert_eq(get(queue), i);
	must(weft_queue_free(queue));
}

BothWays(api_queue, nothing_is_no_queue)
{
	weft_queue *queue;
	void *item;

	cr_assert_eq(weft_queue_new(NULL, 1), -EINVAL);
	cr_assert_eq(weft_queue_new_lifo(NULL, 1), -EINVAL);
	cr_assert_eq(weft_queue_new_priority(NULL, 1, compare_numbers), -EINVAL);
	cr_assert_eq(weft_queue_new_priority(&queue, 1, NULL), -EINVAL);
	cr_assert_eq(weft_queue_new_channel(NULL), -EINVAL);
	cr_assert_eq(weft_queue_close(NULL), -EINVAL);
	cr_assert_eq(weft_queue_task_done(NULL), -EINVAL);
	cr_assert(!weft_queue_is_closed(NULL));
	cr_assert_eq(weft_queue_size(NULL), 0);
	cr_assert(weft_queue_is_empty(NULL));
	cr_assert(!weft_queue_is_full(NULL));
	cr_assert_eq(weft_queue_unfinished(NULL), 0);
	must(weft_queue_free(NULL));
	must(weft_queue_new(&queue, 0));
	put(queue, 1);
	cr_assert_eq(weft_queue_get(queue, 0, NULL), -EINVAL);
	cr_assert_eq(weft_queue_next(queue, 0, NULL), -EINVAL);
	cr_assert_eq(weft_queue_peek(queue, 0, NULL), -EINVAL);
	cr_assert_eq(weft_queue_get(NULL, 0, &item), -EINVAL);
	must(weft_queue_free(queue));
}

static int results_outside[5];

static void use_outside(void *queue)
{
	void *item;

	results_outside[0] = weft_queue_put(queue, NULL, 0);
	results_outside[1] = weft_queue_get(queue, 0, &item);
	results_outside[2] = weft_queue_peek(queue, 0, &item);
	results_outside[3] = weft_queue_close(queue);
	results_outside[4] = weft_queue_task_done(queue);
}

TaskTest(api_queue, a_thread_without_tasks_is_refused)
{
	weft_queue *queue;

	must(weft_queue_new_priority(&queue, 0, compare_numbers));
	put(queue, 1);
	on_foreign_thread(use_outside, queue);

	for (size_t i = 0; i < COUNT(results_outside); i++)
		cr_assert_eq(results_outside[i], -EPERM);
	cr_assert_eq(get(queue), 1);
	must(weft_queue_free(queue));
}

#define PUTTERS 4
#define GETTERS 4
#define ITEMS 400

/* Each item is in one place: with who could not put it, or who has got it. */
struct crowd {
	weft_queue *queue;
	unsigned char got[PUTTERS * ITEMS], kept[PUTTERS * ITEMS];
	unsigned int putters, getters; /* that have begun */
};

static void put_many(void *arg)
{
	struct crowd *crowd = arg;
	uintptr_t first = ITEMS * __atomic_fetch_add(&crowd->putters, 1, __ATOMIC_RELAXED);

	for (uintptr_t i = first; i < first + ITEMS; i++)
		if (weft_queue_put(crowd->queue, item_of(i),
				   i % 5 == 0 ? weft_after(50 * WEFT_US) : WEFT_FOREVER) != 0)
			crowd->kept[i]++;
}

static void get_many(void *arg)
{
	struct crowd *crowd = arg;
	void *item;
	int result;

	__atomic_add_fetch(&crowd->getters, 1, __ATOMIC_RELAXED);
	while ((result = weft_queue_next(crowd->queue, WEFT_FOREVER, &item)) != 0)
		if (result == 1)
			__atomic_add_fetch(&crowd->got[(uintptr_t)item], 1, __ATOMIC_RELAXED);
}

static void pass_many(weft_queue *queue)
{
	static struct crowd crowd;
	weft_task *tasks[PUTTERS + GETTERS];
	unsigned int turn = 0, left;

	memset(&crowd, 0, sizeof(crowd));
	crowd.queue = queue;
	for (size_t i = 0; i < COUNT(tasks); i++)
		tasks[i] = spawn(i < PUTTERS ? put_many : get_many, &crowd);
	/* What is raised in one that has not begun keeps it from that. */
	while (__atomic_load_n(&crowd.putters, __ATOMIC_RELAXED) < PUTTERS ||
	       __atomic_load_n(&crowd.getters, __ATOMIC_RELAXED) < GETTERS)
		weft_yield();
	do {
		left = 0;
		weft_raise(tasks[turn++ % COUNT(tasks)], -EPROTO);
		weft_yield();
		for (size_t i = 0; i < PUTTERS; i++)
			left += !weft_ended(tasks[i]);
	} while (left != 0);
	must(weft_queue_close(queue));
	for (size_t i = 0; i < COUNT(tasks); i++)
		join(tasks[i]);

	for (size_t i = 0; i < COUNT(crowd.got); i++)
		cr_assert_eq(crowd.got[i] + crowd.kept[i], 1, "%zu: got %d, kept %d", i,
			     crowd.got[i], crowd.kept[i]);
	cr_assert(weft_queue_is_empty(queue));
	must(weft_queue_free(queue));
}

BothWays(api_queue, no_item_is_lost_or_doubled_by_raises)
{
	weft_queue *queue;

	must(weft_queue_new(&queue, 2));
	pass_many(queue);
	must(weft_queue_new_lifo(&queue, 3));
	pass_many(queue);
	must(weft_queue_new_priority(&queue, 3, compare_numbers));
	pass_many(queue);
	must(weft_queue_new_channel(&queue));
	pass_many(queue);
}
