/* Signals taken by asking for them, in threads: sigwait, sigwaitinfo, sigtimedwait, signalfd. */
#include "guest.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>

#define TAKERS 5

static sigset_t set;
static volatile int taken, sum, handled, is_interrupted;

static void on_signal(int signal)
{
	(void)signal;
	handled++;
}

static void *take_one(void *arg)
{
	siginfo_t info;
	int number;

	/* the kernel says EINTR to who is woken for one that another has taken */
	while ((number = sigwaitinfo(&set, &info)) == -1)
		check(errno == EINTR);
	check(number == SIGRTMIN);
	__atomic_add_fetch(&sum, info.si_value.sival_int, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&taken, 1, __ATOMIC_SEQ_CST);
	return arg;
}

/* Each of several for the process goes to one of those who wait. */
static void many_takers(void)
{
	pthread_t threads[TAKERS];

	for (int i = 0; i < TAKERS; i++)
		threads[i] = start(take_one, NULL);
	settle();
	for (int i = 0; i < TAKERS; i++)
		check(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 1 << i}) == 0);
	for (int i = 0; i < TAKERS; i++)
		finish(threads[i]);
	say("taken %d, sum %d", taken, sum);
}

static void send_some(pthread_t thread)
{
	for (int i = 0; i < 2; i++)
		for (int signal = SIGRTMIN + 1; signal >= SIGRTMIN; signal--)
			check(pthread_sigqueue(thread, signal, (union sigval){.sival_int = i}) ==
			      0);
	check(pthread_kill(thread, SIGUSR1) == 0 && pthread_kill(thread, SIGUSR1) == 0);
	check(kill(getpid(), SIGUSR1) == 0);
}

/* The lowest number first, queued ones in order, the thread's own before the process's. */
static void *take_in_order(void *arg)
{
	struct timespec now = {0, 0};
	siginfo_t info;
	int number;

	send_some(pthread_self());
	while ((number = sigtimedwait(&set, &info, &now)) > 0)
		say("%d value %d code %d", number,
		    info.si_code == SI_QUEUE ? info.si_value.sival_int : 0, info.si_code);
	show(sigtimedwait(&set, &info, &now));
	show(sigtimedwait(&set, &info, &(struct timespec){0, 20000000}));
	show(sigtimedwait(&set, &info, &(struct timespec){0, -1}));
	return arg;
}

static void *interrupt_late(void *thread)
{
	interrupt_until(&is_interrupted, *(pthread_t *)thread, SIGUSR2);
	return NULL;
}

static void *be_interrupted(void *arg)
{
	pthread_t me = pthread_self(), other = start(interrupt_late, &me);

	show(sigwaitinfo(&set, NULL));
	is_interrupted = 1;
	finish(other);
	say("handled %d", handled > 0);
	return arg;
}

static void *queue_late(void *fd)
{
	settle();
	check(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = *(int *)fd + 1000}) == 0);
	return NULL;
}

/* What a signalfd tells: one for the process, one for the thread that reads. */
static void *read_signals(void *arg)
{
	int fd = signalfd(-1, &set, SFD_CLOEXEC), epoll_fd = epoll_create1(0);
	struct pollfd one = {fd, POLLIN, 0};
	struct signalfd_siginfo info[4];
	pthread_t other;

	check(fd >= 0);
	show(poll(&one, 1, 0));
	other = start(queue_late, &fd);
	show(poll(&one, 1, -1));
	show(read(fd, info, sizeof(info)) == sizeof(*info));
	say("signal %d value %d from here %d", info[0].ssi_signo == (uint32_t)SIGRTMIN,
	    info[0].ssi_int - fd, info[0].ssi_pid == (uint32_t)getpid());
	finish(other);
	other = start(queue_late, &fd);
	show(read(fd, info, sizeof(info)) == sizeof(*info));
	finish(other);
	check(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN}) ==
	      0);
	other = start(queue_late, &fd);
	show(epoll_wait(epoll_fd, &(struct epoll_event){0}, 1, -1));
	finish(other);
	show(read(fd, info, sizeof(info)) == sizeof(*info));
	close(epoll_fd);
	close(fd);
	return arg;
}

int main(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	check(sigaction(SIGUSR2, &action, NULL) == 0);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigaddset(&set, SIGRTMIN + 1);
	sigaddset(&set, SIGUSR1);
	check(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
	become_threaded();
	many_takers();
	finish(start(take_in_order, NULL));
	take_in_order(NULL);
	finish(start(be_interrupted, NULL));
	finish(start(read_signals, NULL));
	read_signals(NULL);
	return 0;
}
