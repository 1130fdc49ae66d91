/* signalfd(2) and threads: who reads a signal of the process, and who one that was sent to a thread. */
#include "guest.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>

#define READERS 4
#define SIGNALS 40

static int fd, taken, ended;
static sigset_t mask;

static int read_signal(struct signalfd_siginfo *info)
{
	ssize_t n = read(fd, info, sizeof(*info));

	check(n == sizeof(*info) || (n == -1 && errno == EAGAIN));
	return n == sizeof(*info) ? (int)info->ssi_signo : -1;
}

static void *take_signals(void *arg)
{
	struct signalfd_siginfo info;
	int got;

	while ((got = read_signal(&info)) == SIGUSR1)
		__atomic_add_fetch(&taken, 1, __ATOMIC_SEQ_CST);
	check(got == SIGUSR2);
	__atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST);
	return arg;
}

static void await(int *counter, int value)
{
	while (__atomic_load_n(counter, __ATOMIC_SEQ_CST) < value)
		usleep(500);
}

/* Sent to the process, a signal is read once, by one of those who wait. */
static void of_process(void)
{
	pthread_t readers[READERS];

	for (int i = 0; i < READERS; i++)
		readers[i] = start(take_signals, NULL);
	for (int i = 0; i < SIGNALS; i++) {
		check(kill(getpid(), SIGUSR1) == 0);
		await(&taken, i + 1);
	}
	for (int i = 0; i < READERS; i++) {
		check(kill(getpid(), SIGUSR2) == 0);
		await(&ended, i + 1); /* while one is pending, another is none */
	}
	for (int i = 0; i < READERS; i++)
		finish(readers[i]);
	say("sent to the process: %d, read: %d", SIGNALS, taken);
}

static void *read_own(void *arg)
{
	struct signalfd_siginfo info;

	check(read_signal(&info) == SIGUSR1);
	say("a thread reads its own: SIG%s, si_code %d, from us %d",
	    sigabbrev_np((int)info.ssi_signo), info.ssi_code, info.ssi_pid == (uint32_t)getpid());
	return arg;
}

/* Sent to a thread, it is for that thread alone, whether it waits already or reads later. */
static void of_thread(void)
{
	pthread_t reader = start(read_own, NULL);

	settle();
	check(pthread_kill(reader, SIGUSR1) == 0);
	finish(reader);
	check(raise(SIGUSR1) == 0);
	read_own(NULL);
}

static void *try_to_read(void *arg)
{
	struct signalfd_siginfo info;
	int got = read_signal(&info);

	say("another finds %s", got == -1 ? "nothing" : "what is not its own");
	return arg;
}

static void not_of_others(void)
{
	struct signalfd_siginfo info;

	check(raise(SIGUSR1) == 0);
	check(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	finish(start(try_to_read, NULL));
	say("itself finds SIG%s", sigabbrev_np(read_signal(&info)));
	finish(start(try_to_read, NULL));
	check(fcntl(fd, F_SETFL, 0) == 0);
}

static void *send_value(void *arg)
{
	settle();
	for (int i = 1; i <= 3; i++)
		check(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i}) == 0);
	return arg;
}

/* Queued ones come in order with their values, several in one read. */
static void with_values(void)
{
	struct signalfd_siginfo infos[3];
	pthread_t sender = start(send_value, NULL);
	int count = 0;

	while (count < 3) {
		ssize_t n = read(fd, &infos[count], sizeof(infos) - (size_t)count * sizeof(*infos));

		check(n > 0 && n % (ssize_t)sizeof(*infos) == 0);
		count += (int)(n / (ssize_t)sizeof(*infos));
	}
	finish(sender);
	say("values %d %d %d", infos[0].ssi_int, infos[1].ssi_int, infos[2].ssi_int);
}

static void *kill_late(void *arg)
{
	settle();
	check(kill(getpid(), SIGUSR1) == 0);
	return arg;
}

static void by_readiness(void)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct signalfd_siginfo info;
	int set = epoll_create1(0);
	pthread_t sender = start(kill_late, NULL);

	check(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0);
	show(poll(&(struct pollfd){fd, POLLIN, 0}, 1, -1));
	show(epoll_wait(set, &event, 1, -1));
	say("read SIG%s", sigabbrev_np(read_signal(&info)));
	show(poll(&(struct pollfd){fd, POLLIN, 0}, 1, 0));
	finish(sender);
	close(set);
}

/* One that is in no mask of the descriptor stays pending, and the set of it can be changed. */
static void other_signals(void)
{
	struct signalfd_siginfo info;
	sigset_t hup;

	sigemptyset(&hup);
	sigaddset(&hup, SIGHUP);
	check(pthread_sigmask(SIG_BLOCK, &hup, NULL) == 0);
	check(kill(getpid(), SIGHUP) == 0 && kill(getpid(), SIGUSR1) == 0);
	say("first SIG%s", sigabbrev_np(read_signal(&info)));
	check(signalfd(fd, &hup, 0) == fd);
	say("then SIG%s", sigabbrev_np(read_signal(&info)));
	check(signalfd(fd, &mask, 0) == fd);
}

int main(int argc, char *argv[])
{
	static void (*const parts[])(void) = {of_process,  of_thread,    not_of_others,
					      with_values, by_readiness, other_signals};

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigaddset(&mask, SIGUSR2);
	sigaddset(&mask, SIGRTMIN);
	check(pthread_sigmask(SIG_BLOCK, &mask, NULL) == 0);
	fd = signalfd(-1, &mask, SFD_CLOEXEC);
	become_threaded();
	for (int i = 0; i < 6; i++)
		if (argc < 2 || atoi(argv[1]) == i)
			parts[i]();
	return 0;
}
