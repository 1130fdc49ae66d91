/* Descriptors up to the soft limit are the program's, every number of them. */
#include "guest.h"

#include <sys/resource.h>

#define LIMIT 64

static void *read_one(void *arg)
{
	char byte;

	check(read(*(int *)arg, &byte, 1) == 1);
	return (void *)(intptr_t)byte;
}

static void set_limit(rlim_t soft)
{
	struct rlimit limit;

	check(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = soft;
	check(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

/* A thread waits while the limit goes down and up again, and then for what it waits for. */
static void wait_meanwhile(const char *what, rlim_t low, rlim_t high)
{
	pthread_t reader, sleeper;
	int pair[2];

	unix_pair(SOCK_STREAM, pair);
	reader = start(read_one, &pair[0]);
	sleeper = start(write_late, &pair[1]);
	set_limit(low);
	sched_yield();
	set_limit(high);
	say("%s: %c", what, (int)(intptr_t)finish(reader));
	finish(sleeper);
	close(pair[0]);
	close(pair[1]);
}

/* Whoever opens all that the limit lets gets the numbers without a gap. */
static void open_all(const char *what)
{
	int number, last = 2, gaps = 0;

	while ((number = dup(0)) >= 0) {
		gaps += number != last + 1;
		last = number;
	}
	say("%s: %s, the last is %d, gaps: %d", what, strerrorname_np(errno), last, gaps);
	for (number = 3; number < LIMIT; number++)
		check(fcntl(number, F_GETFD) == 0);
}

int main(void)
{
	set_limit(LIMIT);
	become_threaded();
	check(close_range(3, ~0U, 0) == 0);
	open_all("opened");
	show(dup2(0, LIMIT - 1));
	show(dup2(0, LIMIT - 9));
	show(dup2(0, LIMIT));
	show(dup2(0, LIMIT + 3));
	show(fcntl(0, F_DUPFD, LIMIT));
	show(close(LIMIT));
	show(close_range(3, ~0U, 0));
	wait_meanwhile("after all are closed", LIMIT, LIMIT);
	wait_meanwhile("while the limit is lowered", 4, LIMIT);
	wait_meanwhile("while the limit is raised", 2 * LIMIT, LIMIT);
	open_all("opened again");
	return 0;
}
