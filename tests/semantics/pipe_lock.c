/* A byte in a pipe as a lock: who takes it over and over does not keep the others out. */
#include "guest.h"

static int ends[2];
static volatile bool stop;

static void take(void)
{
	char byte;

	check(read(ends[0], &byte, 1) == 1);
}

static void give(void)
{
	check(write(ends[1], "*", 1) == 1);
}

static void *take_and_give(void *extra_calls)
{
	while (!stop) {
		take();
		for (int i = 0; i < *(int *)extra_calls; i++)
			check(write(-1, "", 0) == -1);
		give();
	}
	return NULL;
}

static void *take_once(void *arg)
{
	take();
	stop = true;
	give();
	return arg;
}

int main(void)
{
	check(pipe(ends) == 0);
	for (int extra_calls = 0; extra_calls < 6; extra_calls++) {
		pthread_t busy = start(take_and_give, &extra_calls), other;
		char byte;

		other = start(take_once, NULL);
		stop = false;
		give();
		finish(other);
		finish(busy);
		check(read(ends[0], &byte, 1) == 1);
		say("taken, with %d calls in between", extra_calls);
	}
	return 0;
}
