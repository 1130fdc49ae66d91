/* Real-time signals, each with a value, to threads that compute, read, wait for a condition or sleep:
 * each arrives once, in order. Alarms go off meanwhile. How many rounds: the first argument.
 */
#include "guest.h"

#include <sys/time.h>

#define THREADS 6
#define NUMBERS 3
#define AT_ONCE 16

static volatile int begun, stop, next[THREADS][NUMBERS], out_of_order, misplaced, alarms;
static volatile int next_of_process;
static __thread int self = -1;
static int pairs[THREADS][2];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

static void on_value(int signal, siginfo_t *info, void *context)
{
	int which = signal - SIGRTMIN, value = info->si_value.sival_int;

	(void)context;
	if (self < 0 || value / 1000000 != self)
		misplaced = 1;
	else if (next[self][which]++ != value % 1000000)
		out_of_order = 1;
}

/* Blocked by all but one, which may be any: the values say in which order. */
static void on_process_value(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	if (next_of_process++ != info->si_value.sival_int)
		out_of_order = 1;
}

static void on_alarm(int signal)
{
	(void)signal;
	alarms++;
}

static __thread volatile long work;

static void wait_once(void)
{
	char bytes[8];

	switch (self % 4) {
	case 0:
		for (int i = 0; i < 100000; i++)
			work++;
		break;
	case 1:
		check(read(pairs[self][0], bytes, sizeof(bytes)) >= 0 || errno == EINTR);
		break;
	case 2:
		pthread_mutex_lock(&lock);
		if (!stop)
			pthread_cond_wait(&cond, &lock);
		pthread_mutex_unlock(&lock);
		break;
	default:
		usleep(300);
		break;
	}
}

static void *live(void *arg)
{
	sigset_t set;

	self = (int)(intptr_t)arg;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + NUMBERS);
	if (self != 1)
		check(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
	__atomic_add_fetch(&begun, 1, __ATOMIC_SEQ_CST);
	while (!stop)
		wait_once();
	return NULL;
}

static void send_round(pthread_t *threads, int round)
{
	for (int i = 0; i < THREADS; i++)
		for (int which = 0; which < NUMBERS; which++) {
			union sigval value = {.sival_int = i * 1000000 + round};

			check(pthread_sigqueue(threads[i], SIGRTMIN + which, value) == 0);
		}
	check(sigqueue(getpid(), SIGRTMIN + NUMBERS, (union sigval){.sival_int = round}) == 0);
}

static bool is_handled(int rounds)
{
	for (int i = 0; i < THREADS; i++)
		for (int which = 0; which < NUMBERS; which++)
			if (next[i][which] < rounds)
				return false;
	return next_of_process == rounds;
}

static void handle(int number, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};

	check(sigaction(number, &action, NULL) == 0);
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	struct itimerval often = {{0, 2000}, {0, 2000}}, never = {{0, 0}, {0, 0}};
	int rounds = argc > 1 ? atoi(argv[1]) : 200;
	pthread_t threads[THREADS];
	sigset_t set;

	for (int which = 0; which < NUMBERS; which++)
		handle(SIGRTMIN + which, on_value, which == 0 ? SA_RESTART : 0);
	handle(SIGRTMIN + NUMBERS, on_process_value, SA_RESTART);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + NUMBERS);
	for (int i = 0; i < THREADS; i++) {
		unix_pair(SOCK_STREAM, pairs[i]);
		threads[i] = start(live, (void *)(intptr_t)i);
	}
	check(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
	while (begun < THREADS)
		usleep(100);
	check(sigaction(SIGALRM, &action, NULL) == 0);
	check(setitimer(ITIMER_REAL, &often, NULL) == 0);
	for (int round = 0; round < rounds; round++) {
		send_round(threads, round);
		while (round % AT_ONCE == 0 && !is_handled(round + 1))
			usleep(50);
	}
	while (!is_handled(rounds))
		usleep(100);
	check(setitimer(ITIMER_REAL, &never, NULL) == 0);
	stop = 1;
	for (int i = 0; i < THREADS; i++) {
		write_all(pairs[i][1], "x", 1);
		pthread_mutex_lock(&lock);
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&lock);
		finish(threads[i]);
		say("thread %d handled all: %d", i, next[i][0] == rounds && next[i][1] == rounds);
	}
	say("for the process, all: %d", next_of_process == rounds);
	say("out of order %d, in a thread not meant %d", out_of_order, misplaced);
	return 0;
}
