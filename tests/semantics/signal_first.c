/* An alarm at any instant of a threaded process's first wait finds it as it should be. */
#include "guest.h"

#include <sys/time.h>

#define CHILDREN 300
#define WITHIN_US 60

static volatile sig_atomic_t alarms;

static void count(int signal)
{
	(void)signal;
	alarms++;
}

/* In each child the alarm comes at another instant. */
static void live(int child)
{
	struct itimerval once = {{0, 0}, {0, 1 + child % WITHIN_US}};
	struct sigaction action = {.sa_handler = count, .sa_flags = SA_RESTART};

	check(sigaction(SIGALRM, &action, NULL) == 0);
	become_threaded();
	check(setitimer(ITIMER_REAL, &once, NULL) == 0);
	do
		usleep(200);
	while (alarms == 0);
	become_threaded();
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
			live(i);
		check(waitpid(child, &status, 0) == child);
		ended_well += WIFEXITED(status) && WEXITSTATUS(status) == 0;
	}
	say("ended well: %d of %d", ended_well, CHILDREN);
	return 0;
}
