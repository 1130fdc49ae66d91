/* Several signals that become admitted at once are handled in the kernel's order, nested. */
#include "guest.h"

static volatile sig_atomic_t depth;

static void on_signal(int signal, siginfo_t *info, void *context)
{
	(void)context;
	depth++;
	say("%d value %d depth %d", signal,
	    info->si_code == SI_QUEUE ? info->si_value.sival_int : 0, (int)depth);
	depth--;
}

static void on_first(int signal)
{
	static int calls;

	say("%d begins", signal);
	raise(SIGUSR2); /* not blocked here: it interrupts */
	if (calls++ == 0)
		raise(SIGUSR1); /* blocked: it comes after */
	say("%d ends", signal);
}

static void *all_at_once(void *arg)
{
	sigset_t all, before;

	sigfillset(&all);
	check(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
	for (int i = 0; i < 3; i++)
		for (int signal = SIGRTMIN + 4; signal >= SIGRTMIN; signal--)
			check(pthread_sigqueue(pthread_self(), signal,
					       (union sigval){.sival_int = i}) == 0);
	raise(SIGHUP);
	raise(SIGHUP);
	raise(SIGTERM);
	if (arg == NULL) /* one for the process, which no other thread admits */
		kill(getpid(), SIGTERM);
	check(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	return NULL;
}

int main(void)
{
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};

	become_threaded();
	for (int i = 0; i < 5; i++)
		check(sigaction(SIGRTMIN + i, &action, NULL) == 0);
	check(sigaction(SIGHUP, &action, NULL) == 0);
	check(sigaction(SIGTERM, &action, NULL) == 0);
	check(sigaction(SIGUSR2, &action, NULL) == 0);
	all_at_once(NULL);
	finish(start(all_at_once, "in a thread"));
	action = (struct sigaction){.sa_handler = on_first};
	check(sigaction(SIGUSR1, &action, NULL) == 0);
	raise(SIGUSR1);
	action.sa_flags = (int)SA_RESETHAND;
	check(sigaction(SIGUSR2, &action, NULL) == 0);
	check(sigaction(SIGUSR2, NULL, &action) == 0 && action.sa_handler == on_first);
	raise(SIGUSR2);
	say("not reached");
	return 0;
}
