/* Children that borrow the parent's memory: other threads go on while they do, and find all as it was. */
#include "guest.h"

#include <spawn.h>

#define ROUNDS 50

extern char **environ;

static volatile int step, stop;

/* Count, and do so while the child of another thread sleeps in this memory. */
static void *count(void *unused)
{
	(void)unused;
	while (!stop) {
		usleep(1000);
		step++;
	}
	return NULL;
}

/* Write over as much of the stack as a child may. */
static __attribute__((noinline)) void overwrite(int depth)
{
	char bytes[2000];

	memset(bytes, depth, sizeof(bytes));
	if (depth > 0)
		overwrite(depth - 1);
	__asm__ volatile("" : : "r"(bytes) : "memory");
}

/* The child ends only when the others have gone on; were they stopped, it never would. */
static void others_go_on(void)
{
	int before = step, status;
	pid_t child = vfork();

	if (child == 0) {
		while (step - before < 20)
			usleep(1000);
		overwrite(5);
		_exit(7);
	}
	check(child > 0 && waitpid(child, &status, 0) == child);
	say_status("child of vfork", status);
}

static void *make_children(void *unused)
{
	(void)unused;
	for (volatile int i = 0; i < ROUNDS; i++) {
		pid_t child = vfork();
		int status;

		if (child == 0) {
			overwrite(5);
			_exit(i);
		}
		check(child > 0 && waitpid(child, &status, 0) == child);
		check(WIFEXITED(status) && WEXITSTATUS(status) == i);
	}
	return NULL;
}

static void many_at_once(void)
{
	pthread_t threads[8];

	for (int i = 0; i < 8; i++)
		threads[i] = start(make_children, NULL);
	for (int i = 0; i < 8; i++)
		finish(threads[i]);
	say("%d children of vfork", 8 * ROUNDS);
}

static void by_the_library(void)
{
	char *argv[] = {"sh", "-c", "exit 5", NULL}, line[16];
	pid_t child;
	int status;
	FILE *pipe;

	check(posix_spawn(&child, "/bin/sh", NULL, NULL, argv, environ) == 0);
	check(waitpid(child, &status, 0) == child);
	say_status("posix_spawn", status);
	show_error(posix_spawn(&child, "/nonexistent", NULL, NULL, argv, environ));
	say_status("system", system("exit 3"));
	pipe = popen("echo from a pipe", "r");
	check(pipe != NULL && fgets(line, sizeof(line), pipe) != NULL);
	say("popen: %s", line);
	say_status("pclose", pclose(pipe));
}

/* Whatever thread of the process makes it: its mask is that of who called. */
static void mask_is_inherited(void)
{
	sigset_t set, mask;
	pid_t child;
	int status;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	check(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
	child = vfork();
	if (child == 0) {
		sigprocmask(SIG_BLOCK, NULL, &mask);
		_exit(sigismember(&mask, SIGUSR1) * 2 + sigismember(&mask, SIGUSR2));
	}
	check(waitpid(child, &status, __WNOTHREAD) == child);
	say_status("child with a mask", status);
}

int main(void)
{
	pthread_t counter = start(count, NULL);

	others_go_on();
	by_the_library();
	many_at_once();
	mask_is_inherited();
	stop = 1;
	finish(counter);
	return 0;
}
