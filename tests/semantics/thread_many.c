/* Thousands of threads at once, all asleep on one condition, all woken, all joined; twice. */
#include "guest.h"

#define THREADS 4000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived_changed = PTHREAD_COND_INITIALIZER;
static pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
static int arrived, is_open;

static void *wait_for_opening(void *arg)
{
	pthread_mutex_lock(&lock);
	if (++arrived == THREADS)
		pthread_cond_signal(&arrived_changed);
	while (!is_open)
		pthread_cond_wait(&opened, &lock);
	pthread_mutex_unlock(&lock);
	return arg;
}

static void run_crowd(void)
{
	static pthread_t threads[THREADS];
	pthread_attr_t attr;
	long sum = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 32 << 10);
	arrived = is_open = 0;
	for (long i = 0; i < THREADS; i++)
		check(pthread_create(&threads[i], &attr, wait_for_opening, (void *)i) == 0);

	pthread_mutex_lock(&lock);
	while (arrived < THREADS)
		pthread_cond_wait(&arrived_changed, &lock);
	is_open = 1;
	pthread_cond_broadcast(&opened);
	pthread_mutex_unlock(&lock);

	for (int i = 0; i < THREADS; i++)
		sum += (long)finish(threads[i]);
	say("%d threads at once, sum of their values %ld", arrived, sum);
}

int main(void)
{
	run_crowd();
	run_crowd();
	for (int i = 0; i < 5000; i++)
		become_threaded();
	say("5000 threads one after another");
	return 0;
}
