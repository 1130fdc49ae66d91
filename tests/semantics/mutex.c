/* Mutexes of every kind: what they answer, and that they exclude. */
#include "guest.h"

#define THREADS 20
#define ROUNDS 500

static pthread_mutex_t mutex;
static volatile long inside, most_inside, total;

static void init_mutex(int type)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	check(pthread_mutexattr_settype(&attr, type) == 0);
	check(pthread_mutex_init(&mutex, &attr) == 0);
	pthread_mutexattr_destroy(&attr);
}

static void *try_as_other(void *arg)
{
	struct timespec deadline = in_ms(CLOCK_REALTIME, 10);
	struct timespec clock_deadline = in_ms(CLOCK_MONOTONIC, 10);
	struct timespec bad = {0, 1000000000};

	show_error(pthread_mutex_trylock(&mutex));
	show_error(pthread_mutex_timedlock(&mutex, &deadline));
	show_error(pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &clock_deadline));
	show_error(pthread_mutex_timedlock(&mutex, &bad));
	check(now_ns(CLOCK_MONOTONIC) >= to_ns(clock_deadline));
	return arg;
}

static void *unlock_as_other(void *arg)
{
	show_error(pthread_mutex_unlock(&mutex));
	return arg;
}

static void *work_inside(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&mutex);
		inside++;
		if (inside > most_inside)
			most_inside = inside;
		if (i % 50 == 0)
			usleep(100);
		if (i % 7 == 0)
			sched_yield();
		total++;
		inside--;
		pthread_mutex_unlock(&mutex);
	}
	return arg;
}

static void show_exclusion(const char *kind)
{
	pthread_t threads[THREADS];

	most_inside = total = 0;
	for (int i = 0; i < THREADS; i++)
		threads[i] = start(work_inside, NULL);
	for (int i = 0; i < THREADS; i++)
		finish(threads[i]);
	say("%s: %ld rounds, at most %ld inside", kind, total, most_inside);
	check(pthread_mutex_destroy(&mutex) == 0);
}

static void *take_in_time(void *arg)
{
	struct timespec deadline = in_ms(CLOCK_REALTIME, 30000);

	show_error(pthread_mutex_timedlock(&mutex, &deadline));
	show_error(pthread_mutex_unlock(&mutex));
	return arg;
}

int main(void)
{
	pthread_t thread;

	init_mutex(PTHREAD_MUTEX_NORMAL);
	show_error(pthread_mutex_lock(&mutex));
	finish(start(try_as_other, NULL));
	show_error(pthread_mutex_destroy(&mutex));
	thread = start(take_in_time, NULL);
	settle();
	pthread_mutex_unlock(&mutex);
	finish(thread);
	show_exclusion("normal");

	init_mutex(PTHREAD_MUTEX_RECURSIVE);
	show_error(pthread_mutex_lock(&mutex));
	show_error(pthread_mutex_lock(&mutex));
	show_error(pthread_mutex_trylock(&mutex));
	finish(start(try_as_other, NULL));
	finish(start(unlock_as_other, NULL));
	for (int i = 0; i < 4; i++)
		show_error(pthread_mutex_unlock(&mutex));
	show_exclusion("recursive");

	init_mutex(PTHREAD_MUTEX_ERRORCHECK);
	show_error(pthread_mutex_lock(&mutex));
	show_error(pthread_mutex_lock(&mutex));
	finish(start(try_as_other, NULL));
	finish(start(unlock_as_other, NULL));
	show_error(pthread_mutex_unlock(&mutex));
	show_error(pthread_mutex_unlock(&mutex));
	show_exclusion("errorcheck");

	init_mutex(PTHREAD_MUTEX_ADAPTIVE_NP);
	show_exclusion("adaptive");
	return 0;
}
