/* pthread_kill runs the handler in the thread it names, even one that is parked. */
#include "guest.h"

#define THREADS 5

static volatile sig_atomic_t ran_in[THREADS], woken[THREADS];
static __thread int mine = -1;
static int pair[2];

static void note_thread(int number)
{
	if (number == SIGUSR1 && mine >= 0)
		ran_in[mine]++;
}

static void *read_until_interrupted(void *arg)
{
	char byte;

	mine = (int)(intptr_t)arg;
	check(read(pair[0], &byte, 1) == -1 && errno == EINTR);
	woken[mine] = 1;
	for (;;) /* a signal that was on its way ends one */
		pause();
	return NULL;
}

int main(void)
{
	struct sigaction action = {.sa_handler = note_thread};
	pthread_t threads[THREADS];

	sigemptyset(&action.sa_mask);
	check(sigaction(SIGUSR1, &action, NULL) == 0);
	unix_pair(SOCK_STREAM, pair);
	for (intptr_t i = 0; i < THREADS; i++)
		threads[i] = start(read_until_interrupted, (void *)i);
	show_error(pthread_kill(threads[2], 0));
	show_error(pthread_kill(threads[2], 999));
	for (int i = THREADS - 1; i >= 0; i--) {
		while (!woken[i]) {
			usleep(20000);
			if (!woken[i])
				check(pthread_kill(threads[i], SIGUSR1) == 0);
		}
		for (int j = 0; j < i; j++)
			check(!woken[j] && !ran_in[j]);
		say("thread %d was interrupted, handler ran there: %d", i, ran_in[i] > 0);
	}
	check(signal(SIGUSR2, SIG_DFL) != SIG_ERR);
	say("the default action of a signal to one thread ends all");
	pthread_kill(threads[0], SIGUSR2);
	finish(threads[0]);
	return 0;
}
