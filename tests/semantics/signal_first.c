/* Alarms at any instant of a process's first thread: while it is made, runs, waits and ends. */
#include "guest.h"

#include <sys/time.h>

#define CHILDREN 100
#define EVERY_US 20

static volatile sig_atomic_t alarms;

static void count(int signal)
{
	(void)signal;
	alarms++;
}

static void *wait_a_little(void *arg)
{
	usleep(100);
	return arg;
}

static void live(void)
{
	struct itimerval often = {{0, EVERY_US}, {0, EVERY_US}};
	struct sigaction action = {.sa_handler = count, .sa_flags = SA_RESTART};

	check(sigaction(SIGALRM, &action, NULL) == 0);
	check(setitimer(ITIMER_REAL, &often, NULL) == 0);
	become_threaded();
	check(finish(start(wait_a_little, NULL)) == NULL);
	while (alarms < 10)
		sched_yield();
	_exit(0);
}

int main(void)
{
	int ended_well = 0;

	for (int i = 0; i < CHILDREN; i++) {
		pid_t child = fork();
		int status;

		check(child >= 0);
		if (child == 0)
			live();
		check(waitpid(child, &status, 0) == child);
		ended_well += WIFEXITED(status) && WEXITSTATUS(status) == 0;
	}
	say("ended well: %d of %d", ended_well, CHILDREN);
	return 0;
}
