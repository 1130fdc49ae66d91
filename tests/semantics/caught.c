/*
 * A thread waits in the kernel by a call that is made by code of its own making, until all others have done their part:
 * these are not to be kept by it, wherever they run. For several carriers; with one they would be.
 */
#include "made_code.h"

#include <sys/socket.h>

#define ROUNDS 12
#define TICKERS 6
#define TICKS 5
#define SIGNALS 20
#define ECHOES 4
#define MESSAGES 50

static made_call *made_read;
static int release[2];
static int pairs[ECHOES][2];
static volatile int in_call, arrived;

static void *wait_unseen(void *arg)
{
	sigset_t all;
	char byte;

	sigfillset(&all);
	check(pthread_sigmask(SIG_SETMASK, &all, NULL) == 0);
	in_call = 1;
	return made(made_read, release[0], &byte, 1) == 1 ? arg : NULL;
}

static void arrive(int signal)
{
	(void)signal;
	arrived++;
}

/* A signal for the process comes to who admits it, whoever is in that call. */
static void *send_signals(void *arg)
{
	for (int i = 1; i <= SIGNALS; i++) {
		check(kill(getpid(), SIGUSR1) == 0);
		while (arrived < i)
			sched_yield();
	}
	return arg;
}

/* What all block stays pending, though whoever is in that call may have come there with another mask. */
static void block_and_take(void)
{
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	check(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
	check(kill(getpid(), SIGUSR2) == 0);
	check(sigwaitinfo(&set, &info) == SIGUSR2);
	check(pthread_sigmask(SIG_UNBLOCK, &set, NULL) == 0);
}

static void *tick(void *arg)
{
	struct timespec pause = {0, 2000000};

	for (int i = 0; i < TICKS; i++)
		check(nanosleep(&pause, NULL) == 0);
	return arg;
}

static void *echo(void *arg)
{
	int fd = *(int *)arg;
	char byte;

	for (int i = 0; i < MESSAGES; i++)
		check(read(fd, &byte, 1) == 1 && write(fd, &byte, 1) == 1);
	return arg;
}

static void *ask(void *arg)
{
	int fd = *(int *)arg;
	char byte = 'x';

	for (int i = 0; i < MESSAGES; i++)
		check(write(fd, &byte, 1) == 1 && read(fd, &byte, 1) == 1);
	return arg;
}

/* Half of the others are there before the call, half come during it; then it may end. */
static void be_caught(int round)
{
	pthread_t waiter, sender, tickers[TICKERS], asking[ECHOES], echoing[ECHOES];
	char byte = 'y';

	in_call = arrived = 0;
	for (int i = 0; i < ECHOES; i++)
		echoing[i] = start(echo, &pairs[i][0]);
	for (int i = 0; i < TICKERS / 2; i++)
		tickers[i] = start(tick, NULL);
	waiter = start(wait_unseen, &byte);
	while (!in_call)
		sched_yield();
	for (int i = TICKERS / 2; i < TICKERS; i++)
		tickers[i] = start(tick, NULL);
	for (int i = 0; i < ECHOES; i++)
		asking[i] = start(ask, &pairs[i][1]);
	for (int i = 0; i < ECHOES; i++) {
		finish(asking[i]);
		finish(echoing[i]);
	}
	for (int i = 0; i < TICKERS; i++)
		finish(tickers[i]);
	sender = start(send_signals, NULL);
	finish(sender);
	block_and_take();
	check(write(release[1], &byte, 1) == 1);
	say("round %d: %s", round, finish(waiter) != NULL ? "all went on" : "wrong");
}

int main(void)
{
	struct sigaction action = {.sa_handler = arrive, .sa_flags = SA_RESTART};

	check(sigaction(SIGUSR1, &action, NULL) == 0);
	made_read = make_call(SYS_read);
	check(pipe(release) == 0);
	for (int i = 0; i < ECHOES; i++)
		check(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]) == 0);
	become_threaded();
	for (int round = 0; round < ROUNDS; round++)
		be_caught(round);
	return 0;
}
