/* Each thread has its own signal mask: inherited at birth, reported, changed for itself alone. */
#include "guest.h"

static volatile sig_atomic_t caught;

static void catch_signal(int number)
{
	caught += number == SIGUSR1;
}

static const char *mask_text(void)
{
	static __thread char text[128];
	sigset_t mask;

	check(pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0);
	text[0] = '\0';
	for (int i = 1; i < 32; i++)
		if (sigismember(&mask, i)) {
			strcat(text, sigabbrev_np(i));
			strcat(text, " ");
		}
	return text;
}

static void change(int how, int number)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	check(pthread_sigmask(how, &set, NULL) == 0);
}

static void *inherit(void *arg)
{
	say("  born with: %s", mask_text());
	change(SIG_BLOCK, SIGUSR2);
	usleep(1000);
	say("  added: %s", mask_text());
	change(SIG_UNBLOCK, SIGUSR1);
	say("  taken away: %s", mask_text());
	if (arg != NULL)
		finish(start(inherit, NULL));
	change(SIG_SETMASK, SIGTERM);
	say("  set: %s", mask_text());
	return NULL;
}

static void *stay_blocked(void *arg)
{
	sigset_t pending;

	change(SIG_BLOCK, SIGUSR1);
	check(pthread_kill(pthread_self(), SIGUSR1) == 0);
	usleep(1000);
	sigpending(&pending);
	say("blocked: caught %d, pending %d", caught, sigismember(&pending, SIGUSR1));
	change(SIG_UNBLOCK, SIGUSR1);
	say("unblocked: caught %d", caught);
	return arg;
}

int main(void)
{
	sigset_t set;

	signal(SIGUSR1, catch_signal);
	become_threaded();
	say("main begins with: %s", mask_text());
	change(SIG_BLOCK, SIGUSR1);
	finish(start(inherit, "again"));
	say("main still has: %s", mask_text());
	change(SIG_UNBLOCK, SIGUSR1);
	finish(start(stay_blocked, NULL));

	sigfillset(&set);
	show_error(pthread_sigmask(SIG_SETMASK, &set, NULL));
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	say("KILL and STOP cannot be blocked: %d %d", sigismember(&set, SIGKILL),
	    sigismember(&set, SIGSTOP));
	show_error(pthread_sigmask(42, &set, NULL));
	return 0;
}
