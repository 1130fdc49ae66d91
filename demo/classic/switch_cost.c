/*
 * What a switch costs: twenty million of them between two coroutines, against as many plain calls of a
 * function. The figures go to stderr, since they are others each time.
 *
 *     switch_cost [SWITCHES]
 */
#include <stdio.h>
#include <stdlib.h>
#include <weft.h>

#define ROUNDS 100

static long turns; /* of both together */

/* What a call and a turn both do; kept from being worked out beforehand. */
static __attribute__((noinline)) void *take_turn(void *value)
{
	__asm__ volatile("" : : : "memory");
	turns++;
	return value;
}

static void *take_turns(void *value)
{
	weft_co *starter = weft_co_parent(weft_co_current());

	do
		take_turn(value);
	while (weft_switch(starter, value, &value) == 0);
	return value;
}

static double call(long times)
{
	int64_t started_ns = weft_now();

	for (long i = 0; i < times; i++)
		take_turn(NULL);
	return (double)(weft_now() - started_ns) / (double)times;
}

/* Two switches each time: there and back. */
static double switch_to_and_fro(weft_co *co, long times)
{
	int64_t started_ns = weft_now();

	for (long i = 0; i < times; i += 2) {
		if (weft_switch(co, NULL, NULL) != 0)
			exit(1);
		take_turn(NULL);
	}
	return (double)(weft_now() - started_ns) / (double)times;
}

static double least(double a, double b)
{
	return a < b ? a : b;
}

/* In rounds, of which the fastest counts: other programs may run in between. */
int main(int argc, char **argv)
{
	long times = (argc > 1 ? atol(argv[1]) : 20000000) / (2 * ROUNDS) * 2;
	double called_ns = 1e9, switched_ns = 1e9;
	weft_co *co;

	if (times < 2 || weft_co_new(&co, take_turns, 0) != 0)
		return 1;
	for (int round = 0; round < ROUNDS; round++)
		called_ns = least(called_ns, call(times));
	printf("calls: %ld\n", turns);
	turns = 0;
	for (int round = 0; round < ROUNDS; round++)
		switched_ns = least(switched_ns, switch_to_and_fro(co, times));
	printf("switches: %ld\n", turns);
	printf("a switch costs more than a call: %s\n", switched_ns > called_ns ? "yes" : "no");
	printf("a switch costs less than a hundred calls: %s\n",
	       switched_ns < 100 * called_ns ? "yes" : "no");
	fprintf(stderr, "%.2f ns a call, %.2f ns a switch\n", called_ns, switched_ns);
	return weft_co_free(co) != 0;
}
