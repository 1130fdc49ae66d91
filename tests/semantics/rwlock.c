/* Read-write locks: many readers together, a writer alone, and what they answer. */
#include "guest.h"

#define READERS 10
#define WRITERS 5

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t all_reading;
static volatile int first, second, torn;

static void *read_together(void *arg)
{
	pthread_rwlock_rdlock(&lock);
	pthread_barrier_wait(&all_reading);
	pthread_rwlock_unlock(&lock);
	return arg;
}

static void *write_pair(void *arg)
{
	for (int i = 0; i < 100; i++) {
		pthread_rwlock_wrlock(&lock);
		first++;
		if (i % 20 == 0)
			usleep(100);
		sched_yield();
		second++;
		pthread_rwlock_unlock(&lock);
	}
	return arg;
}

static void *read_pair(void *arg)
{
	for (int i = 0; i < 100; i++) {
		pthread_rwlock_rdlock(&lock);
		if (first != second)
			__atomic_add_fetch(&torn, 1, __ATOMIC_RELAXED);
		sched_yield();
		if (first != second)
			__atomic_add_fetch(&torn, 1, __ATOMIC_RELAXED);
		pthread_rwlock_unlock(&lock);
	}
	return arg;
}

static void *try_all(void *arg)
{
	struct timespec deadline = in_ms(CLOCK_REALTIME, 10);

	say("%s", (const char *)arg);
	show_error(pthread_rwlock_trywrlock(&lock));
	show_error(pthread_rwlock_timedwrlock(&lock, &deadline));
	if (pthread_rwlock_tryrdlock(&lock) == 0) {
		say("read lock taken");
		show_error(pthread_rwlock_unlock(&lock));
	} else {
		show_error(pthread_rwlock_timedrdlock(&lock, &deadline));
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[READERS + WRITERS];

	pthread_barrier_init(&all_reading, NULL, READERS);
	for (int i = 0; i < READERS; i++)
		threads[i] = start(read_together, NULL);
	for (int i = 0; i < READERS; i++)
		finish(threads[i]);
	say("%d readers were inside together", READERS);

	for (int i = 0; i < READERS + WRITERS; i++)
		threads[i] = start(i % 3 == 0 ? write_pair : read_pair, NULL);
	for (int i = 0; i < READERS + WRITERS; i++)
		finish(threads[i]);
	say("written %d and %d, seen torn %d", first, second, torn);

	show_error(pthread_rwlock_rdlock(&lock));
	finish(start(try_all, "main reads"));
	show_error(pthread_rwlock_unlock(&lock));
	show_error(pthread_rwlock_wrlock(&lock));
	finish(start(try_all, "main writes"));
	show_error(pthread_rwlock_rdlock(&lock));
	show_error(pthread_rwlock_wrlock(&lock));
	show_error(pthread_rwlock_unlock(&lock));
	return 0;
}
