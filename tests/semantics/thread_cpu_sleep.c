/* Sleeping on clocks of processor time: a thread's, while it works, and the process's. */
#include "guest.h"

#define MS 1000000LL

static volatile int stop, is_interrupted;

static void *work(void *arg)
{
	while (!stop)
		sched_yield();
	return arg;
}

static void on_signal(int signal)
{
	(void)signal;
}

static void *interrupt(void *thread)
{
	interrupt_until(&is_interrupted, *(pthread_t *)thread, SIGUSR1);
	return NULL;
}

static void errors(clockid_t clock)
{
	struct timespec time = {0, 1}, none = {0, 1000000000};
	clockid_t own;

	check(pthread_getcpuclockid(pthread_self(), &own) == 0);
	show_error(clock_nanosleep(own, 0, &time, NULL));
	show_error(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &time, NULL));
	show(syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &time, NULL));
	show_error(clock_nanosleep(clock, 0, &none, NULL));
	show_error(clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, &none, NULL));
	show_error(clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, (void *)8, NULL));
	show_error(clock_nanosleep(99, 0, &time, NULL));
}

static void sleep_for(clockid_t clock, int64_t ns)
{
	int64_t until = now_ns(clock) + ns;
	struct timespec time = to_timespec(ns);

	show_error(clock_nanosleep(clock, 0, &time, NULL));
	say("at least so long: %d", now_ns(clock) >= until);
	time = to_timespec(until + ns);
	show_error(clock_nanosleep(clock, TIMER_ABSTIME, &time, NULL));
	say("at least until then: %d", now_ns(clock) >= until + ns);
	show_error(clock_nanosleep(clock, TIMER_ABSTIME, &time, NULL));
}

static void interrupted(clockid_t clock)
{
	struct sigaction action = {.sa_handler = on_signal};
	struct timespec time = {100, 0}, rest = {0, 0};
	pthread_t me = pthread_self(), other;

	check(sigaction(SIGUSR1, &action, NULL) == 0);
	is_interrupted = 0;
	other = start(interrupt, &me);
	show_error(clock_nanosleep(clock, 0, &time, &rest));
	is_interrupted = 1;
	say("most is left: %d", rest.tv_sec >= 90 && rest.tv_sec < 100);
	finish(other);
}

int main(void)
{
	pthread_t worker = start(work, NULL);
	clockid_t clock;

	check(pthread_getcpuclockid(worker, &clock) == 0);
	errors(clock);
	sleep_for(clock, 50 * MS);
	sleep_for(CLOCK_PROCESS_CPUTIME_ID, 50 * MS);
	interrupted(clock);
	interrupted(CLOCK_PROCESS_CPUTIME_ID);
	stop = 1;
	finish(worker);
	return 0;
}
