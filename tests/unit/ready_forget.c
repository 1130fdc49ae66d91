/* What happens to those who wait for a descriptor that is closed, and to its number. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "ready.h"
#include "unit.h"

struct wait {
	int fd;
	struct weft__task *task;
	int result;
	bool ended;
};

static void wait_task(void *arg)
{
	struct wait *wait = arg;

	wait->result = weft__ready_wait(weft__fd_at(wait->fd), wait->fd, POLLIN, 0);
	wait->ended = true;
}

static void start_wait(struct wait *wait, int fd)
{
	*wait = (struct wait){.fd = fd, .result = 1};
	wait->task = spawn_inner(wait_task, wait);
	weft_yield();
}

static void forget(int fd)
{
	weft__fd_forget(weft__fd_at(fd), fd);
}

TaskTest(ready_forget, all_who_wait_for_a_descriptor_that_is_forgotten_are_told)
{
	struct wait waits[3];
	int ends[2];

	make_pipe(ends);
	for (size_t i = 0; i < COUNT(waits); i++)
		start_wait(&waits[i], ends[0]);
	forget(ends[0]);
	for (size_t i = 0; i < COUNT(waits); i++)
		join_inner(waits[i].task);

	for (size_t i = 0; i < COUNT(waits); i++)
		cr_assert_eq(waits[i].result, -EBADF);
}

TaskTest(ready_forget, a_number_given_out_again_is_waited_for_anew)
{
	struct wait first, second;
	int old[2], new[2], copy;

	make_pipe(old);
	make_pipe(new);
	copy = fcntl(old[0], F_DUPFD_CLOEXEC, 0); /* the old file lives on */
	start_wait(&first, old[0]);
	forget(old[0]);
	dup2(new[0], old[0]);
	start_wait(&second, old[0]);
	join_inner(first.task);

	put_byte(old[1]);
	yield(1000);
	cr_assert_not(second.ended, "it was woken for the file that had the number before");
	put_byte(new[1]);
	join_inner(second.task);
	cr_assert_eq(first.result, -EBADF);
	cr_assert_eq(second.result, 0);
	close(copy);
}

TaskTest(ready_forget, an_event_and_a_close_at_once_wake_each_task_once)
{
	struct wait wait;
	int ends[2];

	make_pipe(ends);
	start_wait(&wait, ends[0]);
	put_byte(ends[1]);
	forget(ends[0]);
	close(ends[0]);
	join_inner(wait.task);
	yield(1000);

	cr_assert_eq(wait.result, -EBADF);
}

TaskTest(ready_forget, a_range_can_be_gone_through)
{
	struct wait inside, outside;
	int ends[2], far;

	make_pipe(ends);
	far = fcntl(ends[0], F_DUPFD_CLOEXEC, 500);
	start_wait(&inside, far);
	start_wait(&outside, ends[0]);
	cr_assert_eq(weft__fd_next_used(500, UINT32_MAX), far);
	cr_assert_eq(weft__fd_next_used(far + 1, UINT32_MAX), -1);
	forget(far);
	join_inner(inside.task);
	yield(1000);
	cr_assert_not(outside.ended);
	put_byte(ends[1]);
	join_inner(outside.task);

	cr_assert_eq(inside.result, -EBADF);
	cr_assert_eq(outside.result, 0);
}

TaskTest(ready_forget, forgetting_what_was_never_waited_for_does_nothing)
{
	int ends[2];

	make_pipe(ends);

	forget(ends[0]);

	cr_assert_eq(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
}
