/* pthread_kill to threads that sleep and threads that run, one at a time: each is handled once. */
#include "guest.h"

#include <sched.h>

#define THREADS 6
#define ROUNDS 1000

static volatile int handled[THREADS], begun, stop, misplaced;
static __thread int self = -1;

static void count(int number)
{
	(void)number;
	if (self < 0)
		misplaced = 1;
	else
		handled[self]++;
}

static void *sleep_often(void *arg)
{
	self = (int)(intptr_t)arg;
	__atomic_add_fetch(&begun, 1, __ATOMIC_SEQ_CST);
	while (!stop)
		usleep(1000);
	return NULL;
}

static __thread volatile long work;

static void *run_often(void *arg)
{
	self = (int)(intptr_t)arg;
	__atomic_add_fetch(&begun, 1, __ATOMIC_SEQ_CST);
	while (!stop) {
		for (int i = 0; i < 1000; i++)
			work++;
		sched_yield();
	}
	return NULL;
}

int main(void)
{
	struct sigaction action = {.sa_handler = count, .sa_flags = SA_RESTART};
	pthread_t threads[THREADS];

	check(sigaction(SIGUSR1, &action, NULL) == 0);
	for (int i = 0; i < THREADS; i++)
		threads[i] = start(i % 2 ? run_often : sleep_often, (void *)(intptr_t)i);
	while (begun < THREADS)
		usleep(100);
	for (int round = 1; round <= ROUNDS; round++)
		for (int i = 0; i < THREADS; i++) {
			check(pthread_kill(threads[i], SIGUSR1) == 0);
			while (handled[i] < round)
				usleep(50);
		}
	stop = 1;
	for (int i = 0; i < THREADS; i++) {
		finish(threads[i]);
		say("thread %d handled %d", i, handled[i]);
	}
	say("in a thread that was not meant: %d", misplaced);
	return 0;
}
