/*
 * Threads in pairs that pass messages to and fro, each pair over a socket pair of
 * its own, one started by the other: what goes on in a server, without a load generator to set the pace.
 *
 *     pairs PAIRS SECONDS
 *
 *     asker   -- 64 bytes -->   answerer
 *             <-- the same --
 *
 * One line of name=value words, of SECONDS after a tenth of that to warm up:
 * requests that came back, wrong bytes among them, processor time for each.
 */
#include "net.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_WORDS 8
#define MOST_PAIRS 100000

/* Only its asker writes what is in it, while it runs. */
struct pair {
	int fds[2]; /* the asker's and the answerer's end, which each closes */
	pthread_t threads[2];
	uint64_t answered;
	uint64_t wrong_bytes;
	bool broke_off;
};

static struct pair *pairs;
static long count;
static bool is_over;

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

static int64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static bool read_all(int fd, void *buf, size_t len)
{
	char *next = buf;

	while (len > 0) {
		long n = read_some(fd, next, len);

		if (n <= 0)
			return false;
		next += n;
		len -= (size_t)n;
	}
	return true;
}

/* No two messages are alike, be they of one pair or of two. */
static bool ask(struct pair *pair, uint64_t sequence)
{
	uint64_t message[MESSAGE_WORDS], answer[MESSAGE_WORDS];

	for (size_t i = 0; i < MESSAGE_WORDS; i++)
		message[i] = ((uint64_t)(pair - pairs) << 48) + sequence * MESSAGE_WORDS + i;
	if (write_all(pair->fds[0], message, sizeof(message)) != 0 ||
	    !read_all(pair->fds[0], answer, sizeof(answer)))
		return false;
	for (size_t i = 0; i < sizeof(message); i++)
		pair->wrong_bytes += ((char *)message)[i] != ((char *)answer)[i];
	return true;
}

static void *run_answerer(void *arg)
{
	struct pair *pair = arg;
	char buf[MESSAGE_WORDS * 8];
	long n;

	while ((n = read_some(pair->fds[1], buf, sizeof(buf))) > 0)
		if (write_all(pair->fds[1], buf, (size_t)n) != 0)
			break;
	close(pair->fds[1]);
	return NULL;
}

static void start(pthread_t *thread, void *(*run)(void *), struct pair *pair)
{
	int err = pthread_create(thread, NULL, run, pair);

	if (err != 0) {
		fprintf(stderr, "pthread_create: %s\n", strerror(err));
		exit(1);
	}
}

static void *run_asker(void *arg)
{
	struct pair *pair = arg;

	start(&pair->threads[1], run_answerer, pair);
	for (uint64_t i = 1; !pair->broke_off && !__atomic_load_n(&is_over, __ATOMIC_RELAXED);
	     i++) {
		pair->broke_off = !ask(pair, i);
		__atomic_store_n(&pair->answered, i - pair->broke_off, __ATOMIC_RELAXED);
	}
	close(pair->fds[0]);
	return NULL;
}

static uint64_t all_answered(void)
{
	uint64_t sum = 0;

	for (long i = 0; i < count; i++)
		sum += __atomic_load_n(&pairs[i].answered, __ATOMIC_RELAXED);
	return sum;
}

static void wait_for(double seconds)
{
	struct timespec left = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};

	while (nanosleep(&left, &left) != 0)
		;
}

static double number(const char *text, double least, double most)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end != '\0' || !(value >= least && value <= most)) {
		fprintf(stderr, "usage: pairs PAIRS SECONDS\n");
		exit(2);
	}
	return value;
}

static void start_all(void)
{
	pairs = calloc((size_t)count, sizeof(*pairs));
	if (pairs == NULL)
		die("memory");
	for (long i = 0; i < count; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pairs[i].fds) != 0)
			die("socketpair");
		start(&pairs[i].threads[0], run_asker, &pairs[i]);
	}
}

/* How many bytes were wrong, and how many pairs broke off. */
static void join_all(uint64_t *wrong_bytes, long *failed)
{
	__atomic_store_n(&is_over, true, __ATOMIC_RELAXED);
	for (long i = 0; i < count; i++) {
		pthread_join(pairs[i].threads[0], NULL);
		pthread_join(pairs[i].threads[1], NULL);
		*wrong_bytes += pairs[i].wrong_bytes;
		*failed += pairs[i].broke_off;
	}
}

int main(int argc, char **argv)
{
	uint64_t requests, wrong_bytes = 0;
	int64_t started_ns, cpu_ns;
	double window_s, seconds;
	long failed = 0;

	count = argc == 3 ? (long)number(argv[1], 1, MOST_PAIRS) : 0;
	window_s = number(argc == 3 ? argv[2] : "", 0.01, 3600);
	start_all();
	wait_for(window_s / 10);
	requests = all_answered();
	started_ns = now_ns(CLOCK_MONOTONIC);
	cpu_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	wait_for(window_s);
	requests = all_answered() - requests;
	seconds = (double)(now_ns(CLOCK_MONOTONIC) - started_ns) / 1e9;
	cpu_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns;
	join_all(&wrong_bytes, &failed);
	printf("requests=%llu seconds=%.3f rps=%.0f cpu_us=%.3f wrong=%llu failed=%ld\n",
	       (unsigned long long)requests, seconds, (double)requests / seconds,
	       requests > 0 ? (double)cpu_ns / 1e3 / (double)requests : 0.0,
	       (unsigned long long)wrong_bytes, failed);
	return wrong_bytes == 0 && failed == 0 ? 0 : 1;
}
