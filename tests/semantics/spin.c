/* A thread that asks again and again, by calls that never wait, does not keep the others out. */
#include "guest.h"

static volatile int step;

static void *advance(void *arg)
{
	for (int next = 1; next <= 4; next++) {
		usleep(5000);
		step = next;
		while (step == next)
			usleep(500);
	}
	return arg;
}

int main(void)
{
	struct timeval zero;
	pthread_t thread;
	int pair[2];
	char byte;

	unix_pair(SOCK_STREAM, pair);
	check(fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0);
	thread = start(advance, NULL);
	while (step != 1)
		check(poll(&(struct pollfd){.fd = pair[0], .events = POLLIN}, 1, 0) == 0);
	say("seen while polling");
	step = -1;
	while (step != 2)
		check(read(pair[0], &byte, 1) == -1 && errno == EAGAIN);
	say("seen while reading");
	step = -2;
	while (step != 3)
		check(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
	say("seen while waiting");
	step = -3;
	while (step != 4) {
		zero = (struct timeval){0, 0};
		check(select(0, NULL, NULL, NULL, &zero) == 0);
	}
	say("seen while selecting");
	step = -4;
	finish(thread);
	return 0;
}
