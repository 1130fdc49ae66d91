/*
 * Echo server without threads: accept, serve, close, and again. One client after the other.
 *
 *     iterative_echo PORT
 */
#include "net.h"

#include <stdio.h>
#include <unistd.h>

static void echo(int fd)
{
	char buf[4096];
	long n;

	while ((n = read_some(fd, buf, sizeof(buf))) > 0)
		if (write_all(fd, buf, (size_t)n) != 0)
			break;
}

int main(int argc, char **argv)
{
	int listener;

	if (argc != 2) {
		fprintf(stderr, "usage: %s PORT\n", argv[0]);
		return 2;
	}
	listener = listen_local(argv[1]);
	for (;;) {
		int fd = accept_next(listener);

		echo(fd);
		close(fd);
	}
}
