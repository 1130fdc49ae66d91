/*
 * Echo server, a thread per connection: the program from the first chapter of
 * every book on sockets.
 *
 *     echo_threads PORT
 */
#include "net.h"

#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

static void *echo(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char buf[4096];
	long n;

	while ((n = read_some(fd, buf, sizeof(buf))) > 0)
		if (write_all(fd, buf, (size_t)n) != 0)
			break;
	close(fd);
	return NULL;
}

int main(int argc, char **argv)
{
	int listener;

	if (argc != 2) {
		fprintf(stderr, "usage: %s PORT\n", argv[0]);
		return 2;
	}
	listener = listen_local(argv[1]);
	for (;;)
		serve_in_thread(echo, accept_next(listener));
}
