/*
 * An iterative server that keeps of a connection, between two reads, what it should not: in static
 * objects, to be found out. Served in turn it would hang, since two connections talk by turns.
 */
#include "serve.h"

static char line[64]; /* what was read last, by whom ever */
static long total;    /* counted up by all */
static long seldom;   /* written once, by the last alone */
static const char greeting[] = "hello ";

static void say_and_hear_one(int fd, const char *text)
{
	char answer[128];
	size_t length = strlen(greeting) + strlen(text);

	write_all(fd, text, strlen(text));
	check(recv(fd, answer, length, MSG_WAITALL) == (ssize_t)length);
}

static void talk_by_turns(void)
{
	int first = tcp_connect(&server), second;

	say_and_hear_one(first, "one");
	second = tcp_connect(&server);
	say_and_hear_one(second, "two");
	say_and_hear_one(first, "three");
	close(first);
	close(second);
	say_and_hear_one(tcp_connect(&server), "end");
}

static void serve(int fd)
{
	char own[sizeof(line)];
	ssize_t n;

	while ((n = read(fd, line, sizeof(line))) > 0) {
		memcpy(own, line, (size_t)n);
		total += n;
		write_all(fd, greeting, strlen(greeting));
		write_all(fd, own, (size_t)n);
		if (n == 3 && memcmp(own, "end", 3) == 0) {
			seldom = total;
			exit(0);
		}
	}
	close(fd);
}

int main(void)
{
	int listener = begin_server(talk_by_turns);

	for (;;)
		serve(accept_one(listener));
}
