/*
 * A program that makes its calls in code without unwind information, as some runtimes do: a thread
 * waits in one for what another is to write.
 */
#include "guest.h"

long hidden_read(long fd, void *buf, long n);

static int ends[2];

static void *read_hidden(void *arg)
{
	char byte = 0;

	check(hidden_read(ends[0], &byte, 1) == 1);
	say("read %c", byte);
	return arg;
}

int main(void)
{
	pthread_t reader;

	check(pipe(ends) == 0);
	reader = start(read_hidden, NULL);
	settle();
	say("writing");
	write_all(ends[1], "x", 1);
	finish(reader);
	say_status("a child", system("exit 3"));
	return 23;
}
