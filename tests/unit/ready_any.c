/* Waiting for any of several descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "crew.h"

#include "ready.h"
#include "unit.h"

#define PIPES 200

static int pipes[PIPES][2];
static struct pollfd set[PIPES];

static void make_set(void)
{
	for (size_t i = 0; i < PIPES; i++) {
		make_pipe(pipes[i]);
		set[i] = (struct pollfd){.fd = pipes[i][0], .events = POLLIN};
	}
}

static void wait_any_task(void *ret_result)
{
	*(int *)ret_result = weft__ready_wait_any(set, PIPES, 0);
}

TaskTest(ready_any, the_first_wait_only_registers)
{
	make_set();

	cr_assert_eq(weft__ready_wait_any(set, PIPES, 0), -EAGAIN);

	cr_assert_eq(weft__ready_wait_any(set, PIPES, weft__now_ns() + MS), -ETIMEDOUT);
}

TaskTest(ready_any, each_of_many_descriptors_ends_a_wait)
{
	make_set();
	weft__ready_wait_any(set, PIPES, 0);

	for (size_t i = 0; i < PIPES; i++) {
		int result = 1;
		struct weft__task *task = spawn_inner(wait_any_task, &result);

		weft_yield();
		put_byte(pipes[i][1]);
		join_inner(task);
		cr_assert_eq(result, 0);
	}
}

TaskTest(ready_any, a_wait_that_has_ended_leaves_nobody_behind)
{
	int result = 1;
	struct weft__task *task;

	make_set();
	weft__ready_wait_any(set, PIPES, 0);
	task = spawn_inner(wait_any_task, &result);
	weft_yield();
	put_byte(pipes[0][1]);
	join_inner(task);

	/* its record is gone: an event that found it among the readers would touch it */
	for (size_t i = 0; i < PIPES; i++) {
		cr_assert(weft__list_empty(&weft__fd_at(pipes[i][0])->readers));
		put_byte(pipes[i][1]);
	}
	yield(1000);
}

TaskTest(ready_any, room_to_write_ends_a_wait_for_it)
{
	struct pollfd one;
	char bytes[65536] = {0};
	int ends[2];

	make_pipe(ends);
	while (write(ends[1], bytes, sizeof(bytes)) > 0)
		;
	one = (struct pollfd){.fd = ends[1], .events = POLLOUT};
	cr_assert_eq(weft__ready_wait_any(&one, 1, 0), -EAGAIN);
	weft__ready_wait_any(&one, 1, weft__now_ns() + MS);
	while (read(ends[0], bytes, sizeof(bytes)) > 0)
		;

	cr_assert_eq(weft__ready_wait_any(&one, 1, 0), 0);
}

TaskTest(ready_any, what_cannot_be_waited_for_is_left_out)
{
	struct pollfd some[] = {
		{.fd = -1, .events = POLLIN},
		{.fd = open("/proc/self/exe", O_RDONLY), .events = POLLIN},
		{.fd = 900, .events = POLLIN},
	};

	cr_assert_eq(weft__ready_wait_any(some, COUNT(some), weft__now_ns() + MS), -ETIMEDOUT);
}

TaskTest(ready_any, a_wait_for_nothing_ends_at_its_deadline)
{
	cr_assert_eq(weft__ready_wait_any(NULL, 0, weft__now_ns() + MS), -ETIMEDOUT);
}

TaskTest(ready_any, a_descriptor_may_be_named_twice)
{
	struct pollfd twice[2];
	int ends[2];

	make_pipe(ends);
	twice[0] = twice[1] = (struct pollfd){.fd = ends[0], .events = POLLIN};
	weft__ready_wait_any(twice, 2, 0);
	put_byte(ends[1]);

	cr_assert_eq(weft__ready_wait_any(twice, 2, 0), 0);
	cr_assert(weft__list_empty(&weft__fd_at(ends[0])->readers));
}

static struct pollfd pipe_end;

static void wait_for_pipe(void *ret_result)
{
	*(int *)ret_result = weft__ready_wait_any(&pipe_end, 1, 0);
}

/* What a wait for a pipe comes to by an event that was asked for before it began, or after. */
static int tell_of_bytes(bool before)
{
	struct weft__fd *fd = weft__fd_at(pipe_end.fd);
	uint32_t asked = weft__current->carrier->crew->polls;
	int result = -1;
	struct weft__task *task = spawn_inner(wait_for_pipe, &result);

	weft_yield();
	weft__ready_event(fd, EPOLLIN, before ? asked : asked + 1);
	join_inner(task);
	return result;
}

TaskTest(ready_any, an_event_tells_nothing_to_a_wait_that_has_begun_since_it_was_asked_for)
{
	int ends[2];

	make_pipe(ends);
	pipe_end = (struct pollfd){.fd = ends[0], .events = POLLIN};
	weft__fd_at(ends[0])->kind = WEFT__PIPE;
	cr_assert_eq(weft__ready_wait_any(&pipe_end, 1, 0), -EAGAIN);

	cr_assert_eq(tell_of_bytes(true), 0);
	cr_assert_eq(tell_of_bytes(false), 1);
}
