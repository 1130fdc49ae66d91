/* dup, dup2, dup3, F_DUPFD and close_range on descriptors that have been parked on before. */
#include "guest.h"

static void read_parked(const char *what, int from, int to)
{
	pthread_t sender = start(write_late, &to);
	char bytes[8];
	ssize_t n = read(from, bytes, sizeof(bytes));

	finish(sender);
	say("%s: %zd", what, n);
}

int main(void)
{
	int one[2], other[2], copy, copies[2];

	unix_pair(SOCK_STREAM, one);
	check(pipe(other) == 0);
	read_parked("before", one[0], one[1]);

	copy = dup(one[0]);
	read_parked("through a copy", copy, one[1]);
	close(one[0]);
	read_parked("through the copy alone", copy, one[1]);

	check(dup2(other[0], copy) == copy);
	read_parked("the number now a pipe's", copy, other[1]);
	close(copy);
	read_parked("the pipe itself", other[0], other[1]);

	unix_pair(SOCK_STREAM, one);
	read_parked("a new pair", one[0], one[1]);
	check(dup3(other[0], one[0], O_CLOEXEC) == one[0]);
	say("close-on-exec: %d", fcntl(one[0], F_GETFD));
	read_parked("after dup3", one[0], other[1]);
	show(dup2(one[0], one[0]) == one[0]);
	read_parked("after dup2 onto itself", one[0], other[1]);
	copies[0] = fcntl(other[0], F_DUPFD, 100);
	copies[1] = fcntl(other[0], F_DUPFD_CLOEXEC, 100);
	say("lowest from 100: %d %d", copies[0], copies[1]);
	read_parked("F_DUPFD", copies[0], other[1]);
	read_parked("F_DUPFD_CLOEXEC", copies[1], other[1]);

	show(close_range(100, 150, 0));
	show(read(copies[0], &copy, 1));
	show(close(copies[1]));
	show(close_range(10, 5, 0));
	for (int fd = 3; fd < 200; fd++)
		close(fd);
	unix_pair(SOCK_STREAM, one);
	say("after closing all, numbers start at %d", one[0]);
	read_parked("after closing all", one[0], one[1]);
	show(close_range(3, ~0u, 0));
	check(pipe(other) == 0);
	say("after close_range to the end, numbers start at %d", other[0]);
	read_parked("after close_range to the end", other[0], other[1]);
	return 0;
}
