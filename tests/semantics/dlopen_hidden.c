/*
 * A library is loaded, while threads are there, that makes its calls in code without unwind
 * information: a thread waits in one for what another is to write.
 */
#include "guest.h"

#include <dlfcn.h>
#include <libgen.h>

typedef long read_function(long fd, void *buf, long n);

static int ends[2], never[2];
static read_function *hidden_read;

static void *read_hidden(void *arg)
{
	char byte = 0;

	check(hidden_read(ends[0], &byte, 1) == 1);
	say("read %c", byte);
	return arg;
}

static void count(int signal)
{
	(void)signal;
	say("a signal");
}

int main(int argc, char **argv)
{
	char path[4096];
	pthread_t reader;
	void *library;

	check(argc > 0 && pipe(ends) == 0 && pipe(never) == 0);
	signal(SIGUSR1, count);
	start(read_byte, &never[0]);
	settle();
	snprintf(path, sizeof(path), "%s/hidden_library.so", dirname(argv[0]));
	library = dlopen(path, RTLD_NOW);
	check(library != NULL);
	hidden_read = (read_function *)dlsym(library, "hidden_read");
	check(hidden_read != NULL);

	for (int i = 0; i < 3; i++) {
		reader = start(read_hidden, NULL);
		settle();
		say("writing");
		check(raise(SIGUSR1) == 0);
		write_all(ends[1], "x", 1);
		finish(reader);
	}
	return 23;
}
