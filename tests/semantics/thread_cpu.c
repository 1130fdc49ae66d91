/* Processor time: each thread's clock shows what it has had itself, whoever asks and however. */
#include "guest.h"

#include <sys/resource.h>

#define MS 1000000LL

static pthread_barrier_t both;

/* Compute, and let others do the same, until the thread has had so much. */
static void burn(int64_t ns)
{
	int64_t until = now_ns(CLOCK_THREAD_CPUTIME_ID) + ns;

	while (now_ns(CLOCK_THREAD_CPUTIME_ID) < until)
		sched_yield();
}

static int64_t usage_ns(void)
{
	struct rusage usage;

	check(getrusage(RUSAGE_THREAD, &usage) == 0);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000LL +
	       (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

/* Less than all by what others have had: a machine that stands still makes either long, not both. */
static int is_part(int64_t seen, int64_t of_others)
{
	return seen + of_others <= now_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static void *burn_long(void *arg)
{
	int64_t began = now_ns(CLOCK_MONOTONIC), own, usage, after;

	burn(200 * MS);
	own = now_ns(CLOCK_THREAD_CPUTIME_ID);
	usage = usage_ns();
	after = now_ns(CLOCK_THREAD_CPUTIME_ID);
	say("burnt 200 ms, which took as long: %d", now_ns(CLOCK_MONOTONIC) - began >= 199 * MS &&
							    own >= 200 * MS &&
							    is_part(own, 10 * MS));
	say("getrusage agrees: %d", usage > own - 20 * MS && usage < after + 20 * MS);
	pthread_barrier_wait(&both);
	pthread_barrier_wait(&both);
	return arg;
}

static void *sleep_long(void *arg)
{
	for (int i = 0; i < 20; i++)
		usleep(10000);
	*(int *)arg = now_ns(CLOCK_THREAD_CPUTIME_ID) < 150 * MS && usage_ns() < 150 * MS;
	return NULL;
}

static void *never_back(void *arg)
{
	int64_t last = 0;

	for (int i = 0; i < 20000; i++) {
		int64_t now = now_ns(CLOCK_THREAD_CPUTIME_ID);

		check(now >= last);
		last = now;
		if (i % 100 == 0)
			sched_yield();
	}
	return arg;
}

static void errors(clockid_t clock)
{
	struct timespec time = {0, 0};

	show(clock_getres(clock, &time));
	say("resolution %ld", (long)to_ns(time));
	show(clock_settime(clock, &time));
	show(clock_gettime(clock, (void *)8));
	show(clock_getres(CLOCK_THREAD_CPUTIME_ID, &time));
	say("resolution %ld", (long)to_ns(time));
	show(clock_settime(CLOCK_THREAD_CPUTIME_ID, &time));
	show(getrusage(RUSAGE_THREAD, (void *)8));
	show(getrusage(5, (void *)8));
}

int main(void)
{
	pthread_t burner, sleeper, checker;
	clockid_t clock, own;
	struct timespec time;
	int64_t seen;
	int idle;

	burn(10 * MS);
	pthread_barrier_init(&both, NULL, 2);
	sleeper = start(sleep_long, &idle);
	checker = start(never_back, NULL);
	burner = start(burn_long, NULL);
	show_error(pthread_getcpuclockid(burner, &clock));
	pthread_barrier_wait(&both);
	seen = now_ns(clock);
	say("the burner's clock seen from main: %d", seen >= 200 * MS && is_part(seen, 10 * MS));
	show_error(pthread_getcpuclockid(pthread_self(), &own));
	seen = now_ns(own);
	say("main's own by its number: %d",
	    seen >= 10 * MS && seen <= now_ns(CLOCK_THREAD_CPUTIME_ID) && is_part(seen, 200 * MS));
	say("the process had more: %d", now_ns(CLOCK_PROCESS_CPUTIME_ID) >= 209 * MS);
	errors(clock);
	pthread_barrier_wait(&both);
	finish(sleeper);
	say("another slept, and had next to nothing: %d", idle);
	finish(checker);
	while (pthread_getcpuclockid(burner, &own) == 0)
		usleep(1000);
	show_error(pthread_getcpuclockid(burner, &own));
	show(clock_gettime(clock, &time));
	finish(burner);
	return 0;
}
