/* Threads that take turns by nothing but sched_yield and a shared word all get their turns. */
#include "guest.h"

#include <sched.h>

#define THREADS 4
#define TURNS 500

static volatile int turn;
static int order_kept = 1;

static void *take_turns(void *arg)
{
	int number = (int)(intptr_t)arg;

	for (int i = 0; i < TURNS; i++) {
		while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) % THREADS != number)
			sched_yield();
		order_kept &= turn == i * THREADS + number;
		__atomic_add_fetch(&turn, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];

	for (intptr_t i = 0; i < THREADS; i++)
		threads[i] = start(take_turns, (void *)i);
	for (int i = 0; i < THREADS; i++)
		finish(threads[i]);
	say("turns: %d, in order: %d", turn, order_kept);
	return 0;
}
