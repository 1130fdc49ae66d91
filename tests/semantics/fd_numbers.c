/* A program that uses every number there is for a descriptor, which is its right. */
#include "guest.h"

#include <sys/resource.h>

#define LIMIT 4096

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

static void close_all(int from)
{
	for (int fd = from; fd < LIMIT; fd++)
		close(fd);
}

static void *run(void *arg)
{
	int ends[2], refused = 0;

	check(pipe(ends) == 0);
	for (int fd = ends[1] + 1; fd < LIMIT; fd++)
		refused += dup2(ends[0], fd) != fd;
	say("numbers refused: %d", refused);
	show(dup(0));
	use("the last number", LIMIT - 1, ends[1]);
	use("one in the middle", LIMIT / 2, ends[1]);
	close_all(ends[1] + 1);
	use("the first number", ends[0], ends[1]);
	return arg;
}

int main(void)
{
	struct rlimit limit;

	check(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = LIMIT;
	check(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	finish(start(run, NULL));
	return 0;
}
