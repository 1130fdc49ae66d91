/* A child that ends sends SIGCHLD: the wait for it finds it all the same, not EINTR. */
#include "guest.h"

#define ROUNDS 100

static volatile sig_atomic_t handled;

static void count(int signal)
{
	(void)signal;
	handled++;
}

static int wait_any(pid_t child)
{
	return wait(NULL) == child;
}

static int wait_one(pid_t child)
{
	return waitpid(child, NULL, 0) == child;
}

static int wait_info(pid_t child)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED) == 0 && info.si_pid == child;
}

static int wait_for_nobody(pid_t child)
{
	(void)child;
	return wait(NULL) == -1 && errno == ECHILD;
}

static void wait_often(const char *name, int (*wait_for)(pid_t))
{
	int found = 0;

	for (int i = 0; i < ROUNDS; i++) {
		pid_t child = fork();

		check(child >= 0);
		if (child == 0) {
			usleep(i % 2 * 1000);
			_exit(0);
		}
		found += wait_for(child);
	}
	say("%s: %d of %d", name, found, ROUNDS);
}

int main(void)
{
	struct sigaction action = {.sa_handler = count};

	become_threaded();
	sigaction(SIGCHLD, &action, NULL);
	wait_often("wait", wait_any);
	wait_often("waitpid", wait_one);
	wait_often("waitid", wait_info);
	action.sa_flags = SA_NOCLDWAIT;
	sigaction(SIGCHLD, &action, NULL);
	wait_often("wait, nobody to be found", wait_for_nobody);
	return 0;
}
