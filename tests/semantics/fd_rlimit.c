/* The limit of descriptors lowered and raised while threads wait. */
#include "guest.h"

#include <sys/resource.h>

#define LOW 40
#define HIGH 4096

static void limit_to(rlim_t soft)
{
	struct rlimit limit;

	check(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = soft;
	check(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static void *read_late(void *fd)
{
	char byte;

	check(read(*(int *)fd, &byte, 1) == 1 && byte == 'x');
	return NULL;
}

/* A thread waits for a byte on the number, which comes by other_end after a while. */
static void use(const char *what, int number, int other_end)
{
	pthread_t reader = start(read_late, &number);

	settle();
	write_all(other_end, "x", 1);
	finish(reader);
	say("%s: read", what);
}

/* All numbers below the limit can be had, in order, and not one more. */
static void take_all(int limit)
{
	int last = -1, fd, in_order = 1;

	while ((fd = dup(0)) >= 0) {
		in_order &= fd > last;
		last = fd;
	}
	say("in order: %d, the last is %d of %d, then %s", in_order, last + 1, limit,
	    strerrorname_np(errno));
}

static void close_all(int from, int limit)
{
	for (int fd = from; fd < limit; fd++)
		close(fd);
}

static void at_lowered_limit(void)
{
	int ends[2], pair[2], first;
	struct sockaddr_in address;
	int listener = tcp_listen(&address), client = tcp_connect(&address);

	check(pipe(ends) == 0);
	unix_pair(SOCK_STREAM, pair);
	first = pair[1] + 1;
	limit_to(LOW);
	take_all(LOW);
	use("a pipe at the limit", ends[0], ends[1]);
	use("a pair at the limit", pair[0], pair[1]);
	show(socket(AF_INET, SOCK_STREAM, 0));
	show(open("/dev/null", O_RDONLY));
	show(pipe((int[2]){0, 0}));
	show(accept(listener, NULL, NULL));
	show(dup2(0, LOW));
	show(fcntl(0, F_DUPFD, LOW));
	close(first);
	show(accept(listener, NULL, NULL) == first);
	close_all(first, LOW);
	close(client);
	close(listener);
	limit_to(ends[1]);
	show(dup(0));
	use("a pipe beyond the limit", ends[0], ends[1]);
	limit_to(LOW);
	close_all(ends[0], first);
}

static void at_raised_limit(void)
{
	int ends[2], high;

	limit_to(HIGH);
	check(pipe(ends) == 0);
	high = fcntl(ends[0], F_DUPFD, LOW * 50);
	say("a high number: %d", high);
	use("a pipe at a high number", high, ends[1]);
	close(high);
	use("a pipe at a low number", ends[0], ends[1]);
	close(ends[0]);
	close(ends[1]);
}

static void *run(void *arg)
{
	at_lowered_limit();
	at_raised_limit();
	return arg;
}

int main(void)
{
	limit_to(HIGH / 4);
	finish(start(run, NULL));
	return 0;
}
