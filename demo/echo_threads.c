/*
 * Echo server, a thread per connection: the program from the first chapter of
 * every book on sockets.
 *
 *     echo_threads [-b BUSY] PORT
 *
 * BUSY threads more do nothing but compute, and never wait.
 */
#include "net.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_BUSY 10000

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

/* Each number is made of the one before: there is nothing in it to leave out, or to wait for. */
static void *compute(void *arg)
{
	uint64_t number = 1;

	for (;;) {
		number = number * 6364136223846793005U + 1442695040888963407U;
		__asm__ volatile("" ::"r"(number));
	}
	return arg;
}

static _Noreturn void usage_error(const char *name)
{
	fprintf(stderr, "usage: %s [-b BUSY] PORT\n", name);
	exit(2);
}

static int read_busy(const char *name, const char *text)
{
	char *end;
	long busy = strtol(text, &end, 10);

	if (end == text || *end != '\0' || busy < 0 || busy > MOST_BUSY)
		usage_error(name);
	return (int)busy;
}

int main(int argc, char **argv)
{
	int listener, option, busy = 0;

	while ((option = getopt(argc, argv, "b:")) != -1) {
		if (option != 'b')
			usage_error(argv[0]);
		busy = read_busy(argv[0], optarg);
	}
	if (argc != optind + 1)
		usage_error(argv[0]);
	listener = listen_local(argv[optind]);
	for (int i = 0; i < busy; i++) {
		int err = start_thread(compute, NULL);

		if (err != 0) {
			fprintf(stderr, "%s: %d of %d busy threads: %s\n", argv[0], i, busy,
				strerror(err));
			return 1;
		}
	}
	for (;;)
		serve_in_thread(echo, accept_next(listener));
}
