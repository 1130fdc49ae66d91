/* Sleeping in every way: never early, errors as the kernel's, clocks of all kinds. */
#include "guest.h"

#include <sys/select.h>

static void show_not_early(const char *what, int64_t begun, int64_t ns)
{
	say("%s not early: %d", what, now_ns(CLOCK_MONOTONIC) - begun >= ns);
}

static void *sleep_all_ways(void *arg)
{
	struct timespec few_ms = {0, 5000000}, few_us = {0, 50000}, zero = {0, 0};
	struct timespec rest = {7, 7}, deadline;
	struct timeval tv = {0, 5000};
	int64_t begun;

	begun = now_ns(CLOCK_MONOTONIC);
	show(nanosleep(&few_ms, &rest));
	show_not_early("nanosleep", begun, 5000000);
	say("the rest is left alone: %ld %ld", (long)rest.tv_sec, rest.tv_nsec);

	for (int i = 0; i < 20; i++) {
		begun = now_ns(CLOCK_MONOTONIC);
		check(nanosleep(&few_us, NULL) == 0);
		check(now_ns(CLOCK_MONOTONIC) - begun >= 50000);
	}
	show(nanosleep(&zero, NULL));

	begun = now_ns(CLOCK_MONOTONIC);
	show(usleep(5000));
	show_not_early("usleep", begun, 5000000);
	if (arg != NULL) {
		begun = now_ns(CLOCK_MONOTONIC);
		show(sleep(1));
		show_not_early("sleep", begun, 1000000000);
	}
	begun = now_ns(CLOCK_MONOTONIC);
	show(select(0, NULL, NULL, NULL, &tv));
	show_not_early("select", begun, 5000000);
	begun = now_ns(CLOCK_MONOTONIC);
	show(poll(NULL, 0, 5));
	show_not_early("poll", begun, 5000000);

	deadline = in_ms(CLOCK_REALTIME, 5);
	show_error(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &deadline, NULL));
	say("not early: %d", now_ns(CLOCK_REALTIME) >= to_ns(deadline));
	deadline = in_ms(CLOCK_MONOTONIC, 5);
	show_error(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, NULL));
	say("not early: %d", now_ns(CLOCK_MONOTONIC) >= to_ns(deadline));
	deadline = in_ms(CLOCK_BOOTTIME, 5);
	show_error(clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &deadline, NULL));
	show_error(clock_nanosleep(CLOCK_MONOTONIC, 0, &few_ms, NULL));
	return arg;
}

static void *sleep_wrongly(void *arg)
{
	struct timespec past = {1, 0}, negative = {-1, 0}, big = {0, 1000000000};
	struct timespec bad_ns = {0, -1}, ok = {0, 1000};

	(void)arg;
	show(nanosleep(&negative, NULL));
	show(nanosleep(&big, NULL));
	show(nanosleep(&bad_ns, NULL));
	show(nanosleep((void *)8, NULL));
	show_error(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &past, NULL));
	show_error(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &past, NULL));
	show_error(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &big, NULL));
	show_error(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &negative, NULL));
	show_error(clock_nanosleep(77, 0, &ok, NULL));
	show_error(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &ok, NULL));
	show_error(clock_nanosleep(CLOCK_MONOTONIC, 0, (void *)8, NULL));
	show_error(clock_nanosleep(CLOCK_MONOTONIC, 0, &ok, NULL));
	return NULL;
}

int main(void)
{
	finish(start(sleep_all_ways, "with sleep"));
	finish(start(sleep_wrongly, NULL));
	say("in the first thread");
	sleep_all_ways(NULL);
	sleep_wrongly(NULL);
	return 0;
}
