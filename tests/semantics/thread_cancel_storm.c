/* Cancelling three thousand threads at whatever point they are: each cleans up once. */
#include "guest.h"

#include <sched.h>

#define THREADS 3000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static int pipe_fds[2], cleaned;

static void clean(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&cleaned, 1, __ATOMIC_SEQ_CST);
}

static void unlock(void *mutex)
{
	pthread_mutex_unlock(mutex);
}

static void wait_for_ever(int how)
{
	char byte;

	switch (how) {
	case 0:
		check(read(pipe_fds[0], &byte, 1) == 1);
		break;
	case 1:
		for (;;)
			usleep(100);
	case 2:
		pthread_mutex_lock(&lock);
		pthread_cleanup_push(unlock, &lock);
		for (;;)
			pthread_cond_wait(&never, &lock);
		pthread_cleanup_pop(0);
		break;
	case 3:
		for (;;) {
			pthread_testcancel();
			sched_yield();
		}
	default:
		pause();
	}
}

static void *be_cancelled(void *arg)
{
	pthread_cleanup_push(clean, NULL);
	wait_for_ever((int)((unsigned int)(uintptr_t)arg * 2654435761U % 5));
	pthread_cleanup_pop(0);
	return NULL;
}

int main(void)
{
	int cancelled = 0;

	check(pipe(pipe_fds) == 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_t thread = start(be_cancelled, (void *)(intptr_t)i);

		if (i % 3 == 0)
			usleep((useconds_t)(i % 97));
		else if (i % 3 == 1)
			sched_yield();
		check(pthread_cancel(thread) == 0);
		cancelled += finish(thread) == PTHREAD_CANCELED;
	}
	say("cancelled %d, cleaned up %d", cancelled, cleaned);
	return 0;
}
