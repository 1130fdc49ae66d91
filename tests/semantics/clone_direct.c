/* clone(2) by the program itself, while threads are parked: like fork, like vfork, on a stack. */
#include "guest.h"

#include <linux/sched.h>
#include <sched.h>
#include <sys/mman.h>

#define STACK_BYTES 65536

static int shared_word, never[2], lines[2];
static char *stack_top;

static pid_t raw_clone(unsigned long flags, void *stack, pid_t *parent_tid, pid_t *child_tid)
{
	return (pid_t)syscall(SYS_clone, flags, stack, parent_tid, child_tid, 0);
}

static int set_word(void *arg)
{
	shared_word = (int)(intptr_t)arg;
	return 3;
}

/* In a child with memory of its own everything works, threads too. */
static int live(void *arg)
{
	become_threaded();
	write_all(lines[1], "x", 1);
	return (int)(intptr_t)arg;
}

static void reap(const char *what, pid_t child, int options)
{
	int status;

	check(waitpid(child, &status, options) == child);
	say_status(what, status);
}

static void clone_as_fork(void)
{
	pid_t parent_tid = 0, child_tid = 0, child;
	char byte;

	child = raw_clone(CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, NULL, &parent_tid,
			  &child_tid);
	if (child == 0)
		_exit(child_tid == getpid() ? live((void *)5) : 1);
	check(read(lines[0], &byte, 1) == 1);
	say("parent's word: %d, child's word here: %d", parent_tid == child, child_tid);
	reap("like fork", child, 0);
}

static void clone_with_pidfd(void)
{
	int pidfd = -1;
	siginfo_t info;
	pid_t child = raw_clone(CLONE_PIDFD | SIGCHLD, NULL, &pidfd, NULL);

	if (child == 0)
		_exit(6);
	check(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) == 0);
	say("by its pidfd: %d, status %d", info.si_pid == child, info.si_status);
	close(pidfd);
}

static void clone_with_clone3(void)
{
	struct clone_args args = {.exit_signal = SIGCHLD};
	pid_t child = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (child == 0)
		_exit(7);
	reap("clone3", child, 0);
	args.exit_signal = 1000;
	show(syscall(SYS_clone3, &args, sizeof(args)));
	show(syscall(SYS_clone3, &args, 8));
}

static void clone_on_a_stack(void)
{
	pid_t child = clone(live, stack_top, SIGCHLD, (void *)8);
	char byte;

	check(child > 0);
	check(read(lines[0], &byte, 1) == 1);
	reap("with a stack", child, 0);
}

/* The parent waits for such a child, and its other threads may too. */
static void clone_as_vfork(void)
{
	pid_t child = clone(set_word, stack_top, CLONE_VM | CLONE_VFORK | SIGCHLD, (void *)9);

	say("the parent sees %d", shared_word);
	reap("like vfork", child, 0);
}

/* Children of threads are the process's, unless asked for otherwise. */
static void *fork_for_others(void *ret_child)
{
	pid_t child = fork();

	if (child == 0)
		_exit(11);
	*(pid_t *)ret_child = child;
	return NULL;
}

static void wait_for_others(void)
{
	pid_t child;
	int status;

	finish(start(fork_for_others, &child));
	reap("a child of another thread", child, 0);
	child = fork();
	if (child == 0)
		_exit(12);
	check(waitpid(child, &status, __WNOTHREAD) == child);
	say_status("with __WNOTHREAD", status);
	show(waitpid(-1, &status, __WALL));
}

static void clone_all(void)
{
	clone_as_fork();
	clone_with_pidfd();
	clone_with_clone3();
	clone_on_a_stack();
	clone_as_vfork();
	show(clone(set_word, stack_top, CLONE_THREAD | SIGCHLD, NULL));
	show(clone(set_word, stack_top, CLONE_SIGHAND | SIGCHLD, NULL));
	wait_for_others();
}

static void *clone_elsewhere(void *arg)
{
	clone_all();
	return arg;
}

int main(void)
{
	pthread_t parked;
	char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	check(stack != MAP_FAILED);
	stack_top = stack + STACK_BYTES;
	check(pipe(never) == 0 && pipe(lines) == 0);
	parked = start(read_byte, &never[0]);
	settle();
	clone_all();
	finish(start(clone_elsewhere, NULL));
	write_all(never[1], "x", 1);
	finish(parked);
	return 0;
}
