/* pthread_once: once only, and nobody passes before it is done; again after a cancelled try. */
#include "guest.h"

#define THREADS 40

static pthread_once_t once = PTHREAD_ONCE_INIT, cancelled_once = PTHREAD_ONCE_INIT;
static int calls, ready, tries;

static void initialise_slowly(void)
{
	calls++;
	usleep(20000);
	ready = 1;
}

static void *pass_once(void *arg)
{
	(void)arg;
	pthread_once(&once, initialise_slowly);
	return (void *)(intptr_t)ready;
}

static void give_up_first(void)
{
	if (tries++ == 0)
		pthread_exit((void *)1);
}

static void *pass_cancelled_once(void *arg)
{
	pthread_once(&cancelled_once, give_up_first);
	return arg;
}

int main(void)
{
	pthread_t threads[THREADS];
	long found_ready = 0;

	for (int i = 0; i < THREADS; i++)
		threads[i] = start(pass_once, NULL);
	for (int i = 0; i < THREADS; i++)
		found_ready += (long)finish(threads[i]);
	say("calls: %d, threads that found it done: %ld", calls, found_ready);

	say("first try ends its thread with %ld",
	    (long)finish(start(pass_cancelled_once, (void *)2)));
	say("second try gives %ld", (long)finish(start(pass_cancelled_once, (void *)2)));
	say("tries: %d", tries);
	return 0;
}
