/* Threads that compute for so long each, and one that only waits: the statistics are to tell which do. */
#include "guest.h"

static int end[2];

static int64_t used_ns(void)
{
	return now_ns(CLOCK_PROCESS_CPUTIME_ID);
}

/* Asks for the time seldom: the call may make way, too. */
static void compute_for(int64_t ms)
{
	int64_t end_ns = used_ns() + ms * 1000000;
	volatile unsigned long x = 1;

	do
		for (int i = 0; i < 3000000; i++)
			x = x * 6364136223846793005UL + 1;
	while (used_ns() < end_ns);
}

void *wait_only(void *arg);
void *compute_most(void *arg);
void *compute_less(void *arg);

void *wait_only(void *arg)
{
	char byte;

	check(read(end[0], &byte, 1) == 1);
	return arg;
}

void *compute_most(void *arg)
{
	compute_for(600);
	return arg;
}

void *compute_less(void *arg)
{
	compute_for(100);
	return arg;
}

static void *compute_unnamed(void *arg)
{
	compute_for(300);
	return arg;
}

int main(void)
{
	pthread_t waiting;

	check(pipe(end) == 0);
	waiting = start(wait_only, NULL);
	finish(start(compute_less, NULL));
	finish(start(compute_most, NULL));
	finish(start(compute_unnamed, NULL));
	write_all(end[1], "x", 1);
	finish(waiting);
	say("all have computed");
	return 0;
}
