/*
 * What threads cost, one measure at a time.
 *
 *     micro create [BATCHES]             pthread_create + pthread_join
 *     micro handoff [BATCHES]            mutex + condition, from one thread to the other and back
 *     micro yield [BATCHES]              sched_yield between two threads
 *     micro park THREADS STACK_KB        memory and times of threads parked in pthread_cond_wait
 *     micro most THREADS STACK_KB        how many threads there can be at once, up to THREADS
 *     micro usage PID                    what a process costs now
 *     micro exec RUNS A [ARG].. -- B [ARG]..    to start a program and wait for it, A and B in turn
 *
 * STACK_KB 0 is the default stack size. Each prints one line of name=value
 * words; of times, the median over the batches or runs.
 */
#include "usage.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_BATCHES 15
#define MOST_BATCHES 1000
#define CREATE_BATCH 500
#define HANDOFF_BATCH 10000
#define YIELD_BATCH 20000

extern char **environ;

static double samples[2][MOST_BATCHES];

static _Noreturn void die(const char *what, int err)
{
	fprintf(stderr, "micro: %s: %s\n", what, strerror(err));
	exit(1);
}

static _Noreturn void usage_error(void)
{
	fprintf(stderr, "usage: micro create|handoff|yield [BATCHES]\n"
			"       micro park|most THREADS STACK_KB\n"
			"       micro usage PID\n"
			"       micro exec RUNS A [ARG].. -- B [ARG]..\n");
	exit(2);
}

static double clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static double now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
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

static void start(pthread_t *thread, void *(*entry)(void *), void *arg)
{
	int err = pthread_create(thread, NULL, entry, arg);

	if (err != 0)
		die("pthread_create", err);
}

/* The first batch warms caches and code up, and does not count. */
static void report_batches(const char *name, long batches, double (*run_batch)(void))
{
	run_batch();
	for (long i = 0; i < batches; i++)
		samples[0][i] = run_batch();
	printf("%s=%.1f\n", name, median(samples[0], batches));
}

static void *return_at_once(void *arg)
{
	return arg;
}

static double create_batch(void)
{
	double started_ns = now_ns();

	for (long i = 0; i < CREATE_BATCH; i++) {
		pthread_t thread;

		start(&thread, return_at_once, NULL);
		pthread_join(thread, NULL);
	}
	return (now_ns() - started_ns) / CREATE_BATCH;
}

static struct {
	pthread_mutex_t lock;
	pthread_cond_t passed;
	int holder; /* 0 or 1: whose turn it is */
} ball = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};

static void *hand_to_and_fro(void *arg)
{
	int self = arg != NULL;

	pthread_mutex_lock(&ball.lock);
	for (long i = 0; i < HANDOFF_BATCH; i++) {
		while (ball.holder != self)
			pthread_cond_wait(&ball.passed, &ball.lock);
		ball.holder = !self;
		pthread_cond_signal(&ball.passed);
	}
	pthread_mutex_unlock(&ball.lock);
	return NULL;
}

static double handoff_batch(void)
{
	pthread_t other;
	double started_ns;

	start(&other, hand_to_and_fro, &ball);
	started_ns = now_ns();
	hand_to_and_fro(NULL);
	pthread_join(other, NULL);
	return (now_ns() - started_ns) / (2.0 * HANDOFF_BATCH);
}

static void *yield_often(void *arg)
{
	for (long i = 0; i < YIELD_BATCH; i++)
		sched_yield();
	return arg;
}

/*
 * Two threads in the same code: from whichever a yield returns, the processor
 * has predicted the right place. With the main thread as one of the two, a
 * wrong prediction (some 8 ns) counts as part of the switch.
 */
static double yield_batch(void)
{
	pthread_t threads[2];
	double started_ns = now_ns();

	start(&threads[0], yield_often, NULL);
	start(&threads[1], yield_often, NULL);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	return (now_ns() - started_ns) / (2.0 * YIELD_BATCH);
}

static struct {
	pthread_mutex_t lock;
	pthread_cond_t arrived;
	pthread_cond_t opened;
	pthread_cond_t left;
	long waiting;
	bool open;
} gate = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.arrived = PTHREAD_COND_INITIALIZER,
	.opened = PTHREAD_COND_INITIALIZER,
	.left = PTHREAD_COND_INITIALIZER,
};

static void *wait_at_gate(void *arg)
{
	pthread_mutex_lock(&gate.lock);
	gate.waiting++;
	pthread_cond_signal(&gate.arrived);
	while (!gate.open)
		pthread_cond_wait(&gate.opened, &gate.lock);
	if (--gate.waiting == 0)
		pthread_cond_signal(&gate.left);
	pthread_mutex_unlock(&gate.lock);
	return arg;
}

static void await_arrivals(long threads)
{
	pthread_mutex_lock(&gate.lock);
	while (gate.waiting < threads)
		pthread_cond_wait(&gate.arrived, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
}

static void open_gate(void)
{
	pthread_mutex_lock(&gate.lock);
	gate.open = true;
	pthread_cond_broadcast(&gate.opened);
	pthread_mutex_unlock(&gate.lock);
}

/* Start threads that wait at the gate; how many it came to, and why not more. */
static long gather(pthread_t *threads, long count, long stack_kb, int *err)
{
	pthread_attr_t attr;
	long i;

	pthread_attr_init(&attr);
	*err = stack_kb > 0 ? pthread_attr_setstacksize(&attr, (size_t)stack_kb * 1024) : 0;
	if (*err != 0)
		die("stack size", *err);
	for (i = 0; i < count && *err == 0; i++)
		*err = pthread_create(&threads[i], &attr, wait_at_gate, NULL);
	pthread_attr_destroy(&attr);
	return *err == 0 ? i : i - 1;
}

static pthread_t *thread_list(long count)
{
	pthread_t *threads = malloc((size_t)count * sizeof(*threads));

	if (threads == NULL)
		die("memory", ENOMEM);
	/* Touched now, the list does not count as memory of the threads. */
	memset(threads, 1, (size_t)count * sizeof(*threads));
	return threads;
}

static long own_memory_kb(void)
{
	struct usage usage;
	int err = usage_read(getpid(), &usage);

	if (err != 0)
		die("usage", -err);
	return usage.memory_kb;
}

/* Microseconds of processor time since the last call, a thread. */
static double lap_us(long threads)
{
	static double last_ns;
	double begun_ns = last_ns;

	last_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	return threads > 0 ? (last_ns - begun_ns) / 1e3 / (double)threads : 0;
}

static void await_departures(void)
{
	pthread_mutex_lock(&gate.lock);
	while (gate.waiting > 0)
		pthread_cond_wait(&gate.left, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
}

/*
 * Make threads, wait until all are parked, let all go, wait until each has run, join them: what one
 * costs, in memory and in time. With a first thread before the baseline, what comes once per process
 * is out. Times a thread are of the processor; left_kb is kept of each when all are gone.
 */
static void run_threads(long count, long stack_kb)
{
	pthread_t *threads = thread_list(count);
	pthread_t first;
	double started_ns, all_us, create_us, park_us, wake_us, join_us;
	long before_kb, after_kb, left_kb, made;
	int err;

	start(&first, wait_at_gate, NULL);
	await_arrivals(1);
	own_memory_kb();
	before_kb = own_memory_kb();
	started_ns = now_ns();
	lap_us(0);
	made = gather(threads, count, stack_kb, &err);
	create_us = lap_us(made);
	await_arrivals(made + 1);
	park_us = lap_us(made);
	after_kb = own_memory_kb();
	lap_us(0);
	open_gate();
	await_departures();
	wake_us = lap_us(made);
	for (long i = 0; i < made; i++)
		pthread_join(threads[i], NULL);
	pthread_join(first, NULL);
	join_us = lap_us(made);
	all_us = (now_ns() - started_ns) / 1e3;
	left_kb = own_memory_kb() - before_kb;
	printf("threads=%ld asked=%ld kb_per_thread=%.2f left_kb=%.2f cpu_us=%.2f "
	       "create_us=%.2f park_us=%.2f wake_us=%.2f join_us=%.2f all_s=%.2f err=%s\n",
	       made, count, made > 0 ? (double)(after_kb - before_kb) / (double)made : 0.0,
	       made > 0 ? (double)left_kb / (double)made : 0.0,
	       create_us + park_us + wake_us + join_us, create_us, park_us, wake_us, join_us,
	       all_us / 1e6, err != 0 ? strerrorname_np(err) : "none");
	free(threads);
}

static void report_usage(pid_t pid)
{
	struct usage usage;
	int err = usage_read(pid, &usage);

	if (err != 0)
		die("usage", -err);
	printf("cpu_us=%.0f kb=%ld threads=%ld\n", (double)usage.cpu_ns / 1e3, usage.memory_kb,
	       usage.threads);
}

static double run_us(char **argv)
{
	double started_ns = now_ns();
	pid_t child;
	int status;
	int err = posix_spawnp(&child, argv[0], NULL, NULL, argv, environ);

	if (err != 0)
		die(argv[0], err);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			die("waitpid", errno);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		fprintf(stderr, "micro: %s failed, status 0x%x\n", argv[0], (unsigned int)status);
		exit(1);
	}
	return (now_ns() - started_ns) / 1e3;
}

static void compare_starts(long runs, char **argv)
{
	char **a = argv;
	char **b = argv;

	while (*b != NULL && strcmp(*b, "--") != 0)
		b++;
	if (b == a || *b == NULL || b[1] == NULL)
		usage_error();
	*b++ = NULL;
	run_us(a);
	run_us(b);
	for (long i = 0; i < runs; i++) {
		samples[0][i] = run_us(a);
		samples[1][i] = run_us(b);
	}
	printf("a_us=%.1f b_us=%.1f\n", median(samples[0], runs), median(samples[1], runs));
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	long batches = DEFAULT_BATCHES;

	if (strcmp(mode, "park") == 0 || strcmp(mode, "most") == 0) {
		long count = number(argv[2], 1, 10000000);

		run_threads(count, number(argv[3], 0, 1L << 30));
		return 0;
	}
	if (strcmp(mode, "usage") == 0) {
		report_usage((pid_t)number(argv[2], 1, 1L << 30));
		return 0;
	}
	if (strcmp(mode, "exec") == 0) {
		compare_starts(number(argv[2], 1, MOST_BATCHES), argv + 3);
		return 0;
	}
	if (argc > 2)
		batches = number(argv[2], 1, MOST_BATCHES);
	if (strcmp(mode, "create") == 0)
		report_batches("create_join_ns", batches, create_batch);
	else if (strcmp(mode, "handoff") == 0)
		report_batches("handoff_ns", batches, handoff_batch);
	else if (strcmp(mode, "yield") == 0)
		report_batches("yield_ns", batches, yield_batch);
	else
		usage_error();
	return 0;
}
