/*
 * What tasks and coroutines of weft's own cost, one measure at a time.
 *
 *     native switch [BATCHES]            between two coroutines, from one function to another
 *     native yield [BATCHES]             between two tasks
 *     native make [BATCHES]              make a coroutine, run it to its end, free it
 *     native spawn_join [BATCHES]        spawn a task and join it
 *     native park TASKS                  memory and times of tasks that sleep
 *
 * Each prints one line of name=value words; of times, the median over the batches.
 */
#include "usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weft.h>

#define DEFAULT_BATCHES 15
#define MOST_BATCHES 1000
#define SWITCH_BATCH 1000000
#define MAKE_BATCH 100000

static double samples[MOST_BATCHES];

static _Noreturn void die(const char *what, int err)
{
	fprintf(stderr, "native: %s: %s\n", what, strerror(-err));
	exit(1);
}

static void must(const char *what, int err)
{
	if (err < 0)
		die(what, err);
}

static _Noreturn void usage_error(void)
{
	fprintf(stderr, "usage: native switch|yield|make|spawn_join [BATCHES]\n"
			"       native park TASKS\n");
	exit(2);
}

static double now_ns(void)
{
	return (double)weft_now();
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a;
	double right = *(const double *)b;

	return (left > right) - (left < right);
}

static double median(double *values, long count)
{
	qsort(values, (size_t)count, sizeof(*values), compare);
	return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

static long number(const char *text, long least, long most)
{
	char *end;
	long value = text != NULL ? strtol(text, &end, 10) : least - 1;

	if (value < least || value > most || *end != '\0')
		usage_error();
	return value;
}

/* The first batch warms caches and code up, and does not count. */
static void report_batches(const char *name, long batches, double (*run_batch)(void))
{
	run_batch();
	for (long i = 0; i < batches; i++)
		samples[i] = run_batch();
	printf("%s=%.2f\n", name, median(samples, batches));
}

static void *switch_back(void *value)
{
	weft_co *starter = weft_co_parent(weft_co_current());

	for (;;)
		if (weft_switch(starter, value, &value) != 0)
			return NULL;
}

static double switch_batch(void)
{
	void *value = NULL;
	double started_ns;
	weft_co *co;

	must("weft_co_new", weft_co_new(&co, switch_back, 0));
	started_ns = now_ns();
	for (long i = 0; i < SWITCH_BATCH; i++)
		weft_switch(co, value, &value);
	started_ns = now_ns() - started_ns;
	must("weft_co_free", weft_co_free(co));
	return started_ns / (2.0 * SWITCH_BATCH);
}

static void *return_at_once(void *value)
{
	return value;
}

static double make_batch(void)
{
	double started_ns = now_ns();

	for (long i = 0; i < MAKE_BATCH; i++) {
		weft_co *co;

		must("weft_co_new", weft_co_new(&co, return_at_once, 0));
		weft_switch(co, NULL, NULL);
		weft_co_free(co);
	}
	return (now_ns() - started_ns) / MAKE_BATCH;
}

static double spawn_batch(void)
{
	double started_ns = now_ns();

	for (long i = 0; i < MAKE_BATCH; i++) {
		weft_task *task;

		must("weft_spawn", weft_spawn(&task, return_at_once, NULL));
		weft_join(task, WEFT_FOREVER);
		weft_release(task);
	}
	return (now_ns() - started_ns) / MAKE_BATCH;
}

static void *yield_often(void *arg)
{
	for (long i = 0; i < SWITCH_BATCH; i++)
		weft_yield();
	return arg;
}

static double yield_batch(void)
{
	weft_task *tasks[2];
	double started_ns = now_ns();

	for (int i = 0; i < 2; i++)
		must("weft_spawn", weft_spawn(&tasks[i], yield_often, NULL));
	for (int i = 0; i < 2; i++) {
		weft_join(tasks[i], WEFT_FOREVER);
		weft_release(tasks[i]);
	}
	return (now_ns() - started_ns) / (2.0 * SWITCH_BATCH);
}

static long arrived, gone, slept;
static int64_t wakes_ns;

static void *sleep_once(void *arg)
{
	arrived++;
	slept += weft_sleep(wakes_ns - weft_now()) == 0;
	gone++;
	return arg;
}

static long own_memory_kb(void)
{
	struct usage usage;

	must("usage", usage_read(getpid(), &usage));
	return usage.memory_kb;
}

static double lap_us(double *since_ns, long count)
{
	double now = now_ns(), us = (now - *since_ns) / 1e3 / (double)count;

	*since_ns = now;
	return us;
}

/* They sleep long enough for all to be there, and the sum of what they cost to be read. */
static void *park(void *arg)
{
	long count = *(long *)arg, before_kb, parked_kb, left_kb;
	double create_us, park_us, end_us, since_ns;

	must("weft_spawn", weft_spawn(NULL, return_at_once, NULL));
	weft_sleep(WEFT_MS);
	own_memory_kb();
	before_kb = own_memory_kb();
	wakes_ns = weft_after((3 + count / 50000) * WEFT_S);
	since_ns = now_ns();
	for (long i = 0; i < count; i++)
		must("weft_spawn", weft_spawn(NULL, sleep_once, NULL));
	create_us = lap_us(&since_ns, count);
	while (arrived < count)
		weft_yield();
	park_us = lap_us(&since_ns, count);
	parked_kb = own_memory_kb() - before_kb;
	if (wakes_ns <= weft_now())
		die("they woke too early", 0);
	weft_sleep(wakes_ns - weft_now());
	lap_us(&since_ns, count);
	while (gone < count)
		weft_yield();
	weft_yield();
	end_us = lap_us(&since_ns, count);
	left_kb = own_memory_kb() - before_kb;
	printf("tasks=%ld kb_per_task=%.3f left_kb=%.3f create_us=%.2f park_us=%.2f end_us=%.2f\n",
	       slept, (double)parked_kb / (double)count, (double)left_kb / (double)count, create_us,
	       park_us, end_us);
	return NULL;
}

struct measure {
	const char *mode, *name;
	double (*run_batch)(void);
	long batches;
};

static void *run_measure(void *arg)
{
	const struct measure *measure = arg;

	report_batches(measure->name, measure->batches, measure->run_batch);
	return NULL;
}

int main(int argc, char **argv)
{
	struct measure measures[] = {
		{"switch", "switch_ns", switch_batch, DEFAULT_BATCHES},
		{"yield", "yield_ns", yield_batch, DEFAULT_BATCHES},
		{"make", "make_ns", make_batch, DEFAULT_BATCHES},
		{"spawn_join", "spawn_join_ns", spawn_batch, DEFAULT_BATCHES},
	};
	const char *mode = argc > 1 ? argv[1] : "";

	if (strcmp(mode, "park") == 0) {
		long count = number(argv[2], 1, 10000000);

		must("weft_run", weft_run(park, &count, NULL));
		return 0;
	}
	for (size_t i = 0; i < sizeof(measures) / sizeof(*measures); i++) {
		if (strcmp(mode, measures[i].mode) != 0)
			continue;
		if (argc > 2)
			measures[i].batches = number(argv[2], 1, MOST_BATCHES);
		must("weft_run", weft_run(run_measure, &measures[i], NULL));
		return 0;
	}
	usage_error();
}
