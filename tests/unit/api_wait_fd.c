/* weft.h: waiting for descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

struct wait {
	int fd, events, result;
};

static void wait_task(void *arg)
{
	struct wait *wait = arg;

	wait->result = weft_wait_fd(wait->fd, wait->events, WEFT_FOREVER);
}

static void put_byte_task(void *fd)
{
	put_byte((int)(intptr_t)fd);
}

static void put_byte_later(int fd)
{
	spawn_detached(put_byte_task, (void *)(intptr_t)fd);
}

TaskTest(api_wait_fd, a_wait_ends_when_there_are_bytes)
{
	int ends[2];

	make_pipe(ends);
	put_byte_later(ends[1]);

	cr_assert_eq(weft_wait_fd(ends[0], WEFT_IN, WEFT_FOREVER), WEFT_IN);
}

TaskTest(api_wait_fd, a_wait_returns_those_of_its_events_that_came_true)
{
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	cr_assert_eq(weft_wait_fd(ends[0], WEFT_IN | WEFT_OUT, WEFT_FOREVER), WEFT_OUT);
	put_byte(ends[1]);

	cr_assert_eq(weft_wait_fd(ends[0], WEFT_IN | WEFT_OUT, WEFT_FOREVER), WEFT_IN | WEFT_OUT);
	cr_assert_eq(weft_wait_fd(ends[0], WEFT_IN, WEFT_FOREVER), WEFT_IN);
}

/* Level-triggered, as poll(2), although the set below it is not. */
TaskTest(api_wait_fd, bytes_that_were_left_end_the_next_wait_too)
{
	int ends[2];

	make_pipe(ends);
	put_byte_later(ends[1]);
	for (unsigned int i = 0; i < 3; i++)
		cr_assert_eq(weft_wait_fd(ends[0], WEFT_IN, WEFT_FOREVER), WEFT_IN);
}

TaskTest(api_wait_fd, a_hang_up_makes_all_events_true)
{
	int ends[2];

	make_pipe(ends);
	close(ends[1]);

	cr_assert_eq(weft_wait_fd(ends[0], WEFT_IN, WEFT_FOREVER), WEFT_IN);
	cr_assert_eq(weft_wait_fd(ends[0], WEFT_IN | WEFT_OUT, WEFT_FOREVER), WEFT_IN | WEFT_OUT);
}

TaskTest(api_wait_fd, a_wait_gives_up_at_its_deadline_and_not_before)
{
	int64_t deadline_ns = weft_after(5 * WEFT_MS);
	int ends[2];

	make_pipe(ends);

	cr_assert_eq(weft_wait_fd(ends[0], WEFT_IN, deadline_ns), -ETIMEDOUT);
	cr_assert_geq(weft_now(), deadline_ns);
}

TaskTest(api_wait_fd, what_is_ready_is_so_after_the_deadline_too)
{
	int ends[2];

	make_pipe(ends);
	put_byte(ends[1]);

	cr_assert_eq(weft_wait_fd(ends[0], WEFT_IN, 1), WEFT_IN);
}

TaskTest(api_wait_fd, a_descriptor_that_is_not_open_is_refused)
{
	cr_assert_eq(weft_wait_fd(900, WEFT_IN, WEFT_FOREVER), -EBADF);
}

TaskTest(api_wait_fd, a_negative_descriptor_is_refused)
{
	cr_assert_eq(weft_wait_fd(-1, WEFT_IN, weft_now() + 100 * MS), -EBADF);
}

TaskTest(api_wait_fd, events_that_do_not_exist_are_refused)
{
	cr_assert_eq(weft_wait_fd(0, 0, WEFT_FOREVER), -EINVAL);
	cr_assert_eq(weft_wait_fd(0, 4, WEFT_FOREVER), -EINVAL);
	cr_assert_eq(weft_wait_fd(0, WEFT_IN | 8, WEFT_FOREVER), -EINVAL);
}

TaskTest(api_wait_fd, a_regular_file_is_ready_at_once)
{
	int fd = open("/proc/self/exe", O_RDONLY);

	cr_assert_eq(weft_wait_fd(fd, WEFT_IN, WEFT_FOREVER), WEFT_IN);
}

TaskTest(api_wait_fd, several_tasks_can_wait_for_one_descriptor)
{
	struct wait waits[5];
	weft_task *tasks[COUNT(waits)];
	int ends[2];

	make_pipe(ends);
	for (size_t i = 0; i < COUNT(waits); i++) {
		waits[i] = (struct wait){ends[0], WEFT_IN, 0};
		tasks[i] = spawn(wait_task, &waits[i]);
	}
	weft_yield();
	put_byte(ends[1]);
	for (size_t i = 0; i < COUNT(waits); i++)
		join(tasks[i]);

	for (size_t i = 0; i < COUNT(waits); i++)
		cr_assert_eq(waits[i].result, WEFT_IN);
}

/* Nobody tells weft of a close(2) in a program that is not preloaded. */
TaskTest(api_wait_fd, a_number_that_was_closed_and_given_out_again_can_be_waited_for)
{
	int ends[2], number;

	make_pipe(ends);
	number = ends[0];
	cr_assert_eq(weft_wait_fd(number, WEFT_IN, weft_now() + MS), -ETIMEDOUT);
	close(ends[0]);
	close(ends[1]);
	make_pipe(ends);
	cr_assert_eq(ends[0], number);
	put_byte_later(ends[1]);

	cr_assert_eq(weft_wait_fd(number, WEFT_IN, WEFT_FOREVER), WEFT_IN);
}

TaskTest(api_wait_fd, a_number_given_out_again_can_be_waited_for_in_the_other_direction)
{
	int ends[2], sockets[2];
	char bytes[65536] = {0};
	struct wait wait;
	weft_task *task;

	make_pipe(ends);
	cr_assert_eq(weft_wait_fd(ends[0], WEFT_IN, weft_now() + MS), -ETIMEDOUT);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets), 0);
	dup2(sockets[0], ends[0]);
	while (write(ends[0], bytes, sizeof(bytes)) > 0)
		;
	wait = (struct wait){ends[0], WEFT_OUT, 0};
	task = spawn(wait_task, &wait);
	weft_yield();
	while (read(sockets[1], bytes, sizeof(bytes)) > 0)
		;
	join(task);

	cr_assert_eq(wait.result, WEFT_OUT);
}

static void wait_for_a_byte(void *arg)
{
	int *ends = arg;
	char byte;

	put_byte_later(ends[1]);
	cr_expect_eq(weft_wait_fd(ends[0], WEFT_IN, WEFT_FOREVER), WEFT_IN);
	cr_expect_eq(read(ends[0], &byte, 1), 1);
}

Test(api_wait_fd, a_descriptor_can_be_waited_for_in_one_run_after_another, .timeout = HANG_S)
{
	int ends[2];

	make_pipe(ends);

	for (unsigned int i = 0; i < 3; i++)
		cr_assert_eq(run_tasks(wait_for_a_byte, ends), 0);
}
