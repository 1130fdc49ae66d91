/* fork from the first thread and from others, while threads are parked; the child goes on alone. */
#include "guest.h"

static int never[2];
static int prepared, in_parent, in_child;
static __thread int mine;

static void note_prepare(void)
{
	__atomic_add_fetch(&prepared, 1, __ATOMIC_SEQ_CST);
}

static void note_parent(void)
{
	__atomic_add_fetch(&in_parent, 1, __ATOMIC_SEQ_CST);
}

static void note_child(void)
{
	__atomic_add_fetch(&in_child, 1, __ATOMIC_SEQ_CST);
}

static void *sleep_and_echo(void *arg)
{
	usleep(1000);
	return arg;
}

static void live_as_child(const char *what)
{
	pthread_t threads[20];
	long sum = 0;

	say("%s: child sees its own %d, atfork child %d", what, mine, in_child);
	check(gettid() == getpid());
	for (long i = 0; i < 20; i++)
		threads[i] = start(sleep_and_echo, (void *)i);
	for (int i = 0; i < 20; i++)
		sum += (long)finish(threads[i]);
	say("%s: child's own threads sum up to %ld", what, sum);
	usleep(1000);
	exit(3);
}

static void *fork_and_wait(void *what)
{
	int pipe_fds[2], status;
	char byte;
	pid_t child;

	mine = 42;
	check(pipe(pipe_fds) == 0);
	child = fork();
	check(child >= 0);
	if (child == 0) {
		close(pipe_fds[0]);
		live_as_child(what);
	}
	close(pipe_fds[1]);
	check(read(pipe_fds[0], &byte, 1) == 0);
	close(pipe_fds[0]);
	check(waitpid(child, &status, 0) == child);
	say_status(what, status);
	return NULL;
}

static void *fork_quietly(void *arg)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit((int)(intptr_t)arg);
	check(waitpid(child, &status, 0) == child);
	return (void *)(intptr_t)(WIFEXITED(status) && WEXITSTATUS(status) == (intptr_t)arg);
}

int main(void)
{
	pthread_t parked[10], forkers[20];
	long right = 0;

	check(pipe(never) == 0);
	check(pthread_atfork(note_prepare, note_parent, note_child) == 0);
	fork_and_wait("before any thread");
	for (int i = 0; i < 10; i++)
		parked[i] = start(read_byte, &never[0]);
	settle();
	fork_and_wait("from the first thread");
	finish(start(fork_and_wait, "from another thread"));
	for (intptr_t i = 0; i < 20; i++)
		forkers[i] = start(fork_quietly, (void *)i);
	for (int i = 0; i < 20; i++)
		right += (long)finish(forkers[i]);
	say("20 threads forked at once, statuses right: %ld", right);
	say("atfork: prepare %d, parent %d, child %d", prepared, in_parent, in_child);
	write_all(never[1], "0123456789", 10);
	for (int i = 0; i < 10; i++)
		finish(parked[i]);
	say("the parked threads lived through it");
	return 0;
}
