/* Two signals at once for a thread that makes no call: both handlers run. */
#include "guest.h"

static volatile sig_atomic_t first, second;

static void handle(int number)
{
	if (number == SIGUSR1)
		first++;
	else
		second++;
}

int main(void)
{
	struct sigaction action = {.sa_handler = handle};
	sigset_t both, before;

	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
	become_threaded();
	sigemptyset(&both);
	sigaddset(&both, SIGUSR1);
	sigaddset(&both, SIGUSR2);
	for (int round = 1; round <= 200; round++) {
		pthread_sigmask(SIG_BLOCK, &both, &before);
		kill(getpid(), SIGUSR1);
		kill(getpid(), SIGUSR2);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
		while (first < round || second < round)
			;
	}
	say("both handled");
	return 0;
}
