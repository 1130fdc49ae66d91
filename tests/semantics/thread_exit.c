/* exit() from a thread, while others are parked in read, sleep and a mutex, ends the program. */
#include "guest.h"

static int pipe_fds[2];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void at_end(void)
{
	say("atexit handler ran");
}

static void *read_forever(void *arg)
{
	char byte;

	(void)arg;
	say("read gave %zd", read(pipe_fds[0], &byte, 1));
	return NULL;
}

static void *sleep_forever(void *arg)
{
	sleep(1000);
	return arg;
}

static void *lock_forever(void *arg)
{
	pthread_mutex_lock(&lock);
	return arg;
}

static void *end_program(void *arg)
{
	(void)arg;
	settle();
	exit(7);
}

int main(void)
{
	check(pipe(pipe_fds) == 0);
	atexit(at_end);
	pthread_mutex_lock(&lock);
	start(read_forever, NULL);
	start(sleep_forever, NULL);
	start(lock_forever, NULL);
	say("main joins a thread that calls exit(7)");
	finish(start(end_program, NULL));
	say("not reached");
	return 0;
}
