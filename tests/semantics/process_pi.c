/*
 * A robust mutex with priority inheritance in memory that a program and its child share: it
 * excludes, times out, and tells of an owner's end. The child has threads, or none.
 */
#include "guest.h"

#include <sys/mman.h>

#define THREADS 3
#define ROUNDS 100

static struct shared {
	pthread_mutex_t mutex;
	long count;
	uint32_t held, tried;
} * shared;

static void *count(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		long seen;

		check(pthread_mutex_lock(&shared->mutex) == 0);
		seen = shared->count;
		if (i % 8 == 0)
			usleep(10);
		shared->count = seen + 1;
		check(pthread_mutex_unlock(&shared->mutex) == 0);
	}
	return arg;
}

static void run(void *(*each)(void *), int threads)
{
	pthread_t thread[THREADS];

	for (int i = 0; i < threads; i++)
		thread[i] = start(each, NULL);
	each(NULL);
	for (int i = 0; i < threads; i++)
		finish(thread[i]);
}

static void count_with_child(int threads)
{
	pid_t child;
	int status;

	shared->count = 0;
	child = fork();
	if (child == 0) {
		run(count, threads);
		_exit(0);
	}
	run(count, THREADS);
	check(waitpid(child, &status, 0) == child);
	say_status("child", status);
	say("%d threads of the child's: %ld", threads + 1, shared->count);
}

static void wait_for(uint32_t *flag)
{
	while (__atomic_exchange_n(flag, 0, __ATOMIC_SEQ_CST) == 0)
		usleep(1000);
}

static void raise_flag(uint32_t *flag)
{
	__atomic_store_n(flag, 1, __ATOMIC_SEQ_CST);
}

/* The child tries, and when it has tried it waits until the owner is gone. */
static void be_heir(void)
{
	struct timespec deadline;

	wait_for(&shared->held);
	deadline = in_ms(CLOCK_REALTIME, 20);
	show_error(pthread_mutex_trylock(&shared->mutex));
	show_error(pthread_mutex_timedlock(&shared->mutex, &deadline));
	say("not early: %d", now_ns(CLOCK_REALTIME) >= to_ns(deadline));
	raise_flag(&shared->tried);
	show_error(pthread_mutex_lock(&shared->mutex));
	show_error(pthread_mutex_consistent(&shared->mutex));
	show_error(pthread_mutex_unlock(&shared->mutex));
	_exit(0);
}

static void *hold_and_end(void *arg)
{
	check(pthread_mutex_lock(&shared->mutex) == 0);
	raise_flag(&shared->held);
	wait_for(&shared->tried);
	settle();
	return arg;
}

static void leave_to_child(void)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		be_heir();
	finish(start(hold_and_end, NULL));
	check(waitpid(child, &status, 0) == child);
	say_status("heir", status);
	show_error(pthread_mutex_lock(&shared->mutex));
	show_error(pthread_mutex_unlock(&shared->mutex));
}

int main(void)
{
	pthread_mutexattr_t attr;

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(shared != MAP_FAILED);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	check(pthread_mutex_init(&shared->mutex, &attr) == 0);
	become_threaded();
	count_with_child(THREADS);
	count_with_child(0);
	leave_to_child();
	return 0;
}
