/* A thread in sigwait takes the signals that all others block; timed and with information too. */
#include "guest.h"

static sigset_t set;
static int wanted[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};

static void *take_signals(void *arg)
{
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		int number;

		check(sigwait(&set, &number) == 0);
		say("sigwait: SIG%s", sigabbrev_np(number));
		write_all(*(int *)arg, "x", 1);
	}
	return NULL;
}

static void *send_value(void *arg)
{
	settle();
	sigqueue(getpid(), SIGUSR2, (union sigval){.sival_int = 77});
	return arg;
}

int main(void)
{
	struct timespec few_ms = {0, 10000000}, long_time = {20, 0};
	pthread_t taker, sender;
	int pipe_fds[2];
	siginfo_t info;
	char byte;

	check(pipe(pipe_fds) == 0);
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
		sigaddset(&set, wanted[i]);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	taker = start(take_signals, &pipe_fds[1]);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		usleep(5000);
		check(kill(getpid(), wanted[i]) == 0);
		check(read(pipe_fds[0], &byte, 1) == 1);
	}
	finish(taker);

	show(sigtimedwait(&set, &info, &few_ms));
	sender = start(send_value, NULL);
	show(sigtimedwait(&set, &info, &long_time) == SIGUSR2);
	say("value %d, by this process %d", info.si_value.sival_int, info.si_pid == getpid());
	finish(sender);
	kill(getpid(), SIGHUP);
	show(sigwaitinfo(&set, &info) == SIGHUP);
	return 0;
}
