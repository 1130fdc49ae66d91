/* Threads that compute do not keep others from running, and lose nothing of their state. */
#include "guest.h"

#include <stdatomic.h>

static volatile int stop;
static pthread_spinlock_t spin;
static atomic_int turn, computing;

/* Lives in vector registers throughout. */
static void *compute(void *arg)
{
	double a = 1, b = 2, c = 3, d = 4;

	(void)arg;
	for (long rounds = 0; !stop; rounds++) {
		if (rounds == 1)
			atomic_fetch_add(&computing, 1);
		for (int i = 0; i < 1000; i++) {
			a = a * 1.5 + 1;
			b = b * 1.5 + 1;
			c = c * 1.5 + 1;
			d = d * 1.5 + 1;
			if (a > 1e6) {
				a = 1;
				b = 2;
				c = 3;
				d = 4;
			}
			check(a < b && b < c && c < d);
		}
	}
	return NULL;
}

static void *take_spinlock(void *arg)
{
	(void)arg;
	check(pthread_spin_lock(&spin) == 0);
	check(pthread_spin_unlock(&spin) == 0);
	return NULL;
}

/* Two threads that hand a turn to each other by nothing but memory. */
static void *take_turns(void *arg)
{
	int me = arg != NULL;

	for (int i = 0; i < 3; i++) {
		while (atomic_load(&turn) != me)
			;
		atomic_store(&turn, !me);
	}
	return NULL;
}

static void *allocate(void *arg)
{
	(void)arg;
	while (!stop) {
		char *block[16];

		for (int i = 0; i < 16; i++)
			block[i] = memset(malloc((size_t)100 << i % 8), i, 100);
		for (int i = 0; i < 16; i++) {
			check(block[i][99] == i);
			free(block[i]);
		}
	}
	return NULL;
}

static void *create(void *arg)
{
	(void)arg;
	while (!stop)
		become_threaded();
	return NULL;
}

int main(void)
{
	pthread_t threads[8], spinner;

	check(pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE) == 0);
	check(pthread_spin_lock(&spin) == 0);
	for (int i = 0; i < 3; i++)
		threads[i] = start(compute, NULL);
	spinner = start(take_spinlock, NULL);
	usleep(20000);
	check(pthread_spin_unlock(&spin) == 0);
	finish(spinner);
	say("main slept, and the lock was taken");
	threads[3] = start(take_turns, NULL);
	finish(start(take_turns, &turn));
	finish(threads[3]);
	say("turns were taken");
	for (int i = 3; i < 6; i++)
		threads[i] = start(allocate, NULL);
	for (int i = 6; i < 8; i++)
		threads[i] = start(create, NULL);
	usleep(300000);
	while (atomic_load(&computing) < 3)
		usleep(1000);
	stop = 1;
	for (int i = 0; i < 8; i++)
		if (i != 3)
			finish(threads[i]);
	finish(threads[3]);
	say("all came to an end");
	return 0;
}
