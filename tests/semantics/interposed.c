/* A program whose threads are begun by a library in front of libc (create_library.c). */
#include "guest.h"

#include <stdatomic.h>

extern atomic_int threads_begun;

static pthread_barrier_t barrier;

static void *meet(void *arg)
{
	pthread_barrier_wait(&barrier);
	return arg;
}

int main(void)
{
	pthread_t threads[8];

	pthread_barrier_init(&barrier, NULL, 9);
	for (int i = 0; i < 8; i++)
		threads[i] = start(meet, NULL);
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < 8; i++)
		finish(threads[i]);
	say("threads begun: %d", threads_begun);
	return 23;
}
