/*
 * Line echo server on standard I/O, a thread per connection. No line of it
 * waits by a system call that it makes itself: that is what libc does inside
 * fgets and fflush.
 *
 *     stdio_echo PORT
 */
#include "net.h"

#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

/*
 * A stream each way, as for a pair of pipes: one stream opened "r+" would have
 * to be repositioned between reading and writing (C11 7.21.5.3), and a socket
 * cannot be. There is no EINTR to see to: the program handles no signal.
 */
static void echo_lines(FILE *in, FILE *out)
{
	char line[1024];

	while (fgets(line, sizeof(line), in) != NULL)
		if (fputs(line, out) == EOF || fflush(out) == EOF)
			return;
}

static void *serve(void *arg)
{
	int fd = (int)(intptr_t)arg;
	int out_fd = dup(fd);
	FILE *in = fdopen(fd, "r");
	FILE *out = out_fd < 0 ? NULL : fdopen(out_fd, "w");

	if (in != NULL && out != NULL)
		echo_lines(in, out);
	if (out != NULL)
		fclose(out);
	else if (out_fd >= 0)
		close(out_fd);
	if (in != NULL)
		fclose(in);
	else
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
		serve_in_thread(serve, accept_next(listener));
}
