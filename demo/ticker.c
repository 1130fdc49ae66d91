/*
 * How late a thread that wakes every millisecond is, while another works with a file, or many compute.
 *
 *     ticker idle [SECONDS]            the other does nothing
 *     ticker read FILE [SECONDS]       reads FILE, told to leave the page cache first, again and again
 *     ticker fsync FILE [SECONDS]      writes 1 MB to FILE, which it makes, and calls fsync(2)
 *     ticker flock FILE [SECONDS]      takes a lock that a child holds for a second at a time
 *     ticker cached FILE [SECONDS]     no ticker: what a cached read of 4 KB costs
 *     ticker busy THREADS MICROSECONDS [SECONDS]
 *                                      THREADS compute, and yield after so long each; 0: never
 *
 * SECONDS is 5 by default. The ticks stand in a fixed schedule, so that a wait of
 * a second makes a thousand ticks late and not one; those that are still due after
 * twice the time are as late as they are by then. One line of name=value words;
 * work counts what the others did: times of the file, syncs, locks, turns.
 */
#include "latency.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TICK_NS 1000000
#define BLOCK_BYTES (1024 * 1024)
#define PAGE_BYTES 4096
#define CACHED_BYTES (16 * 1024 * 1024) /* of the file, at most */
#define BATCH 20000
#define MOST_BATCHES 1000

static const char *path;
static int file = -1;
static long seconds = 5;
static long work;
static bool is_over;
static char block[BLOCK_BYTES];

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "ticker: %s: %s\n", what, strerror(errno));
	exit(1);
}

static _Noreturn void usage_error(void)
{
	fprintf(stderr, "usage: ticker idle [SECONDS]\n"
			"       ticker read|fsync|flock|cached FILE [SECONDS]\n"
			"       ticker busy THREADS MICROSECONDS [SECONDS]\n");
	exit(2);
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static bool goes_on(void)
{
	return !__atomic_load_n(&is_over, __ATOMIC_RELAXED);
}

static void sleep_until(int64_t time_ns)
{
	struct timespec time = {time_ns / 1000000000, time_ns % 1000000000};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) != 0)
		;
}

static void *tick(void *arg)
{
	int64_t next_ns = now_ns(), ticks = seconds * 1000, last_ns = next_ns + 2 * ticks * TICK_NS;
	int64_t time_ns;

	for (int64_t i = 0; i < ticks; i++) {
		next_ns += TICK_NS;
		time_ns = now_ns();
		if (time_ns < last_ns) {
			sleep_until(next_ns);
			time_ns = now_ns();
		}
		latency_record((uint64_t)(time_ns - next_ns));
	}
	__atomic_store_n(&is_over, true, __ATOMIC_RELAXED);
	return arg;
}

static void *do_nothing(void *arg)
{
	return arg;
}

static void *read_cold(void *arg)
{
	while (goes_on()) {
		ssize_t n = 1;

		if (posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) != 0)
			die("posix_fadvise");
		if (lseek(file, 0, SEEK_SET) != 0)
			die(path);
		while (goes_on() && n > 0)
			n = read(file, block, sizeof(block));
		if (n < 0)
			die(path);
		work++;
	}
	return arg;
}

static void *write_and_sync(void *arg)
{
	for (; goes_on(); work++)
		if (pwrite(file, block, sizeof(block), (work % 64) * BLOCK_BYTES) < 0 ||
		    fsync(file) != 0)
			die(path);
	return arg;
}

static void *take_lock(void *arg)
{
	for (; goes_on(); work++) {
		if (flock(file, LOCK_EX) != 0 || flock(file, LOCK_UN) != 0)
			die(path);
		/* The child is to have it next. */
		sleep_until(now_ns() + 5 * TICK_NS);
	}
	return arg;
}

/* A description of its own, or else the lock would be the parent's too. */
static pid_t start_holder(void)
{
	pid_t pid = fork();
	int own;

	if (pid != 0)
		return pid;
	own = open(path, O_RDWR);
	while (own >= 0 && flock(own, LOCK_EX) == 0) {
		sleep_until(now_ns() + 1000 * TICK_NS);
		flock(own, LOCK_UN);
		sleep_until(now_ns() + TICK_NS);
	}
	_exit(1);
}

static void report_ticks(const char *mode)
{
	printf("mode=%s ticks=%lu p50_us=%.0f p99_us=%.0f p99.9_us=%.0f max_us=%.0f work=%ld\n",
	       mode, (unsigned long)latency_count(), latency_percentile_us(0.5),
	       latency_percentile_us(0.99), latency_percentile_us(0.999),
	       latency_percentile_us(1.0), work);
}

static pthread_t start(void *(*run)(void *))
{
	pthread_t thread;

	errno = pthread_create(&thread, NULL, run, NULL);
	if (errno != 0)
		die("pthread_create");
	return thread;
}

static void run_beside_ticks(const char *mode, void *(*run)(void *), long count)
{
	pthread_t ticker, *workers = calloc((size_t)count, sizeof(*workers));

	if (workers == NULL)
		die("calloc");
	latency_clear();
	for (long i = 0; i < count; i++)
		workers[i] = start(run);
	ticker = start(tick);
	pthread_join(ticker, NULL);
	/* What they wait for may take another second; the figures are there. */
	report_ticks(mode);
	fflush(stdout);
	for (long i = 0; i < count; i++)
		pthread_join(workers[i], NULL);
	free(workers);
}

/* --- many that compute --- */
static long turn_rounds; /* of compute(); 0: no end of a turn */

static void compute(long rounds)
{
	uint64_t number = 1;

	for (long i = 0; i < rounds; i++) {
		number = number * 6364136223846793005U + 1442695040888963407U;
		__asm__ volatile("" ::"r"(number));
	}
}

/* The fastest of a few, lest another process have had its turn meanwhile. */
static double rounds_per_us(void)
{
	int64_t best_ns = INT64_MAX;

	for (int i = 0; i < 20; i++) {
		int64_t started_ns = now_ns();

		compute(BATCH);
		if (now_ns() - started_ns < best_ns)
			best_ns = now_ns() - started_ns;
	}
	return BATCH * 1000.0 / (double)best_ns;
}

static void *take_turns(void *arg)
{
	while (goes_on()) {
		compute(turn_rounds != 0 ? turn_rounds : BATCH);
		if (turn_rounds == 0)
			continue;
		__atomic_add_fetch(&work, 1, __ATOMIC_RELAXED);
		sched_yield();
	}
	return arg;
}

/* --- cached reads --- */
static off_t cached_bytes;

static void read_page(off_t at)
{
	if (pread(file, block, PAGE_BYTES, at) != PAGE_BYTES)
		die(path);
}

static void seek_and_read_page(off_t at)
{
	if (lseek(file, at, SEEK_SET) != at || read(file, block, PAGE_BYTES) != PAGE_BYTES)
		die(path);
}

static double batch_ns(void (*read_one)(off_t at))
{
	int64_t started_ns = now_ns();
	off_t at = 0;

	for (int i = 0; i < BATCH; i++) {
		read_one(at);
		at += PAGE_BYTES;
		if (at >= cached_bytes)
			at = 0;
	}
	return (double)(now_ns() - started_ns) / BATCH;
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

/* The median of batches for half of the time. */
static double median_ns(void (*read_one)(off_t at))
{
	static double batches[MOST_BATCHES];
	int64_t end_ns = now_ns() + seconds * 500000000;
	size_t count = 0;

	batch_ns(read_one);
	do
		batches[count++] = batch_ns(read_one);
	while (now_ns() < end_ns && count < MOST_BATCHES);
	qsort(batches, count, sizeof(*batches), compare);
	return batches[count / 2];
}

static void *measure_cached(void *arg)
{
	off_t all = lseek(file, 0, SEEK_END);

	cached_bytes = (all < CACHED_BYTES ? all : CACHED_BYTES) / PAGE_BYTES * PAGE_BYTES;
	if (cached_bytes == 0) {
		errno = EINVAL;
		die(path);
	}
	printf("mode=cached pread_ns=%.0f seek_read_ns=%.0f\n", median_ns(read_page),
	       median_ns(seek_and_read_page));
	return arg;
}

static long number(const char *text, long least, long most)
{
	char *end = NULL;
	long value = text == NULL ? 0 : strtol(text, &end, 10);

	if (end == NULL || end == text || *end != '\0' || value < least || value > most)
		usage_error();
	return value;
}

static void run_busy(const char *threads, const char *turn_us)
{
	long count = number(threads, 1, 1000000);

	turn_rounds = (long)((double)number(turn_us, 0, 1000000) * rounds_per_us());
	run_beside_ticks("busy", take_turns, count);
}

static void open_file(const char *name, int flags)
{
	if (name == NULL)
		usage_error();
	path = name;
	file = open(path, flags | O_CLOEXEC, 0600);
	if (file < 0)
		die(path);
}

static void run_with_lock(void)
{
	pid_t holder = start_holder();

	if (holder < 0)
		die("fork");
	run_beside_ticks("flock", take_lock, 1);
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	int at_seconds = strcmp(mode, "idle") == 0 ? 2 : strcmp(mode, "busy") == 0 ? 4 : 3;

	if (argc > at_seconds)
		seconds = number(argv[at_seconds], 1, 3600);
	if (strcmp(mode, "idle") == 0) {
		run_beside_ticks(mode, do_nothing, 1);
	} else if (strcmp(mode, "read") == 0) {
		open_file(argv[2], O_RDONLY);
		run_beside_ticks(mode, read_cold, 1);
	} else if (strcmp(mode, "fsync") == 0) {
		open_file(argv[2], O_RDWR | O_CREAT);
		run_beside_ticks(mode, write_and_sync, 1);
	} else if (strcmp(mode, "flock") == 0) {
		open_file(argv[2], O_RDWR | O_CREAT);
		run_with_lock();
	} else if (strcmp(mode, "cached") == 0) {
		open_file(argv[2], O_RDONLY);
		pthread_join(start(measure_cached), NULL);
	} else if (strcmp(mode, "busy") == 0 && argc > 3) {
		run_busy(argv[2], argv[3]);
	} else {
		usage_error();
	}
	return 0;
}
