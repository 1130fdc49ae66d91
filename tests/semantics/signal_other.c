/* Signals that others handle cut no transfer short, however often they come. */
#include "guest.h"

#include <sys/time.h>

#define BIG_BYTES 1000000U
#define ROUNDS 6

static volatile sig_atomic_t alarms;
static unsigned char *big;
static int channel[2];

static void count(int signal)
{
	(void)signal;
	alarms++;
}

static void *read_slowly(void *arg)
{
	static __thread unsigned char bytes[3000];
	uint64_t position = 0;
	size_t n;

	(void)arg;
	while ((n = read_all(channel[0], bytes, sizeof(bytes))) > 0)
		position += n;
	return (void *)(uintptr_t)position;
}

static void *write_big(void *arg)
{
	int whole = 0;

	for (int i = 0; i < ROUNDS; i++)
		whole += write(channel[1], big, BIG_BYTES) == BIG_BYTES;
	say("%s: whole writes: %d", (const char *)arg, whole);
	close(channel[1]);
	channel[1] = -1;
	return NULL;
}

static void *read_whole(void *arg)
{
	int whole = 0;

	for (int i = 0; i < ROUNDS; i++)
		whole += recv(channel[0], big, BIG_BYTES, MSG_WAITALL) == BIG_BYTES;
	say("%s: whole reads: %d", (const char *)arg, whole);
	return NULL;
}

static void *write_pieces(void *arg)
{
	static const char piece[1000];

	(void)arg;
	for (unsigned int i = 0; i < ROUNDS * BIG_BYTES / sizeof(piece); i++)
		write_all(channel[1], piece, sizeof(piece));
	return NULL;
}

/* Only main, which waits for them, hears of alarms. */
static void run_two(void *(*one)(void *), void *(*other)(void *), const char *kind)
{
	pthread_t threads[2];
	sigset_t alarm;

	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarm, NULL);
	threads[0] = start(one, (void *)kind);
	threads[1] = start(other, (void *)kind);
	pthread_sigmask(SIG_UNBLOCK, &alarm, NULL);
	finish(threads[0]);
	finish(threads[1]);
	close(channel[0]);
	if (channel[1] >= 0)
		close(channel[1]);
}

int main(void)
{
	struct itimerval often = {{0, 100}, {0, 100}};
	struct sigaction action = {.sa_handler = count, .sa_flags = SA_RESTART};

	big = calloc(1, BIG_BYTES);
	check(big != NULL);
	become_threaded();
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	check(pipe(channel) == 0);
	run_two(write_big, read_slowly, "pipe");
	check(socketpair(AF_UNIX, SOCK_STREAM, 0, channel) == 0);
	run_two(write_big, read_slowly, "socket");
	check(socketpair(AF_UNIX, SOCK_STREAM, 0, channel) == 0);
	run_two(read_whole, write_pieces, "socket");
	while (alarms <= 100)
		pause();
	say("alarms came");
	return 0;
}
