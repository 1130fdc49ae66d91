/* A signal that every thread blocks waits, though it would kill: from the first thread's start on. */
#include "guest.h"

static void *block(void *set)
{
	check(pthread_sigmask(SIG_BLOCK, set, NULL) == 0);
	return NULL;
}

static void expect(const char *what, int signal)
{
	sigset_t pending;

	check(kill(getpid(), signal) == 0);
	check(sigpending(&pending) == 0);
	say("%s: SIG%s is pending: %d", what, sigabbrev_np(signal), sigismember(&pending, signal));
}

int main(void)
{
	sigset_t set;
	int taken;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	finish(start(block, &set));
	/* nobody has waited for anything since, so that nothing was done meanwhile */
	block(&set);
	expect("at once", SIGHUP);
	check(sigwait(&set, &taken) == 0);
	say("taken: SIG%s", sigabbrev_np(taken));
	finish(start(block, &set));
	expect("later", SIGHUP);
	return 0;
}
