/* A handler interrupts each call that waits, once with SA_RESTART and once without (signal(7)). */
#include "waits.h"

static const struct wait *wait_now;
static volatile int caught, is_done;
static long result;
static int error;

static void count(int signal)
{
	(void)signal;
	caught++;
}

static void *wait_once(void *arg)
{
	result = wait_now->call();
	error = errno;
	is_done = 1;
	return arg;
}

/* Interrupt until it is over, or so often; whether it is over. */
static bool interrupt(pthread_t thread, int most)
{
	for (int i = 0; i < most && !is_done; i++) {
		int before = caught;

		usleep(4000);
		if (is_done || pthread_kill(thread, SIGUSR1) != 0)
			break;
		while (caught == before && !is_done)
			usleep(200);
	}
	usleep(4000);
	return is_done;
}

static void try(const struct wait *wait, int flags)
{
	struct sigaction action = {.sa_handler = count, .sa_flags = flags};
	bool goes_on = wait->restarts && flags == SA_RESTART, is_interrupted;
	pthread_t thread;

	check(sigaction(SIGUSR1, &action, NULL) == 0);
	wait_now = wait;
	is_done = 0;
	wait->set_up();
	thread = start(wait_once, NULL);
	is_interrupted = interrupt(thread, goes_on ? 2 : 200);
	if (!is_interrupted && wait->complete != NULL)
		wait->complete();
	else if (!is_interrupted)
		pthread_cancel(thread);
	finish(thread);
	wait->tidy();
	say("%s, %s: %s, %ld %s", wait->name, flags == SA_RESTART ? "SA_RESTART" : "no SA_RESTART",
	    is_interrupted ? "interrupted" : "goes on", result,
	    result == -1 ? strerrorname_np(error) : "");
}

int main(void)
{
	for (int i = 0; i < WAITS; i++) {
		try(&waits[i], SA_RESTART);
		try(&waits[i], 0);
	}
	return 0;
}
