/*
 * Signals that nobody admits but one thread, now and then: what the kernel is told changes with each
 * call, while others make threads, which block all signals meanwhile. Each signal arrives once.
 */
#include "guest.h"

#include <sched.h>
#include <stdatomic.h>

#define CHANGING 4
#define CHANGES 1500
#define MAKING 3
#define MADE 250

static atomic_int arrived[CHANGING];

static void arrive(int signal)
{
	atomic_fetch_add(&arrived[signal - SIGRTMIN], 1);
}

/* Sent to the process while it is blocked, a signal comes as soon as it is admitted. */
static void *change(void *arg)
{
	int number = (int)(intptr_t)arg;
	sigset_t mine;

	sigemptyset(&mine);
	sigaddset(&mine, SIGRTMIN + number);
	for (int i = 0; i < CHANGES; i++) {
		if (i % 8 == 0)
			check(kill(getpid(), SIGRTMIN + number) == 0);
		check(pthread_sigmask(SIG_UNBLOCK, &mine, NULL) == 0);
		while (atomic_load(&arrived[number]) < i / 8 + 1)
			sched_yield();
		check(pthread_sigmask(SIG_BLOCK, &mine, NULL) == 0);
	}
	return NULL;
}

static void *block_all(void *arg)
{
	sigset_t all;

	sigfillset(&all);
	check(pthread_sigmask(SIG_SETMASK, &all, NULL) == 0);
	return arg;
}

/* Who makes threads admits what nobody else does. */
static void *make(void *arg)
{
	sigset_t mine;

	sigemptyset(&mine);
	sigaddset(&mine, SIGRTMAX - (int)(intptr_t)arg);
	check(pthread_sigmask(SIG_UNBLOCK, &mine, NULL) == 0);
	for (int i = 0; i < MADE; i++)
		finish(start(block_all, NULL));
	return NULL;
}

int main(void)
{
	struct sigaction action = {.sa_handler = arrive};
	pthread_t changing[CHANGING], making[MAKING];
	sigset_t all;

	for (int i = 0; i < CHANGING; i++)
		check(sigaction(SIGRTMIN + i, &action, NULL) == 0);
	sigfillset(&all);
	check(pthread_sigmask(SIG_SETMASK, &all, NULL) == 0);
	for (int i = 0; i < CHANGING; i++)
		changing[i] = start(change, (void *)(intptr_t)i);
	for (int i = 0; i < MAKING; i++)
		making[i] = start(make, (void *)(intptr_t)i);
	for (int i = 0; i < CHANGING; i++)
		finish(changing[i]);
	for (int i = 0; i < MAKING; i++)
		finish(making[i]);
	for (int i = 0; i < CHANGING; i++)
		say("signal %d: %d times", i, atomic_load(&arrived[i]));
	return 0;
}
