/* Signals at any time to threads whose handlers, on stacks of their own, return or jump out; with
 * interval timers, of time and of processor time, going off. How many rounds: the first argument.
 */
#include "guest.h"

#include <sched.h>
#include <setjmp.h>
#include <sys/time.h>

#define THREADS 6
#define STACK_BYTES 65536

static volatile int stop, begun, handled[THREADS], alarms, stack_wrong;
static __thread int self = -1;
static __thread sigjmp_buf back;
static __thread volatile int can_jump;
static __thread char *stack_begin;
static int pairs[THREADS][2];

static void on_signal(int signal)
{
	char here;

	(void)signal;
	if (self < 0 || &here < stack_begin || &here >= stack_begin + STACK_BYTES)
		stack_wrong = 1;
	handled[self]++;
	if (can_jump && handled[self] % 2 == 0) {
		can_jump = 0;
		siglongjmp(back, 1);
	}
}

static void on_alarm(int signal)
{
	(void)signal;
	alarms++;
}

static void wait_once(void)
{
	struct pollfd set = {pairs[self][0], POLLIN, 0};
	volatile double work = 1;
	char byte;

	switch (self % 5) {
	case 0:
		for (int i = 0; i < 20000; i++)
			work = work * 1.25 > 1e9 ? 1 : work * 1.25;
		check(work >= 1);
		break;
	case 1:
		check(read(pairs[self][0], &byte, 1) == 1 || errno == EINTR);
		break;
	case 2:
		check(poll(&set, 1, 1000) >= 0 || errno == EINTR);
		break;
	case 3:
		usleep(200);
		break;
	default:
		sched_yield();
		break;
	}
}

static __thread volatile long rounds;

static void *live(void *arg)
{
	stack_t stack = {.ss_size = STACK_BYTES};

	self = (int)(intptr_t)arg;
	stack.ss_sp = stack_begin = malloc(STACK_BYTES);
	check(sigaltstack(&stack, NULL) == 0);
	__atomic_add_fetch(&begun, 1, __ATOMIC_SEQ_CST);
	while (!stop) {
		if (sigsetjmp(back, 1) == 0) {
			can_jump = 1;
			wait_once();
		}
		can_jump = 0;
		rounds++;
	}
	stack.ss_flags = SS_DISABLE;
	check(sigaltstack(&stack, NULL) == 0);
	free(stack_begin);
	return NULL;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
	struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
	int rounds = argc > 1 ? atoi(argv[1]) : 300;
	pthread_t threads[THREADS];

	check(sigaction(SIGUSR1, &action, NULL) == 0);
	action = (struct sigaction){.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	check(sigaction(SIGALRM, &action, NULL) == 0 && sigaction(SIGPROF, &action, NULL) == 0);
	for (int i = 0; i < THREADS; i++) {
		unix_pair(SOCK_STREAM, pairs[i]);
		threads[i] = start(live, (void *)(intptr_t)i);
	}
	while (begun < THREADS)
		usleep(100);
	check(setitimer(ITIMER_REAL, &often, NULL) == 0);
	check(setitimer(ITIMER_PROF, &often, NULL) == 0);
	for (int round = 1; round <= rounds; round++) {
		for (int i = 0; i < THREADS; i++)
			check(pthread_kill(threads[i], SIGUSR1) == 0);
		for (int i = 0; i < THREADS; i++)
			while (handled[i] < round)
				usleep(50);
	}
	check(setitimer(ITIMER_REAL, &never, NULL) == 0);
	check(setitimer(ITIMER_PROF, &never, NULL) == 0);
	stop = 1;
	for (int i = 0; i < THREADS; i++) {
		write_all(pairs[i][1], "x", 1);
		finish(threads[i]);
		say("thread %d handled each: %d", i, handled[i] == rounds);
	}
	say("on a wrong stack %d, alarms %d", stack_wrong, alarms > 0);
	return 0;
}
