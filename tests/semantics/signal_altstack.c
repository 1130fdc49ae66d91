/* sigaltstack(2) is each thread's own: handlers run on it, a stack overflow is survived on it. */
#include "guest.h"

#include <setjmp.h>

#define BYTES ((size_t)64 * 1024)

static volatile int *volatile nowhere = (int *)8;
static __thread char *alternate;
static __thread sigjmp_buf back;
static __thread int handled, handled_there;

static int is_there(const void *address)
{
	return (const char *)address >= alternate && (const char *)address < alternate + BYTES;
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
	const ucontext_t *interrupted = context;
	stack_t now;

	(void)signal;
	(void)info;
	handled++;
	handled_there += is_there(&now);
	check(sigaltstack(NULL, &now) == 0);
	check((now.ss_flags == SS_ONSTACK) == is_there(&now));
	check(alternate == NULL || interrupted->uc_stack.ss_sp == alternate ||
	      interrupted->uc_stack.ss_flags == SS_DISABLE);
	usleep(1000); /* others run meanwhile, and have handlers of their own */
}

static void on_overflow(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	check(info->si_addr != NULL && is_there(&info));
	siglongjmp(back, 1);
}

static int overflow(int depth)
{
	volatile char frame[4096];

	frame[0] = (char)depth;
	return depth < 0 ? 0 : overflow(depth + 1) + frame[0];
}

static void *use_it(void *arg)
{
	stack_t stack = {.ss_size = BYTES}, before;

	check(sigaltstack(NULL, &before) == 0 && before.ss_flags == SS_DISABLE);
	alternate = malloc(BYTES);
	stack.ss_sp = alternate;
	check(sigaltstack(&stack, NULL) == 0);
	for (int i = 0; i < 5; i++) {
		raise(SIGUSR1);
		pthread_kill(pthread_self(), SIGUSR1);
	}
	for (int i = 0; i < 3; i++)
		if (sigsetjmp(back, 1) == 0)
			overflow(1);
	if (sigsetjmp(back, 1) == 0)
		*nowhere = 1;
	stack.ss_flags = SS_DISABLE;
	check(sigaltstack(&stack, &before) == 0 && before.ss_sp == alternate);
	raise(SIGUSR1);
	free(alternate);
	alternate = NULL;
	*(int *)arg = handled * 100 + handled_there;
	return NULL;
}

static void show_mistakes(void)
{
	static char room[16384];
	stack_t small = {.ss_sp = room, .ss_size = 100};
	stack_t odd = {.ss_sp = room, .ss_size = sizeof(room), .ss_flags = 77};

	show(sigaltstack(&small, NULL));
	show(sigaltstack(&odd, NULL));
	show(sigaltstack((void *)8, NULL));
}

int main(void)
{
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_ONSTACK | SA_SIGINFO};
	pthread_t threads[4];
	int counts[4];

	become_threaded();
	check(sigaction(SIGUSR1, &action, NULL) == 0);
	action.sa_sigaction = on_overflow;
	check(sigaction(SIGSEGV, &action, NULL) == 0);
	for (int i = 0; i < 4; i++)
		threads[i] = start(use_it, &counts[i]);
	for (int i = 0; i < 4; i++)
		finish(threads[i]);
	for (int i = 0; i < 4; i++)
		say("thread %d: %d handlers, %d on its own stack", i, counts[i] / 100,
		    counts[i] % 100);
	show_mistakes();
	return 0;
}
