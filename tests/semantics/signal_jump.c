/* Handlers leave each call that waits by siglongjmp, on the thread's stack and on another one; what
 * was waited for is in order afterwards. How many rounds: the first argument.
 */
#include "waits.h"

#include <setjmp.h>

#define STACK_BYTES 65536

static const struct wait *wait_now;
static long rounds = 3;
static volatile int jumps, is_waiting, is_over;
static __thread sigjmp_buf back;
static __thread volatile int can_jump;

static void jump(int signal)
{
	if (can_jump) {
		can_jump = 0;
		siglongjmp(back, signal);
	}
}

static void *wait_often(void *stack_memory)
{
	stack_t stack = {.ss_sp = stack_memory, .ss_size = STACK_BYTES};
	volatile long round = 0;
	sigset_t mask;
	long result;

	check(sigaltstack(&stack, NULL) == 0);
	while (round < rounds) {
		if (sigsetjmp(back, 1) == 0) {
			can_jump = 1;
			is_waiting = 1;
			result = wait_now->call();
			can_jump = 0;
			check(result == -1 && errno == EINTR);
		} else {
			round++;
			jumps++;
		}
	}
	is_over = 1;
	/* the mask was put back, and the stack is not in use */
	check(pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0 && !sigismember(&mask, SIGUSR1));
	check(sigaltstack(NULL, &stack) == 0 && stack.ss_flags == 0);
	/* one that was on its way ends nothing any more */
	check(sigaddset(&mask, SIGUSR1) == 0 && pthread_sigmask(SIG_SETMASK, &mask, NULL) == 0);
	if (wait_now->complete != NULL)
		check(wait_now->call() != -1);
	return NULL;
}

static void try(const struct wait *wait, int flags)
{
	struct sigaction action = {.sa_handler = jump, .sa_flags = flags | SA_RESTART};
	void *stack = malloc(STACK_BYTES);
	pthread_t thread;

	check(sigaction(SIGUSR1, &action, NULL) == 0);
	wait_now = wait;
	jumps = is_over = 0;
	wait->set_up();
	thread = start(wait_often, stack);
	while (!is_over) {
		usleep(1000);
		if (!is_over)
			check(pthread_kill(thread, SIGUSR1) == 0);
	}
	if (wait->complete != NULL)
		wait->complete();
	finish(thread);
	wait->tidy();
	free(stack);
	say("%s%s: jumped out %d times", wait->name, flags == 0 ? "" : ", on another stack", jumps);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		rounds = atol(argv[1]);
	for (int i = 0; i < WAITS; i++) {
		try(&waits[i], 0);
		try(&waits[i], SA_ONSTACK);
	}
	return 0;
}
