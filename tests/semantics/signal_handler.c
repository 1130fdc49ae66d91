/* Handlers run while all threads are parked; blocking calls end with EINTR or go on (SA_RESTART). */
#include "guest.h"

#include <semaphore.h>

static volatile sig_atomic_t caught, last;
static volatile int interrupted;
static int pair[2];

static void catch_signal(int number)
{
	caught++;
	last = number;
	if (number == SIGALRM)
		alarm(1); /* for a pause that had not begun */
}

static void handle(int number, int flags)
{
	struct sigaction action = {.sa_handler = catch_signal, .sa_flags = flags};

	sigemptyset(&action.sa_mask);
	check(sigaction(number, &action, NULL) == 0);
}

/* Send signals to the process until one has interrupted its first thread. */
static void *signal_until_interrupted(void *arg)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	while (!interrupted) {
		usleep(20000);
		if (!interrupted)
			kill(getpid(), SIGUSR1);
	}
	return arg;
}

static void *signal_then_write(void *arg)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	for (int i = 0; i < 3; i++) {
		int before = caught;

		usleep(10000);
		kill(getpid(), SIGUSR1);
		while (caught == before)
			usleep(1000);
	}
	write_all(pair[1], "x", 1);
	return arg;
}

#define show_interrupted(call) \
	do { \
		pthread_t sender; \
		interrupted = 0; \
		sender = start(signal_until_interrupted, NULL); \
		show(call); \
		interrupted = 1; \
		finish(sender); \
	} while (0)

int main(void)
{
	struct pollfd set;
	struct timespec long_time = {20, 0}, rest = {0, 0};
	pthread_t sender;
	sem_t never;
	char byte;

	unix_pair(SOCK_STREAM, pair);
	set = (struct pollfd){.fd = pair[0], .events = POLLIN};
	sem_init(&never, 0, 0);
	become_threaded();

	handle(SIGUSR1, 0);
	show_interrupted(read(pair[0], &byte, 1));
	show_interrupted(recv(pair[0], &byte, 1, MSG_WAITALL));
	show_interrupted(nanosleep(&long_time, &rest));
	say("time left: %d", rest.tv_sec >= 10 && rest.tv_sec < 20);
	show_interrupted(poll(&set, 1, 20000));
	show_interrupted(pause());
	show_interrupted(sem_wait(&never));
	handle(SIGUSR1, SA_RESTART);
	show_interrupted(poll(&set, 1, 20000));

	sender = start(signal_then_write, NULL);
	show(read(pair[0], &byte, 1));
	finish(sender);
	say("last caught: SIG%s", sigabbrev_np(last));

	handle(SIGALRM, 0);
	alarm(1);
	show(pause());
	alarm(0);
	say("last caught: SIG%s", sigabbrev_np(last));
	caught = 0;
	raise(SIGALRM);
	say("raise ran the handler before it returned: %d", caught);
	return 0;
}
