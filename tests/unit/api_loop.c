/* weft_loop(): libuv handles of the program's own, beside tasks. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <uv.h>

#include "unit.h"

struct shared {
	weft_task *target;
	uv_loop_t *loop;
	int calls;
};

static void raise_from_callback(struct shared *shared)
{
	shared->calls++;
	cr_expect_null(weft_self());
	cr_expect_eq(weft_sleep(0), -EPERM);
	cr_expect_eq(weft_join(shared->target, 0), -EPERM);
	cr_expect_eq(weft_kill(shared->target, WEFT_FOREVER), -EPERM);
	cr_expect_eq(weft_loop(), shared->loop);
	cr_expect_eq(weft_raise(shared->target, -EINTR), 0);
}

static struct shared share(void)
{
	struct shared shared = {.target = weft_self(), .loop = weft_loop()};

	cr_assert_not_null(shared.loop);
	return shared;
}

static void on_timer(uv_timer_t *timer)
{
	raise_from_callback(timer->data);
}

TaskTest(api_loop, a_timer_ends_a_wait)
{
	struct shared shared = share();
	uv_timer_t timer = {.data = &shared};

	cr_assert_eq(uv_timer_init(shared.loop, &timer), 0);
	timer.data = &shared;
	cr_assert_eq(uv_timer_start(&timer, on_timer, 1, 1), 0);
	for (int i = 0; i < 5; i++)
		cr_assert_eq(weft_sleep(WEFT_FOREVER), -EINTR);

	cr_assert_geq(shared.calls, 5);
	uv_close((uv_handle_t *)&timer, NULL);
	weft_raise(weft_self(), -EINTR);
	cr_assert_eq(weft_sleep(WEFT_FOREVER), -EINTR);
	cr_assert_eq(weft_sleep(2 * WEFT_MS), 0);
}

static void on_async(uv_async_t *async)
{
	raise_from_callback(async->data);
}

static void send_async(void *async)
{
	cr_expect_eq(uv_async_send(async), 0);
}

TaskTest(api_loop, another_thread_ends_a_wait_by_an_async)
{
	struct shared shared = share();
	uv_async_t async;

	cr_assert_eq(uv_async_init(shared.loop, &async, on_async), 0);
	async.data = &shared;
	for (int i = 0; i < 3; i++) {
		on_foreign_thread(send_async, &async);
		cr_assert_eq(weft_sleep(WEFT_FOREVER), -EINTR);
	}
	uv_close((uv_handle_t *)&async, NULL);
	weft_sleep(WEFT_MS);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct shared *shared = poll->data;
	char byte;

	cr_expect_eq(status, 0);
	cr_expect_eq(events, UV_READABLE);
	cr_expect_eq(read(shared->calls, &byte, 1), 1);
	shared->calls = 0;
	raise_from_callback(shared);
	uv_poll_stop(poll);
}

TaskTest(api_loop, a_descriptor_that_the_loop_polls_ends_a_wait)
{
	struct shared shared = share();
	uv_poll_t poll;
	int ends[2];

	make_pipe(ends);
	cr_assert_eq(uv_poll_init(shared.loop, &poll, ends[0]), 0);
	poll.data = &shared;
	shared.calls = ends[0];
	cr_assert_eq(uv_poll_start(&poll, UV_READABLE, on_poll), 0);
	weft_sleep(WEFT_MS);
	put_byte(ends[1]);
	cr_assert_eq(weft_sleep(WEFT_FOREVER), -EINTR);
	uv_close((uv_handle_t *)&poll, NULL);
	weft_sleep(WEFT_MS);
}

static void on_stat(uv_fs_t *request)
{
	struct shared *shared = request->data;

	cr_expect_eq(request->result, 0);
	uv_fs_req_cleanup(request);
	raise_from_callback(shared);
}

TaskTest(api_loop, a_request_ends_a_wait)
{
	struct shared shared = share();
	uv_fs_t request = {.data = &shared};

	cr_assert_eq(uv_fs_stat(shared.loop, &request, "/proc/self/exe", on_stat), 0);
	cr_assert_eq(weft_sleep(WEFT_FOREVER), -EINTR);
	cr_assert_eq(shared.calls, 1);
}

static void *note_and_sleep(void *text)
{
	note(text);
	weft_sleep(WEFT_MS);
	note(text);
	return NULL;
}

static void spawn_from_callback(uv_timer_t *timer)
{
	weft_task *task = NULL;

	cr_expect_eq(weft_spawn(&task, note_and_sleep, "spawned "), 0);
	*(weft_task **)timer->data = task;
	cr_expect_eq(weft_spawn_raw(note_and_sleep, "raw "), 0);
}

TaskTest(api_loop, a_callback_spawns)
{
	weft_task *task = NULL;
	uv_timer_t timer;

	uv_timer_init(weft_loop(), &timer);
	timer.data = &task;
	uv_timer_start(&timer, spawn_from_callback, 1, 0);
	while (task == NULL)
		weft_sleep(WEFT_MS);
	join(task);

	cr_assert_not_null(strstr(noted(), "spawned raw "));
	uv_close((uv_handle_t *)&timer, NULL);
	weft_sleep(WEFT_MS);
}

static int callbacks;

static void spawn_in_between(uv_check_t *check)
{
	(void)check;
	if (callbacks++ == 50)
		cr_expect_eq(weft_spawn_raw(note_and_sleep, "spawned "), 0);
}

static void *be_busy(void *unused)
{
	static uv_check_t check;

	uv_check_init(weft_loop(), &check);
	uv_check_start(&check, spawn_in_between);
	while (callbacks < 100)
		weft_yield();
	return unused;
}

Test(api_loop, the_loop_has_its_turn_though_tasks_are_busy, .timeout = HANG_S)
{
	cr_assert_eq(weft_run(be_busy, NULL, NULL), 0);

	cr_assert_str_eq(noted(), "spawned spawned ");
}

static void *leave_open(void *handles)
{
	static uv_timer_t timer;
	static uv_async_t async;
	uv_loop_t *loop = weft_loop();

	(void)handles;
	uv_timer_init(loop, &timer);
	uv_timer_start(&timer, on_timer, 3600000, 3600000);
	uv_async_init(loop, &async, on_async);
	return loop;
}

Test(api_loop, handles_that_are_left_open_do_not_keep_a_run, .timeout = HANG_S)
{
	unsigned int before;
	void *loop = NULL;

	cr_assert_eq(weft_run(leave_open, NULL, &loop), 0); /* libuv keeps a pipe */
	before = count_descriptors();
	for (int i = 0; i < 3; i++)
		cr_assert_eq(weft_run(leave_open, NULL, &loop), 0);

	cr_assert_not_null(loop);
	cr_assert_eq(count_descriptors(), before);
}

static uv_fs_t request;
static uv_timer_t opened_late;

static void on_close(uv_handle_t *handle)
{
	note("closed ");
	cr_expect_eq(weft_spawn_raw(note_and_sleep, "x"), -EPERM);
	uv_timer_init(handle->loop, &opened_late);
	uv_timer_start(&opened_late, on_timer, 3600000, 0);
}

static void on_late_stat(uv_fs_t *done)
{
	note("stat ");
	uv_fs_req_cleanup(done);
}

static void *leave_busy(void *arg)
{
	static uv_timer_t timer;
	uv_loop_t *loop = weft_loop();

	uv_timer_init(loop, &timer);
	uv_close((uv_handle_t *)&timer, on_close);
	uv_fs_stat(loop, &request, "/proc/self/exe", on_late_stat);
	return arg;
}

/* The callbacks of what comes to its end with the run are called, and may open more. */
Test(api_loop, what_the_loop_still_does_at_the_end_is_done, .timeout = HANG_S)
{
	cr_assert_eq(weft_run(leave_busy, NULL, NULL), 0);

	cr_assert_not_null(strstr(noted(), "closed "));
	cr_assert_not_null(strstr(noted(), "stat "));
	cr_assert_null(strstr(noted(), "x"));
}

Test(api_loop, a_patched_program_has_no_loop)
{
	weft__use_threads();

	cr_assert_null(weft_loop());
}
