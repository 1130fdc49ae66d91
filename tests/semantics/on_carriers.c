/* Tell on how many kernel threads the threads have run, once they are as many as argument 1 says. */
#include "guest.h"

#include <stdatomic.h>

#define THREADS 6
#define MOST 64

static atomic_int ids[MOST], known, enough;

/* Which kernel thread this is, which gettid(2) does not tell of a task. */
static int kernel_thread(void)
{
	char target[64] = "";
	long n;

	/* "PID/task/TID", by a call that the kernel answers for who makes it. */
	n = readlink("/proc/thread-self", target, sizeof(target) - 1);
	check(n > 0);
	return atoi(strrchr(target, '/') + 1);
}

static void note(int id)
{
	for (int i = 0; i < MOST; i++) {
		int free = 0;

		if (atomic_compare_exchange_strong(&ids[i], &free, id)) {
			atomic_fetch_add(&known, 1);
			return;
		}
		if (free == id)
			return;
	}
}

static void *run_until_enough(void *arg)
{
	while (atomic_load(&known) < atomic_load(&enough)) {
		note(kernel_thread());
		for (volatile int i = 0; i < 100000; i++)
			;
	}
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];

	atomic_store(&enough, argc > 1 ? atoi(argv[1]) : 1);
	for (int i = 0; i < THREADS; i++)
		threads[i] = start(run_until_enough, NULL);
	for (int i = 0; i < THREADS; i++)
		finish(threads[i]);
	say("kernel threads that ran tasks: %d", atomic_load(&known));
	return 0;
}
