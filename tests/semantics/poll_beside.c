/*
 * Who asks without waiting, beside threads that compute and others that sleep shortly, is told what is
 * ready and never that it was interrupted: no signal of the program's comes.
 */
#include "guest.h"

#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sem.h>

#define ASKED 1000
#define ASKING_NS 300000000 /* of all processor time, each way */

static atomic_bool stop;
static int empty[2];
static int semaphore, set;

static void *compute(void *arg)
{
	volatile unsigned long x = 1;

	while (!atomic_load(&stop))
		x = x * 6364136223846793005UL + 1;
	return arg;
}

static void *sleep_shortly(void *arg)
{
	while (!atomic_load(&stop))
		check(usleep(200) == 0);
	return arg;
}

/* Many, so that it takes a while. */
static struct pollfd asked[ASKED];

static bool poll_says_none(void)
{
	return poll(NULL, 0, 0) == 0 && poll(asked, ASKED, 0) == 0 && asked[0].revents == 0;
}

static bool ppoll_says_none(void)
{
	struct timespec now = {0, 0};

	return ppoll(asked, ASKED, &now, NULL) == 0;
}

static bool select_says_none(void)
{
	struct timeval now = {0, 0};
	fd_set reads;

	FD_ZERO(&reads);
	FD_SET(empty[0], &reads);
	return select(empty[0] + 1, &reads, NULL, NULL, &now) == 0 && !FD_ISSET(empty[0], &reads);
}

static bool epoll_says_none(void)
{
	struct epoll_event event;

	return epoll_wait(set, &event, 1, 0) == 0;
}

static bool semaphore_says_none(void)
{
	struct sembuf take = {.sem_op = -1};
	struct timespec now = {0, 0};

	return semtimedop(semaphore, &take, 1, &now) == -1 && errno == EAGAIN;
}

static void ask(const char *what, bool (*says_none)(void))
{
	int64_t end_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID) + ASKING_NS;

	do
		for (int i = 0; i < 10; i++)
			check(says_none());
	while (now_ns(CLOCK_PROCESS_CPUTIME_ID) < end_ns);
	say("%s: none each time", what);
}

int main(void)
{
	struct epoll_event event = {.events = EPOLLIN};
	pthread_t computing, sleeping;

	check(pipe(empty) == 0);
	for (int i = 0; i < ASKED; i++)
		asked[i] = (struct pollfd){.fd = empty[0], .events = POLLIN};
	semaphore = semget(IPC_PRIVATE, 1, 0600);
	set = epoll_create1(0);
	check(semaphore >= 0 && set >= 0);
	check(epoll_ctl(set, EPOLL_CTL_ADD, empty[0], &event) == 0);
	computing = start(compute, NULL);
	sleeping = start(sleep_shortly, NULL);
	ask("poll", poll_says_none);
	ask("ppoll", ppoll_says_none);
	ask("select", select_says_none);
	ask("epoll_wait", epoll_says_none);
	ask("semtimedop", semaphore_says_none);
	atomic_store(&stop, true);
	finish(computing);
	finish(sleeping);
	check(semctl(semaphore, 0, IPC_RMID) == 0);
	return 0;
}
