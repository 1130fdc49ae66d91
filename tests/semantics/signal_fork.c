/* A timer signal five thousand times a second, over pipes, malloc and fork: nothing is lost. */
#include "guest.h"

#include <sys/time.h>

static int pipe_fds[2];
static volatile sig_atomic_t alarms;

static void count_alarm(int number)
{
	alarms += number == SIGALRM;
}

static void *read_to_end(void *arg)
{
	long bytes = 0;
	char byte;

	(void)arg;
	while (read(pipe_fds[0], &byte, 1) == 1)
		bytes++;
	return (void *)bytes;
}

static void *allocate(void *arg)
{
	for (int i = 0; i < 200000; i++) {
		free(malloc((size_t)(i % 5000)));
		if (i % 1000 == 0)
			usleep(10);
	}
	return arg;
}

static void fork_and_wait(void)
{
	for (int i = 0; i < 200; i++) {
		pid_t child = fork();
		int status;

		if (child == 0)
			_exit(i % 100);
		check(waitpid(child, &status, 0) == child);
		check(WIFEXITED(status) && WEXITSTATUS(status) == i % 100);
	}
}

int main(void)
{
	struct itimerval often = {{0, 200}, {0, 200}}, off = {{0, 0}, {0, 0}};
	struct sigaction action = {.sa_handler = count_alarm, .sa_flags = SA_RESTART};
	pthread_t threads[4];
	long bytes = 0;

	check(pipe(pipe_fds) == 0);
	check(sigaction(SIGALRM, &action, NULL) == 0);
	check(setitimer(ITIMER_REAL, &often, NULL) == 0);
	for (int i = 0; i < 4; i++)
		threads[i] = start(i < 2 ? read_to_end : allocate, NULL);
	for (int i = 0; i < 20000; i++)
		check(write(pipe_fds[1], "x", 1) == 1);
	fork_and_wait();
	close(pipe_fds[1]);
	for (int i = 0; i < 4; i++)
		bytes += (long)finish(threads[i]);
	while (alarms <= 100) /* however fast the rest was */
		usleep(1000);
	check(setitimer(ITIMER_REAL, &off, NULL) == 0);
	say("bytes: %ld, alarms: many", bytes);
	return 0;
}
