/* Writing where nobody reads: EPIPE when ignored or MSG_NOSIGNAL, a handler, and death by SIGPIPE. */
#include "guest.h"

static volatile sig_atomic_t caught;

static void catch_signal(int number)
{
	caught += number == SIGPIPE;
}

static void *write_where_nobody_reads(void *arg)
{
	int pair[2], pipe_fds[2];

	tcp_pair(pair);
	shutdown(pair[0], SHUT_WR);
	show(send(pair[0], "x", 1, MSG_NOSIGNAL));
	say("%s", (const char *)arg);
	show(write(pair[0], "x", 1));
	unix_pair(SOCK_STREAM, pair);
	close(pair[1]);
	show(send(pair[0], "x", 1, 0));
	/* Only streams send a signal. */
	unix_pair(SOCK_SEQPACKET, pair);
	close(pair[1]);
	show(send(pair[0], "x", 1, 0));
	unix_pair(SOCK_DGRAM, pair);
	shutdown(pair[0], SHUT_WR);
	show(write(pair[0], "x", 1));
	check(pipe(pipe_fds) == 0);
	close(pipe_fds[0]);
	show(write(pipe_fds[1], "x", 1));
	return NULL;
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	finish(start(write_where_nobody_reads, "ignored"));
	signal(SIGPIPE, catch_signal);
	finish(start(write_where_nobody_reads, "caught"));
	say("caught %d", caught);
	signal(SIGPIPE, SIG_DFL);
	finish(start(write_where_nobody_reads, "by default"));
	say("not reached");
	return 0;
}
