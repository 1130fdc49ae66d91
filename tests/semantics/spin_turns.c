/*
 * Threads that hand work to each other by nothing but memory get on. With an argument, that many turns
 * are taken; what goes on beside them is left out.
 */
#include "guest.h"

#include <stdatomic.h>

#define THREADS 4

static int turns = 60; /* of kernel threads that share a processor, each takes a slice */
static atomic_int turn;
static atomic_bool stop;
static atomic_long pending[THREADS]; /* as in redis: not 0 while a thread has something to do */
static long done[THREADS];

/* One after the other, in a circle. */
static void *take_turns(void *arg)
{
	int me = *(int *)arg;

	for (int i = me; i < turns; i += THREADS) {
		while (atomic_load(&turn) != i)
			;
		atomic_store(&turn, i + 1);
	}
	return NULL;
}

static void *work(void *arg)
{
	int me = *(int *)arg;
	long order;

	do {
		while ((order = atomic_load(&pending[me])) == 0)
			__builtin_ia32_pause();
		done[me]++;
		atomic_store(&pending[me], 0);
	} while (order > 0);
	return NULL;
}

static bool all_done(void)
{
	long sum = 0;

	for (int i = 0; i < THREADS; i++)
		sum += atomic_load(&pending[i]);
	return sum == 0;
}

/* One gives orders to all, and waits until all are done. */
static void give_orders(void)
{
	for (int round = 0; round < turns / THREADS; round++) {
		for (int i = 0; i < THREADS; i++)
			atomic_store(&pending[i], round + 1 < turns / THREADS ? 1 : -1);
		while (!all_done())
			;
	}
}

static void run(void *(*function)(void *), void (*first)(void))
{
	static int number[THREADS];
	pthread_t thread[THREADS];

	for (int i = 0; i < THREADS; i++) {
		number[i] = i;
		thread[i] = start(function, &number[i]);
	}
	if (first != NULL)
		first();
	for (int i = 0; i < THREADS; i++)
		finish(thread[i]);
}

static bool all_orders_done(void)
{
	for (int i = 0; i < THREADS; i++)
		if (done[i] != turns / THREADS)
			return false;
	return true;
}

static void *wait_for_stop(void *arg)
{
	while (!atomic_load(&stop))
		;
	return arg;
}

/* Big enough to take longer than a turn of those who spin. */
static void fork_some(void)
{
	size_t bytes = (size_t)96 << 20;
	char *memory = malloc(bytes);
	pid_t child;
	int status;

	check(memory != NULL);
	memset(memory, 1, bytes);
	for (int i = 0; i < 5; i++) {
		child = fork();
		check(child >= 0);
		if (child == 0)
			_exit(memory[i] == 1 ? 7 : 8);
		check(waitpid(child, &status, 0) == child);
		check(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	}
	free(memory);
}

static void go_on_beside(void)
{
	pthread_t spinner[2];
	int end[2];
	char byte;

	for (int i = 0; i < 2; i++)
		spinner[i] = start(wait_for_stop, NULL);
	unix_pair(SOCK_STREAM, end);
	for (int i = 0; i < 20; i++) {
		check(usleep(500) == 0);
		check(poll(NULL, 0, 1) == 0);
		check(write(end[0], "x", 1) == 1 && read(end[1], &byte, 1) == 1);
	}
	fork_some();
	atomic_store(&stop, true);
	for (int i = 0; i < 2; i++)
		finish(spinner[i]);
	say("calls were made and children forked beside threads that spin");
}

int main(int argc, char **argv)
{
	if (argc > 1)
		turns = atoi(argv[1]);
	run(take_turns, NULL);
	say("%d turns were taken", atomic_load(&turn));
	run(work, give_orders);
	check(all_orders_done());
	say("all orders were carried out");
	if (argc == 1)
		go_on_beside();
	return 0;
}
