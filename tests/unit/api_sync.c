/* <weft/sync.h>: what is particular to events, results, latches and semaphores; see api_waits.c. */
#include <errno.h>
#include <string.h>

#include "unit.h"

static void must(int err)
{
	cr_assert_eq(err, 0, "%s", strerror(-err));
}

static char value, another;

/* A task that waits for something, and what came of it. */
struct waiter {
	void *x;
	weft_task *task;
	int result;
	unsigned int turn; /* when it went on */
};

static unsigned int turns;

static void go_on(struct waiter *waiter, int result)
{
	waiter->result = result;
	waiter->turn = __atomic_add_fetch(&turns, 1, __ATOMIC_RELAXED);
}

static void start(struct waiter *waiter, void *x, void (*wait)(void *waiter))
{
	*waiter = (struct waiter){.x = x, .result = 1};
	waiter->task = spawn(wait, waiter);
	until_waits(waiter->task);
}

static bool still_waits(struct waiter *waiter)
{
	yield(3);
	return !weft_ended(waiter->task);
}

static void wait_for_event(void *arg)
{
	struct waiter *waiter = arg;

	go_on(waiter, weft_event_wait(waiter->x, WEFT_FOREVER));
}

BothWays(api_sync, an_event_lets_all_go_on_until_it_is_cleared)
{
	struct waiter waiters[3], late;
	weft_event *event;

	must(weft_event_new(&event));
	cr_assert(!weft_event_is_set(event));
	for (size_t i = 0; i < COUNT(waiters); i++)
		start(&waiters[i], event, wait_for_event);

	must(weft_event_set(event));
	cr_assert(weft_event_is_set(event));
	must(weft_event_wait(event, 0));
	must(weft_event_clear(event));
	cr_assert(!weft_event_is_set(event));
	start(&late, event, wait_for_event);
	for (size_t i = 0; i < COUNT(waiters); i++) {
		join(waiters[i].task);
		cr_assert_eq(waiters[i].result, 0);
	}
	cr_assert(still_waits(&late));

	must(weft_event_set(event));
	join(late.task);
	must(weft_event_free(event));
}

BothWays(api_sync, events_results_and_latches_are_objects)
{
	weft_event *event;
	weft_result *result;
	weft_latch *latch;
	bool ready[3];

	must(weft_event_new(&event));
	must(weft_result_new(&result));
	must(weft_latch_new(&latch, 2));
	weft_object *all[] = {weft_object(event), weft_object(result), weft_object(latch)};

	cr_assert_eq(weft_wait(all, 3, 1, 0, NULL), -ETIMEDOUT);
	must(weft_result_set(result, &value));
	cr_assert_eq(weft_wait(all, 3, 1, WEFT_FOREVER, ready), 1);
	cr_assert(!ready[0] && ready[1] && !ready[2]);
	must(weft_event_set(event));
	must(weft_latch_count_down(latch, 1));
	cr_assert_eq(weft_wait(all, 3, 0, 0, NULL), -ETIMEDOUT);
	must(weft_latch_count_down(latch, 1));
	cr_assert_eq(weft_wait(all, 3, 0, 0, NULL), 3);

	must(weft_event_free(event));
	must(weft_result_free(result));
	must(weft_latch_free(latch));
}

static void watch_result(void *arg)
{
	struct waiter *waiter = arg;
	weft_object *one[] = {waiter->x};

	go_on(waiter, weft_wait(one, 1, 1, WEFT_FOREVER, NULL));
}

BothWays(api_sync, what_is_watched_cannot_be_freed)
{
	struct waiter waiter;
	weft_result *result;

	must(weft_result_new(&result));
	start(&waiter, result, watch_result);
	cr_assert_eq(weft_result_free(result), -EBUSY);
	must(weft_result_set(result, NULL));
	join(waiter.task);

	cr_assert_eq(waiter.result, 1);
	must(weft_result_free(result));
}

static void get_result(void *arg)
{
	struct waiter *waiter = arg;
	void *got = &another;
	int err = weft_result_get(waiter->x, WEFT_FOREVER, &got);

	go_on(waiter, err == 0 && got != &value ? -EBADMSG : err);
}

BothWays(api_sync, a_result_is_set_once_and_given_to_all)
{
	struct waiter waiters[3];
	weft_result *result;
	void *got = &another;

	must(weft_result_new(&result));
	cr_assert(!weft_result_is_ready(result));
	cr_assert_null(weft_result_value(result));
	cr_assert_eq(weft_result_error(result), -EINPROGRESS);
	for (size_t i = 0; i < COUNT(waiters); i++)
		start(&waiters[i], result, get_result);

	must(weft_result_set(result, &value));
	cr_assert_eq(weft_result_set(result, &another), -EALREADY);
	cr_assert_eq(weft_result_set_error(result, -EIO), -EALREADY);
	for (size_t i = 0; i < COUNT(waiters); i++) {
		join(waiters[i].task);
		cr_assert_eq(waiters[i].result, 0);
	}

	cr_assert(weft_result_is_ready(result));
	cr_assert_eq(weft_result_value(result), &value);
	cr_assert_eq(weft_result_error(result), 0);
	must(weft_result_get(result, 0, &got));
	cr_assert_eq(got, &value);
	must(weft_result_get(result, 0, NULL));
	must(weft_result_free(result));
}

BothWays(api_sync, the_error_of_a_result_is_what_get_gives)
{
	struct waiter waiter;
	weft_result *result;
	void *got = &another;

	must(weft_result_new(&result));
	start(&waiter, result, get_result);
	cr_assert_eq(weft_result_set_error(result, 0), -EINVAL);
	cr_assert_eq(weft_result_set_error(result, 5), -EINVAL);
	must(weft_result_set_error(result, -EINPROGRESS));
	join(waiter.task);

	cr_assert_eq(waiter.result, -EINPROGRESS);
	cr_assert_eq(weft_result_get(result, 0, &got), -EINPROGRESS);
	cr_assert_eq(got, &another);
	must(weft_result_wait(result, 0));
	cr_assert(weft_result_is_ready(result));
	cr_assert_null(weft_result_value(result));
	must(weft_result_free(result));
}

static void note_link(weft_result *result, void *text)
{
	cr_assert(weft_result_is_ready(result));
	note(text);
}

static void free_in_link(weft_result *result, void *ret_err)
{
	*(int *)ret_err = weft_result_free(result);
}

static void wait_in_link(weft_result *result, void *unused)
{
	(void)result;
	(void)unused;
	weft_sleep(WEFT_MS);
	note("waited ");
}

BothWays(api_sync, links_are_called_in_their_order)
{
	weft_result *result;
	char text_1[] = "1 ", text_2[] = "2 ", text_3[] = "3 ";

	must(weft_result_new(&result));
	must(weft_result_link(result, note_link, text_1));
	must(weft_result_link(result, wait_in_link, NULL));
	must(weft_result_link(result, note_link, text_2));
	must(weft_result_link(result, note_link, text_3));
	must(weft_result_unlink(result, note_link, text_2));
	cr_assert_eq(weft_result_unlink(result, note_link, text_2), -ENOENT);
	cr_assert_str_eq(noted(), "");
	must(weft_result_set(result, NULL));

	cr_assert_str_eq(noted(), "1 waited 3 ");
	cr_assert_eq(weft_result_unlink(result, note_link, text_1), -ENOENT);
	must(weft_result_free(result));
}

BothWays(api_sync, only_the_last_link_can_free_a_result)
{
	weft_result *result;
	int first = 1, last = 1;

	must(weft_result_new(&result));
	must(weft_result_link(result, free_in_link, &first));
	must(weft_result_link(result, free_in_link, &last));
	must(weft_result_set(result, NULL));

	cr_assert_eq(first, -EBUSY);
	cr_assert_eq(last, 0);
}

struct linking {
	weft_event *called;
	bool by_whom_linked;
	weft_task *linker;
};

static void say_called(weft_result *result, void *arg)
{
	struct linking *linking = arg;

	(void)result;
	linking->by_whom_linked = weft_self() == linking->linker;
	weft_event_set(linking->called);
}

/* Until then it cannot be freed. */
BothWays(api_sync, a_link_of_a_set_result_is_called_by_another_task)
{
	struct linking linking = {.linker = weft_self()};
	weft_result *result;

	must(weft_event_new(&linking.called));
	must(weft_result_new(&result));
	must(weft_result_set(result, NULL));
	must(weft_result_link(result, say_called, &linking));
	if (!on_threads) {
		cr_assert(!weft_event_is_set(linking.called));
		cr_assert_eq(weft_result_free(result), -EBUSY);
	}
	must(weft_event_wait(linking.called, WEFT_FOREVER));

	cr_assert(!linking.by_whom_linked);
	while (weft_result_free(result) == -EBUSY)
		weft_yield();
	must(weft_event_free(linking.called));
}

BothWays(api_sync, links_of_what_is_never_set_are_not_called)
{
	weft_result *result;
	char text[] = "called";

	must(weft_result_new(&result));
	must(weft_result_link(result, note_link, text));
	must(weft_result_free(result));

	cr_assert_str_eq(noted(), "");
}

BothWays(api_sync, a_latch_is_counted_down_to_zero_and_no_further)
{
	weft_latch *latch, *open;

	must(weft_latch_new(&open, 0));
	must(weft_latch_wait(open, 0));
	must(weft_latch_free(open));
	must(weft_latch_new(&latch, 5));

	must(weft_latch_count_down(latch, 0));
	must(weft_latch_count_down(latch, 3));
	cr_assert_eq(weft_latch_value(latch), 2);
	cr_assert_eq(weft_latch_count_down(latch, 3), -EOVERFLOW);
	cr_assert_eq(weft_latch_value(latch), 2);
	cr_assert_eq(weft_latch_wait(latch, 0), -ETIMEDOUT);
	must(weft_latch_count_down(latch, 2));
	must(weft_latch_wait(latch, 0));
	cr_assert_eq(weft_latch_count_down(latch, 1), -EOVERFLOW);
	must(weft_latch_free(latch));
}

static void acquire(void *arg)
{
	struct waiter *waiter = arg;

	go_on(waiter, weft_semaphore_acquire(waiter->x, WEFT_FOREVER));
}

BothWays(api_sync, units_are_handed_on_in_order)
{
	struct waiter waiters[4];
	weft_semaphore *semaphore;

	must(weft_semaphore_new(&semaphore, 0, 0));
	for (size_t i = 0; i < COUNT(waiters); i++)
		start(&waiters[i], semaphore, acquire);

	for (unsigned int i = 0; i < COUNT(waiters); i++) {
		must(weft_semaphore_release(semaphore));
		/* It is not there for who comes later. */
		cr_assert_eq(weft_semaphore_count(semaphore), 0);
		cr_assert_eq(weft_semaphore_acquire(semaphore, 0), -ETIMEDOUT);
		must(weft_join(waiters[i].task, WEFT_FOREVER));
		cr_assert_eq(waiters[i].turn, i + 1);
	}
	for (size_t i = 0; i < COUNT(waiters); i++)
		weft_release(waiters[i].task);
	must(weft_semaphore_free(semaphore));
}

BothWays(api_sync, a_bound_is_kept)
{
	weft_semaphore *semaphore = (weft_semaphore *)1;

	cr_assert_eq(weft_semaphore_new(&semaphore, 3, 2), -EINVAL);
	cr_assert_eq(semaphore, (weft_semaphore *)1);
	must(weft_semaphore_new(&semaphore, 1, 2));
	must(weft_semaphore_release(semaphore));
	cr_assert_eq(weft_semaphore_release(semaphore), -EOVERFLOW);
	cr_assert_eq(weft_semaphore_count(semaphore), 2);
	must(weft_semaphore_acquire(semaphore, 0));
	must(weft_semaphore_acquire(semaphore, 0));
	cr_assert_eq(weft_semaphore_acquire(semaphore, 0), -ETIMEDOUT);
	must(weft_semaphore_free(semaphore));
}

BothWays(api_sync, without_a_bound_there_is_none)
{
	weft_semaphore *semaphore;

	must(weft_semaphore_new(&semaphore, SIZE_MAX - 1, 0));
	must(weft_semaphore_release(semaphore));
	cr_assert_eq(weft_semaphore_release(semaphore), -EOVERFLOW);
	cr_assert_eq(weft_semaphore_count(semaphore), SIZE_MAX);
	must(weft_semaphore_free(semaphore));
}

BothWays(api_sync, nothing_is_no_event_result_latch_or_semaphore)
{
	cr_assert_eq(weft_event_new(NULL), -EINVAL);
	cr_assert_eq(weft_event_set(NULL), -EINVAL);
	cr_assert_eq(weft_event_clear(NULL), -EINVAL);
	cr_assert(!weft_event_is_set(NULL));
	must(weft_event_free(NULL));
	cr_assert_eq(weft_result_new(NULL), -EINVAL);
	cr_assert_eq(weft_result_set(NULL, NULL), -EINVAL);
	cr_assert_eq(weft_result_set_error(NULL, -EIO), -EINVAL);
	cr_assert_eq(weft_result_link(NULL, note_link, NULL), -EINVAL);
	cr_assert_eq(weft_result_unlink(NULL, note_link, NULL), -EINVAL);
	cr_assert_eq(weft_result_error(NULL), -EINVAL);
	cr_assert_null(weft_result_value(NULL));
	cr_assert(!weft_result_is_ready(NULL));
	must(weft_result_free(NULL));
	cr_assert_eq(weft_latch_new(NULL, 1), -EINVAL);
	cr_assert_eq(weft_latch_count_down(NULL, 1), -EINVAL);
	cr_assert_eq(weft_latch_value(NULL), 0);
	must(weft_latch_free(NULL));
	cr_assert_eq(weft_semaphore_new(NULL, 1, 1), -EINVAL);
	cr_assert_eq(weft_semaphore_release(NULL), -EINVAL);
	cr_assert_eq(weft_semaphore_count(NULL), 0);
	must(weft_semaphore_free(NULL));
}

struct outside {
	weft_event *event;
	weft_result *result;
	weft_latch *latch;
	weft_semaphore *semaphore;
	int results[8];
};

static void use_outside(void *arg)
{
	struct outside *outside = arg;

	outside->results[0] = weft_event_set(outside->event);
	outside->results[1] = weft_event_clear(outside->event);
	outside->results[2] = weft_result_set(outside->result, NULL);
	outside->results[3] = weft_latch_count_down(outside->latch, 1);
	outside->results[4] = weft_semaphore_release(outside->semaphore);
	outside->results[5] = weft_semaphore_acquire(outside->semaphore, 0);
	outside->results[6] = weft_result_link(outside->result, note_link, NULL);
	outside->results[7] = weft_result_unlink(outside->result, note_link, NULL);
}

TaskTest(api_sync, a_thread_without_tasks_is_refused)
{
	struct outside outside;

	must(weft_event_new(&outside.event));
	must(weft_result_new(&outside.result));
	must(weft_latch_new(&outside.latch, 1));
	must(weft_semaphore_new(&outside.semaphore, 1, 0));
	on_foreign_thread(use_outside, &outside);

	for (size_t i = 0; i < COUNT(outside.results); i++)
		cr_assert_eq(outside.results[i], -EPERM, "%zu: %d", i, outside.results[i]);
	must(weft_event_free(outside.event));
	must(weft_result_free(outside.result));
	must(weft_latch_free(outside.latch));
	must(weft_semaphore_free(outside.semaphore));
}

static struct outside in_loop;
static weft_queue *loop_queue;

/* In the hub, once no task is ready. */
static void use_in_loop(struct weft__carrier *carrier)
{
	int *results = in_loop.results;
	void *item;

	carrier->at_rest = NULL;
	results[0] = weft_latch_count_down(in_loop.latch, 1);
	results[1] = weft_semaphore_acquire(in_loop.semaphore, 0);
	results[2] = weft_semaphore_acquire(in_loop.semaphore, WEFT_FOREVER);
	results[3] = weft_semaphore_acquire(in_loop.semaphore, 0);
	results[4] = weft_queue_put(loop_queue, &value, WEFT_FOREVER);
	results[5] = weft_queue_put(loop_queue, &value, WEFT_FOREVER);
	results[6] = weft_queue_get(loop_queue, WEFT_FOREVER, &item);
	results[7] = weft_result_set(in_loop.result, &value);
	weft_event_set(in_loop.event);
}

TaskTest(api_sync, callbacks_of_the_loop_use_all_as_far_as_they_do_not_wait)
{
	static const int expected[] = {0, 0, -EPERM, -ETIMEDOUT, 0, -EPERM, 0, 0};
	struct waiter waiter;

	must(weft_event_new(&in_loop.event));
	must(weft_result_new(&in_loop.result));
	must(weft_latch_new(&in_loop.latch, 1));
	must(weft_semaphore_new(&in_loop.semaphore, 1, 0));
	must(weft_queue_new(&loop_queue, 1));
	start(&waiter, in_loop.result, get_result);
	weft_self()->run->carrier->at_rest = use_in_loop;
	must(weft_event_wait(in_loop.event, WEFT_FOREVER));
	join(waiter.task);

	cr_assert_eq(waiter.result, 0);
	for (size_t i = 0; i < COUNT(expected); i++)
		cr_assert_eq(in_loop.results[i], expected[i], "%zu: %d", i, in_loop.results[i]);
	must(weft_event_free(in_loop.event));
	must(weft_result_free(in_loop.result));
	must(weft_latch_free(in_loop.latch));
	must(weft_semaphore_free(in_loop.semaphore));
	must(weft_queue_free(loop_queue));
}
