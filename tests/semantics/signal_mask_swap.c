/* ppoll, pselect, epoll_pwait and sigsuspend change the mask and wait in one: a signal that is pending
 * already interrupts, its handler sees the mask of the call, and the caller's comes back.
 */
#include "guest.h"

#include <sys/epoll.h>
#include <sys/select.h>

static int fds[2], epoll_fd;
static sigset_t none, usr1, seen;
static volatile sig_atomic_t handled[2];

static void on_signal(int signal)
{
	check(pthread_sigmask(SIG_BLOCK, NULL, &seen) == 0);
	handled[signal == SIGUSR2]++;
}

static int wait_ppoll(const struct timespec *time, const sigset_t *mask)
{
	return ppoll(&(struct pollfd){fds[0], POLLIN, 0}, 1, time, mask);
}

static int wait_pselect(const struct timespec *time, const sigset_t *mask)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fds[0], &set);
	return pselect(fds[0] + 1, &set, NULL, NULL, time, mask);
}

static int wait_epoll(const struct timespec *time, const sigset_t *mask)
{
	int ms = time == NULL ? -1 : (int)(time->tv_sec * 1000 + time->tv_nsec / 1000000);

	return epoll_pwait(epoll_fd, &(struct epoll_event){0}, 1, ms, mask);
}

static int wait_epoll2(const struct timespec *time, const sigset_t *mask)
{
	return epoll_pwait2(epoll_fd, &(struct epoll_event){0}, 1, time, mask);
}

static int suspend(const struct timespec *time, const sigset_t *mask)
{
	(void)time;
	return sigsuspend(mask);
}

static const struct way {
	const char *name;
	int (*wait)(const struct timespec *time, const sigset_t *mask);
	bool has_time;
} ways[] = {
	{"ppoll", wait_ppoll, true},       {"pselect", wait_pselect, true},
	{"epoll_pwait", wait_epoll, true}, {"epoll_pwait2", wait_epoll2, true},
	{"sigsuspend", suspend, false},
};

static void report(const char *what, int result, int error)
{
	sigset_t mask;

	check(pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0);
	say("  %s: %d %s, handled %d and %d, there 1 %d 2 %d, now 1 %d 2 %d", what, result,
	    result == -1 ? strerrorname_np(error) : "", handled[0], handled[1],
	    sigismember(&seen, SIGUSR1), sigismember(&seen, SIGUSR2), sigismember(&mask, SIGUSR1),
	    sigismember(&mask, SIGUSR2));
	handled[0] = handled[1] = 0;
	sigemptyset(&seen);
}

static void *kill_late(void *thread)
{
	settle();
	check(pthread_kill(*(pthread_t *)thread, SIGUSR1) == 0);
	return NULL;
}

/* Forget what is pending, without its handler. */
static void drop(void)
{
	while (sigtimedwait(&usr1, NULL, &(struct timespec){0, 0}) > 0)
		;
}

static void *try_all(void *arg)
{
	const struct timespec far = {50, 0}, now = {0, 0};
	pthread_t me = pthread_self(), other;
	int result;

	check(pthread_sigmask(SIG_BLOCK, &usr1, NULL) == 0);
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		const struct way *way = &ways[i];

		say("%s", way->name);
		check(pthread_kill(me, SIGUSR1) == 0);
		result = way->wait(&far, &none);
		report("pending for the thread", result, errno);
		check(kill(getpid(), SIGUSR1) == 0);
		result = way->wait(&far, &none);
		report("pending for the process", result, errno);
		check(pthread_kill(me, SIGUSR1) == 0 && pthread_kill(me, SIGUSR2) == 0);
		result = way->wait(&far, &none);
		report("both pending", result, errno);
		other = start(kill_late, &me);
		result = way->wait(NULL, &none);
		report("sent while it waits", result, errno);
		finish(other);
		if (!way->has_time)
			continue;
		check(pthread_kill(me, SIGUSR1) == 0);
		result = way->wait(&now, &none);
		report("pending, no time", result, errno);
		drop();
		result = way->wait(&now, &usr1);
		report("blocked there too", result, errno);
		write_all(fds[1], "x", 1);
		check(pthread_kill(me, SIGUSR1) == 0);
		result = way->wait(&far, &none);
		report("pending, and ready", result, errno);
		drop();
		check(read(fds[0], &(char){0}, 1) == 1);
	}
	return arg;
}

int main(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	sigemptyset(&none);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigaddset(&usr1, SIGUSR2);
	check(sigaction(SIGUSR1, &action, NULL) == 0 && sigaction(SIGUSR2, &action, NULL) == 0);
	check(pipe(fds) == 0);
	epoll_fd = epoll_create1(0);
	check(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fds[0],
			&(struct epoll_event){.events = EPOLLIN}) == 0);
	check(pthread_sigmask(SIG_BLOCK, &usr1, NULL) == 0);
	become_threaded();
	say("the first thread");
	try_all(NULL);
	say("another");
	finish(start(try_all, NULL));
	return 0;
}
