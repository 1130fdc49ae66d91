/* Priority-inheriting mutexes exclude and time out like others. */
#include "guest.h"

#define THREADS 10

static pthread_mutex_t mutex;
static volatile int inside, most_inside, total;

static void *work_inside(void *arg)
{
	for (int i = 0; i < 50; i++) {
		check(pthread_mutex_lock(&mutex) == 0);
		if (++inside > most_inside)
			most_inside = inside;
		if (i % 10 == 0)
			usleep(100);
		total++;
		inside--;
		check(pthread_mutex_unlock(&mutex) == 0);
	}
	return arg;
}

static void *try_as_other(void *arg)
{
	struct timespec deadline = in_ms(CLOCK_REALTIME, 10);

	show_error(pthread_mutex_trylock(&mutex));
	show_error(pthread_mutex_timedlock(&mutex, &deadline));
	return arg;
}

int main(void)
{
	pthread_t threads[THREADS];
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	show_error(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT));
	show_error(pthread_mutex_init(&mutex, &attr));
	pthread_mutex_lock(&mutex);
	finish(start(try_as_other, NULL));
	pthread_mutex_unlock(&mutex);
	for (int i = 0; i < THREADS; i++)
		threads[i] = start(work_inside, NULL);
	for (int i = 0; i < THREADS; i++)
		finish(threads[i]);
	say("%d rounds, at most %d inside", total, most_inside);
	return 0;
}
