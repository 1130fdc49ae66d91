/* Calls that sleep, and the clocks and timers that threads have. */
#include "ticks.h"
#include "waits.h"

static void interrupt(void)
{
	end_by_signal(SIGUSR2);
}

/* A sleep is too long to wait for its end: a signal is what completes it. */
static const struct fixture long_sleep = {do_nothing, interrupt, do_nothing},
			    until_a_date = {do_nothing, interrupt, do_nothing},
			    sleep_of_process = {do_nothing, interrupt, do_nothing};

static struct timespec wrong = {0, -1}, moment = {0, 5000000}, past = {1, 0}, left, got;
static struct itimerspec stopped, wrong_timer = {.it_value = {0, -1}};
static struct sigevent quiet = {.sigev_notify = SIGEV_NONE}, odd = {.sigev_notify = 99};
static int timer;

TICKS_ONCE(nanosleep, long_sleep, &far, &left)
TICKS_ONCE(clock_nanosleep, long_sleep, CLOCK_MONOTONIC, 0, &far, &left)
TICKS_ONCE(clock_nanosleep, until_a_date, CLOCK_REALTIME, TIMER_ABSTIME, late(), NULL)
TICKS_ONCE(clock_nanosleep, sleep_of_process, CLOCK_PROCESS_CPUTIME_ID, 0, &far, NULL)

ANSWERS(nanosleep, moment, ask(&moment, NULL))
ANSWERS(nanosleep, wrong_time, ask(&wrong, NULL))
ANSWERS(nanosleep, from_nowhere, ask(NULL, NULL))
ANSWERS(clock_nanosleep, moment, ask(CLOCK_REALTIME, 0, &moment, NULL))
ANSWERS(clock_nanosleep, past, ask(CLOCK_MONOTONIC, TIMER_ABSTIME, &past, NULL))
ANSWERS(clock_nanosleep, wrong_time, ask(CLOCK_MONOTONIC, 0, &wrong, NULL))
ANSWERS(clock_nanosleep, no_clock, ask(99, 0, &moment, NULL))
ANSWERS(clock_nanosleep, of_thread, ask(CLOCK_THREAD_CPUTIME_ID, 0, &moment, NULL))
ANSWERS(clock_nanosleep, from_nowhere, ask(CLOCK_MONOTONIC, 0, NULL, NULL))
ANSWERS(clock_gettime, thread, ask(CLOCK_THREAD_CPUTIME_ID, &got))
ANSWERS(clock_gettime, no_clock, ask(99, &got))
ANSWERS(clock_gettime, nowhere, ask(CLOCK_THREAD_CPUTIME_ID, NULL))
ANSWERS(clock_getres, thread, ask(CLOCK_THREAD_CPUTIME_ID, &got))
ANSWERS(clock_getres, no_clock, ask(99, &got))
ANSWERS(clock_settime, of_thread, ask(CLOCK_THREAD_CPUTIME_ID, &got))
ANSWERS(clock_settime, monotonic, ask(CLOCK_MONOTONIC, &got))
ANSWERS(clock_settime, from_nowhere, ask(CLOCK_REALTIME, NULL))
ANSWERS(clock_settime, no_clock, ask(99, &got))

static void make_timer(void)
{
	check(syscall(SYS_timer_create, CLOCK_MONOTONIC, &quiet, &timer) == 0);
}

static void remove_timer(void)
{
	check(syscall(SYS_timer_delete, timer) == 0);
}

static const struct fixture a_timer = {make_timer, NULL, remove_timer};

/* A timer made, and the call on it; the timer removed. */
static long create(clockid_t clock, struct sigevent *event)
{
	long result = ask(clock, event, &timer);
	int error = errno;

	if (result == 0)
		remove_timer();
	errno = error;
	return result;
}

ANSWERS(timer_create, quiet, create(CLOCK_MONOTONIC, &quiet))
ANSWERS(timer_create, of_thread, create(CLOCK_THREAD_CPUTIME_ID, &quiet))
ANSWERS(timer_create, odd, create(CLOCK_MONOTONIC, &odd))
ANSWERS(timer_create, no_clock, create(99, &quiet))
ANSWERS(timer_create, nowhere, ask(CLOCK_MONOTONIC, &quiet, NULL))
ON(a_timer, timer_settime, stop, ask(timer, 0, &stopped, NULL))
ON(a_timer, timer_settime, wrong_time, ask(timer, 0, &wrong_timer, NULL))
ON(a_timer, timer_settime, from_nowhere, ask(timer, 0, NULL, NULL))
ON(a_timer, timer_gettime, look, ask(timer, &stopped))
ON(a_timer, timer_gettime, nowhere, ask(timer, NULL))
ON(a_timer, timer_getoverrun, look, ask(timer))
ANSWERS(timer_settime, no_timer, ask(-1, 0, &stopped, NULL))
ANSWERS(timer_gettime, no_timer, ask(-1, &stopped))
ANSWERS(timer_getoverrun, no_timer, ask(-1))
ANSWERS(timer_delete, no_timer, ask(-1))

static long delete (void)
{
	make_timer();
	return ask(timer);
}

ANSWERS(timer_delete, a_timer, delete ())

static void ignore(int signal)
{
	(void)signal;
}

int main(int argc, char *argv[])
{
	(void)argc;
	check(sigaction(SIGUSR2, &(struct sigaction){.sa_handler = ignore}, NULL) == 0);
	return run_trials(argv);
}
