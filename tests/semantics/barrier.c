/* A barrier lets nobody pass before all are there, names one of them, and can be used again. */
#include "guest.h"

#define THREADS 30
#define ROUNDS 50

static pthread_barrier_t barrier;
static int arrivals[ROUNDS], serials[ROUNDS], early;

static void *meet(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		__atomic_add_fetch(&arrivals[i], 1, __ATOMIC_SEQ_CST);
		if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
			__atomic_add_fetch(&serials[i], 1, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&arrivals[i], __ATOMIC_SEQ_CST) != THREADS)
			__atomic_add_fetch(&early, 1, __ATOMIC_SEQ_CST);
	}
	return arg;
}

int main(void)
{
	pthread_t threads[THREADS];
	int named_once = 0;

	show_error(pthread_barrier_init(&barrier, NULL, 0));
	show_error(pthread_barrier_init(&barrier, NULL, THREADS));
	for (int i = 0; i < THREADS; i++)
		threads[i] = start(meet, NULL);
	for (int i = 0; i < THREADS; i++)
		finish(threads[i]);
	for (int i = 0; i < ROUNDS; i++)
		named_once += serials[i] == 1;
	say("passed early: %d, rounds with one serial thread: %d", early, named_once);
	show_error(pthread_barrier_destroy(&barrier));
	return 0;
}
