/* Waiting for one descriptor or several. */
#include "ready.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

struct wait {
	int fd, events;
	uint64_t deadline_ns;
	struct weft__task *task;
	int result;
	bool ended;
};

static int wait_for(int fd, int events, uint64_t deadline_ns)
{
	return weft__ready_wait(weft__fd_at(fd), fd, events, deadline_ns);
}

static uint64_t soon(void)
{
	return weft__now_ns() + 5 * MS;
}

static void wait_task(void *arg)
{
	struct wait *wait = arg;

	wait->result = wait_for(wait->fd, wait->events, wait->deadline_ns);
	wait->ended = true;
}

static void start_wait(struct wait *wait, int fd, int events)
{
	*wait = (struct wait){.fd = fd, .events = events, .result = 1};
	wait->task = spawn_inner(wait_task, wait);
	weft_yield();
}

/* Let the events that have happened reach those who wait. */
static void settle(void)
{
	yield(1000);
}

static void make_sockets(int ends[2])
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
}

static void fill(int fd)
{
	static const char bytes[4096];

	while (write(fd, bytes, sizeof(bytes)) > 0)
		;
	cr_assert_eq(errno, EAGAIN);
}

static void empty(int fd)
{
	char bytes[4096];

	while (read(fd, bytes, sizeof(bytes)) > 0)
		;
}

TaskTest(ready, a_reader_of_a_pipe_waits_for_bytes)
{
	struct wait wait;
	int ends[2];

	make_pipe(ends);
	start_wait(&wait, ends[0], POLLIN);
	settle();
	cr_assert_not(wait.ended);
	put_byte(ends[1]);
	join_inner(wait.task);

	cr_assert_eq(wait.result, 0);
}

TaskTest(ready, a_writer_of_a_pipe_waits_for_room)
{
	struct wait wait;
	int ends[2];

	make_pipe(ends);
	fill(ends[1]);
	start_wait(&wait, ends[1], POLLOUT);
	settle();
	cr_assert_not(wait.ended);
	empty(ends[0]);
	join_inner(wait.task);

	cr_assert_eq(wait.result, 0);
}

TaskTest(ready, a_reader_of_an_eventfd_waits_for_a_count)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	struct wait wait;

	start_wait(&wait, fd, POLLIN);
	settle();
	cr_assert_not(wait.ended);
	eventfd_write(fd, 1);
	join_inner(wait.task);

	cr_assert_eq(wait.result, 0);
}

TaskTest(ready, what_was_there_before_the_first_wait_ends_it)
{
	int ends[2];

	make_pipe(ends);
	put_byte(ends[1]);

	cr_assert_eq(wait_for(ends[0], POLLIN, 0), 0);
}

/* Who waits has tried and failed: bytes that are there already are no news. */
TaskTest(ready, a_second_wait_ends_only_with_more_bytes)
{
	int ends[2];

	make_pipe(ends);
	put_byte(ends[1]);
	cr_assert_eq(wait_for(ends[0], POLLIN, 0), 0);

	cr_assert_eq(wait_for(ends[0], POLLIN, soon()), -ETIMEDOUT);

	put_byte(ends[1]);
	cr_assert_eq(wait_for(ends[0], POLLIN, 0), 0);
}

TaskTest(ready, an_event_wakes_all_readers)
{
	struct wait waits[5];
	int ends[2];

	make_pipe(ends);
	for (size_t i = 0; i < COUNT(waits); i++)
		start_wait(&waits[i], ends[0], POLLIN);
	put_byte(ends[1]);
	for (size_t i = 0; i < COUNT(waits); i++)
		join_inner(waits[i].task);

	for (size_t i = 0; i < COUNT(waits); i++)
		cr_assert_eq(waits[i].result, 0);
}

TaskTest(ready, a_reader_sleeps_on_when_there_is_room_to_write)
{
	struct wait reader, writer;
	int ends[2];

	make_sockets(ends);
	fill(ends[0]);
	start_wait(&reader, ends[0], POLLIN);
	start_wait(&writer, ends[0], POLLOUT);
	empty(ends[1]);
	join_inner(writer.task);
	settle();
	cr_assert_not(reader.ended);

	put_byte(ends[1]);
	join_inner(reader.task);
}

TaskTest(ready, a_hang_up_wakes_readers_and_writers)
{
	struct wait reader, writer;
	int ends[2];

	make_sockets(ends);
	fill(ends[0]);
	start_wait(&reader, ends[0], POLLIN);
	start_wait(&writer, ends[0], POLLOUT);
	close(ends[1]);
	join_inner(reader.task);
	join_inner(writer.task);

	cr_assert(weft__fd_at(ends[0])->hung_up);
}

TaskTest(ready, a_wait_ends_at_its_deadline_and_not_before)
{
	uint64_t deadline_ns = soon();
	int ends[2];

	make_pipe(ends);

	cr_assert_eq(wait_for(ends[0], POLLIN, deadline_ns), -ETIMEDOUT);
	cr_assert_geq(weft__now_ns(), deadline_ns);
}

TaskTest(ready, an_interrupt_ends_a_wait)
{
	struct wait wait;
	int ends[2];

	make_pipe(ends);
	start_wait(&wait, ends[0], POLLIN);
	weft__interrupt(wait.task);
	join_inner(wait.task);

	cr_assert_eq(wait.result, -EINTR);
}

TaskTest(ready, a_regular_file_cannot_be_waited_for)
{
	int fd = open("/proc/self/exe", O_RDONLY);

	cr_assert_eq(wait_for(fd, POLLIN, 0), -EPERM);
}

TaskTest(ready, a_descriptor_that_is_not_open_is_refused)
{
	cr_assert_eq(wait_for(900, POLLIN, 0), -EBADF);
}

TaskTest(ready, a_number_no_descriptor_can_have_has_no_record)
{
	cr_assert_null(weft__fd_at(-1));
	cr_assert_null(weft__fd_at(INT32_MAX));
	cr_assert_null(weft__fd_peek(-1));
	cr_assert_null(weft__fd_peek(1000000));
}
