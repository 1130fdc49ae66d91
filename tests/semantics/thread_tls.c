/* What belongs to each thread alone: __thread variables, errno, keys and their destructors. */
#include "guest.h"

#define THREADS 50

static __thread int counter = 100;
static __thread char area[5000];
static pthread_key_t key, rounds_key;
static int destroyed, rounds;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void destroy(void *value)
{
	pthread_mutex_lock(&lock);
	destroyed += (int)(intptr_t)value;
	pthread_mutex_unlock(&lock);
}

static void come_back(void *value)
{
	rounds++;
	pthread_setspecific(rounds_key, value);
}

static void *use_all(void *arg)
{
	int number = (int)(intptr_t)arg;
	int right = counter == 100 && area[4999] == 0 && pthread_getspecific(key) == NULL;

	pthread_setspecific(key, arg);
	area[4999] = 1;
	for (int i = 0; i < number; i++) {
		counter++;
		errno = number;
		usleep(100);
		right &= errno == number;
		right &= close(-1) == -1 && errno == EBADF;
	}
	right &= counter == 100 + number && pthread_getspecific(key) == arg;
	return (void *)(intptr_t)right;
}

static void *set_rounds_key(void *arg)
{
	pthread_setspecific(rounds_key, arg);
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];
	int right = 0;

	show_error(pthread_key_create(&key, destroy));
	for (intptr_t i = 0; i < THREADS; i++)
		threads[i] = start(use_all, (void *)(i + 1));
	for (int i = 0; i < THREADS; i++)
		right += (int)(intptr_t)finish(threads[i]);
	say("threads that found their own values: %d", right);
	say("sum over destructors: %d", destroyed);
	say("main's counter: %d", counter);

	show_error(pthread_key_create(&rounds_key, come_back));
	finish(start(set_rounds_key, &rounds));
	say("a destructor that sets its key again runs %d times", rounds);
	show_error(pthread_key_delete(rounds_key));
	show_error(pthread_setspecific(rounds_key, &rounds));
	return 0;
}
