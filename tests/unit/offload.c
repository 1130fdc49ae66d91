/* Calls that block a kernel thread of weft's instead of the carrier. */
#include "offload.h"

#include <errno.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "unit.h"

static char landing[16]; /* where calls that nobody waits for may still write */

struct blocked {
	int ends[2];
	struct weft__task *task;
	long result;
};

static long offload_read(int fd)
{
	struct weft__job job = {.nr = SYS_read, .arg = {fd, (long)landing, 1}, .data_arg = -1};

	return weft__offload(&job);
}

static long offload_getppid(void)
{
	struct weft__job job = {.nr = SYS_getppid, .data_arg = -1};

	return weft__offload(&job);
}

static void read_task(void *arg)
{
	struct blocked *blocked = arg;

	blocked->result = offload_read(blocked->ends[0]);
}

static void start_read(struct blocked *blocked)
{
	cr_assert_eq(pipe(blocked->ends), 0);
	blocked->result = 99;
	blocked->task = spawn_inner(read_task, blocked);
	weft_yield();
}

TaskTest(offload, a_call_returns_its_result)
{
	cr_assert_eq(offload_getppid(), getppid());
}

TaskTest(offload, a_call_that_fails_returns_its_error)
{
	errno = 0;

	cr_assert_eq(offload_read(-1), -EBADF);
	cr_assert_eq(errno, 0);
}

TaskTest(offload, other_tasks_run_while_a_call_blocks)
{
	struct blocked blocked;

	start_read(&blocked);
	weft_sleep(MS);
	cr_assert_eq(blocked.result, 99);
	put_byte(blocked.ends[1]);
	join_inner(blocked.task);

	cr_assert_eq(blocked.result, 1);
}

TaskTest(offload, a_call_reads_from_the_copy_that_goes_with_it)
{
	struct weft__job job = {.nr = SYS_write, .arg = {0, 0, 5}, .data_arg = 1, .data = "hello"};
	char text[6] = "";
	int ends[2];

	make_pipe(ends);
	job.arg[0] = ends[1];
	cr_assert_eq(weft__offload(&job), 5);

	cr_assert_eq(read(ends[0], text, 5), 5);
	cr_assert_str_eq(text, "hello");
}

TaskTest(offload, a_call_beyond_the_most_threads_is_refused_until_one_is_free)
{
	struct blocked blocked[2];
	long result;

	weft__offload_most = 2;
	start_read(&blocked[0]);
	start_read(&blocked[1]);
	weft_sleep(MS);
	cr_assert_eq(offload_getppid(), -EAGAIN);
	put_byte(blocked[0].ends[1]);
	join_inner(blocked[0].task);
	while ((result = offload_getppid()) == -EAGAIN)
		weft_yield();

	cr_assert_eq(result, getppid());
	put_byte(blocked[1].ends[1]);
	join_inner(blocked[1].task);
}

static void call_many_times(void *ret_done)
{
	for (unsigned int i = 0; i < 20; i++) {
		long result;

		while ((result = offload_getppid()) == -EAGAIN)
			weft_yield();
		cr_expect_eq(result, getppid());
	}
	++*(unsigned int *)ret_done;
}

TaskTest(offload, many_tasks_share_few_threads)
{
	struct weft__task *tasks[50];
	unsigned int done = 0;

	weft__offload_most = 3;
	for (size_t i = 0; i < COUNT(tasks); i++)
		tasks[i] = spawn_inner(call_many_times, &done);
	for (size_t i = 0; i < COUNT(tasks); i++)
		join_inner(tasks[i]);

	cr_assert_eq(done, COUNT(tasks));
}

TaskTest(offload, an_interrupted_wait_ends_and_its_call_goes_on)
{
	struct blocked blocked;
	int bytes = 1;

	start_read(&blocked);
	weft_sleep(MS);
	weft__interrupt(blocked.task);
	join_inner(blocked.task);
	cr_assert_eq(blocked.result, -EINTR);

	put_byte(blocked.ends[1]);
	while (bytes > 0) {
		weft_yield();
		cr_assert_eq(ioctl(blocked.ends[0], FIONREAD, &bytes), 0);
	}
}

static void yield_some(void *unused)
{
	(void)unused;
	yield(3);
}

/* A hundred tasks are ahead of it, so the hub looks at wakes before it has seen its own. */
TaskTest(offload, a_call_that_ends_before_its_interrupted_task_runs_is_heard_of)
{
	struct weft__carrier *carrier = weft__current->carrier;
	struct blocked blocked;

	start_read(&blocked);
	weft_sleep(MS);
	for (unsigned int i = 0; i < 100; i++)
		spawn_detached(yield_some, NULL);
	weft__interrupt(blocked.task);
	put_byte(blocked.ends[1]);
	while (__atomic_load_n(&carrier->remote, __ATOMIC_ACQUIRE) == NULL)
		sched_yield();
	join_inner(blocked.task);

	cr_assert_eq(blocked.result, 1);
}

/* No kernel thread's stack fits. */
TaskTest(offload, a_call_for_which_no_thread_can_be_made_is_refused)
{
	struct rlimit limit;
	long result;

	if (UNDER_SANITIZER)
		cr_skip_test("a sanitizer needs its address space");

	limit_memory(16384, &limit);
	result = offload_getppid();
	setrlimit(RLIMIT_AS, &limit);

	cr_assert_eq(result, -EAGAIN);
}

static long run_twice(struct weft__job *job)
{
	return 2 * job->arg[0];
}

TaskTest(offload, a_job_may_be_more_than_a_call)
{
	struct weft__job job = {.run = run_twice, .arg = {21}, .data_arg = -1};

	cr_assert_eq(weft__offload(&job), 42);
}

struct ordered {
	struct weft__task *task;
	int fd;
	char byte;
};

static void write_in_order(void *arg)
{
	struct ordered *mine = arg;
	struct weft__job job = {.nr = SYS_write,
				.arg = {mine->fd, (long)&mine->byte, 1},
				.data_arg = -1,
				.ends = true,
				.order = 7};

	cr_assert_eq(weft__offload(&job), 1);
}

TaskTest(offload, calls_of_one_order_come_in_that_order)
{
	struct ordered writer[100];
	char found[100];
	int ends[2];

	make_pipe(ends);
	for (int i = 0; i < 100; i++) {
		writer[i].fd = ends[1];
		writer[i].byte = (char)i;
		writer[i].task = spawn_inner(write_in_order, &writer[i]);
	}
	for (int i = 0; i < 100; i++)
		join_inner(writer[i].task);

	cr_assert_eq(read(ends[0], found, 100), 100);
	for (int i = 0; i < 100; i++)
		cr_assert_eq(found[i], i);
	cr_assert_not(weft__offload_in_order(7));
}

TaskTest(offload, a_call_that_ends_finds_a_thread_where_others_wait)
{
	struct blocked blocked[4];

	weft__offload_most = 4;
	for (int i = 0; i < 4; i++)
		start_read(&blocked[i]);
	cr_assert_eq(blocked[3].result, -EAGAIN, "one of four is kept free");
	cr_assert_eq(offload_getppid(), -EAGAIN, "it may last, too");
	cr_assert_eq(
		weft__offload(&(struct weft__job){.nr = SYS_getppid, .data_arg = -1, .ends = true}),
		getppid());
	for (int i = 0; i < 3; i++)
		put_byte(blocked[i].ends[1]);
	for (int i = 0; i < 4; i++)
		join_inner(blocked[i].task);
}
