/*
 * poll on sockets that were read to their end: each answer is whole and right, whoever else reads,
 * whatever came, and however the wait was begun.
 */
#include "guest.h"

static int mine, theirs;

static void connect_pair(int domain, int type)
{
	int pair[2];

	if (domain == AF_UNIX)
		unix_pair(type, pair);
	else
		tcp_pair(pair);
	mine = pair[0];
	theirs = pair[1];
}

static void close_pair(void)
{
	close(mine);
	close(theirs);
}

/* Nothing is left, and both the kernel and whoever stands in for it have seen so. */
static void drain(void)
{
	char bytes[64];

	while (recv(mine, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	check(errno == EAGAIN);
}

static void show_events(const char *what, const struct pollfd *fds, int ready)
{
	say("%s: %d %#x %#x", what, ready, (unsigned int)fds[0].revents,
	    (unsigned int)fds[1].revents);
}

static void wait_and_show(const char *what, short events, int ms)
{
	struct pollfd fds[2] = {{.fd = mine, .events = events, .revents = 0x7fff},
				{.fd = -1, .events = POLLIN, .revents = 0x7fff}};
	int ready = poll(fds, 2, ms);

	show_events(what, fds, ready);
}

/* What the other end does while this one waits. */
static void *send_byte(void *arg)
{
	settle();
	check(send(theirs, "x", 1, arg == NULL ? 0 : MSG_OOB) == 1);
	return NULL;
}

static void *send_two(void *arg)
{
	int *fds = arg;

	settle();
	check(send(fds[0], "x", 1, 0) == 1);
	check(send(fds[1], "y", 1, 0) == 1);
	return NULL;
}

static void *close_theirs(void *arg)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	settle();
	if (arg != NULL)
		setsockopt(theirs, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(theirs);
	return NULL;
}

static void *shut_mine(void *arg)
{
	(void)arg;
	settle();
	shutdown(mine, SHUT_RDWR);
	return NULL;
}

/* Twice, so that the first wait has registered what the second one knows. */
static void streams(int domain)
{
	pthread_t other;
	char byte;

	connect_pair(domain, SOCK_STREAM);
	for (int i = 0; i < 2; i++) {
		drain();
		other = start(send_byte, NULL);
		wait_and_show("a byte", POLLIN, -1);
		finish(other);
		check(recv(mine, &byte, 1, 0) == 1);
	}
	drain();
	wait_and_show("nothing", POLLIN | POLLPRI, 10);
	other = start(send_byte, NULL);
	wait_and_show("by its other names", POLLRDNORM | POLLRDBAND | POLLIN, -1);
	finish(other);
	drain();
	wait_and_show("room", POLLIN | POLLOUT, -1);

	/* A peek and a look at nothing do not empty it. */
	check(send(theirs, "ab", 2, 0) == 2);
	check(recv(mine, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1);
	wait_and_show("after a peek", POLLIN, -1);
	check(recv(mine, &byte, 1, 0) == 1);
	wait_and_show("one left", POLLIN, -1);
	drain();

	/* By another number of the same socket. */
	check(send(theirs, "ab", 2, 0) == 2);
	check(dup2(mine, 200) == 200);
	check(recv(200, &byte, 1, 0) == 1);
	wait_and_show("one left to the other number", POLLIN, -1);
	check(recv(200, &byte, 1, 0) == 1);
	close(200);
	drain();

	other = start(close_theirs, NULL);
	wait_and_show("the end", POLLIN | POLLRDHUP, -1);
	finish(other);
	wait_and_show("the end again", POLLIN, -1);
	close(mine);
}

static void ends(void)
{
	pthread_t other;

	connect_pair(AF_INET, SOCK_STREAM);
	drain();
	wait_and_show("nothing", POLLIN, 10);
	other = start(close_theirs, "reset");
	wait_and_show("a reset", POLLIN, -1);
	finish(other);
	close(mine);

	connect_pair(AF_INET, SOCK_STREAM);
	drain();
	wait_and_show("nothing", POLLIN, 10);
	other = start(shut_mine, NULL);
	wait_and_show("shut down here", POLLIN | POLLRDHUP, -1);
	finish(other);
	close_pair();

	connect_pair(AF_INET, SOCK_STREAM);
	drain();
	wait_and_show("nothing", POLLIN | POLLPRI, 10);
	other = start(send_byte, "urgent");
	wait_and_show("urgent", POLLIN | POLLPRI, -1);
	finish(other);
	close_pair();
}

/* Of two that are ready by the time it wakes, a poll tells of both. */
static void several(void)
{
	int first[2], second[2], writers[2];
	struct pollfd fds[2];
	pthread_t other;
	char byte;

	check(socketpair(AF_UNIX, SOCK_STREAM, 0, first) == 0);
	check(socketpair(AF_UNIX, SOCK_STREAM, 0, second) == 0);
	fds[0] = (struct pollfd){.fd = first[0], .events = POLLIN};
	fds[1] = (struct pollfd){.fd = second[0], .events = POLLIN};
	writers[0] = first[1];
	writers[1] = second[1];
	for (int i = 0; i < 3; i++) {
		check(recv(first[0], &byte, 1, MSG_DONTWAIT) == -1);
		check(recv(second[0], &byte, 1, MSG_DONTWAIT) == -1);
		other = start(send_two, writers);
		check(poll(fds, 2, -1) >= 1);
		check(fds[0].revents == POLLIN);
		finish(other);
		show_events("both", fds, poll(fds, 2, -1));
		check(recv(first[0], &byte, 1, 0) == 1 && byte == 'x');
		check(recv(second[0], &byte, 1, 0) == 1 && byte == 'y');
	}
	for (int i = 0; i < 2; i++) {
		close(first[i]);
		close(second[i]);
	}
}

static void *poll_once(void *arg)
{
	struct pollfd one = {.fd = mine, .events = POLLIN};

	(void)arg;
	return (void *)(intptr_t)(poll(&one, 1, -1) == 1 && one.revents == POLLIN);
}

/* Who waits together is told together. */
static void together(void)
{
	pthread_t waiters[8];
	intptr_t right = 0;
	void *result;

	connect_pair(AF_INET, SOCK_STREAM);
	drain();
	wait_and_show("nothing", POLLIN, 10);
	for (int i = 0; i < 8; i++)
		waiters[i] = start(poll_once, NULL);
	settle();
	check(send(theirs, "x", 1, 0) == 1);
	for (int i = 0; i < 8; i++) {
		check(pthread_join(waiters[i], &result) == 0);
		right += (intptr_t)result;
	}
	say("told together: %d", (int)right);
	close_pair();
}

static void bad_memory(void)
{
	struct pollfd *volatile gone = (struct pollfd *)16;
	int ready;

	connect_pair(AF_INET, SOCK_STREAM);
	drain();
	wait_and_show("nothing", POLLIN, 10);
	ready = poll(gone, 1, 10);
	show_result("poll of what is not there", ready);
	ready = poll(NULL, 0, 10);
	show_result("poll of none", ready);
	close_pair();
}

int main(void)
{
	say("TCP");
	streams(AF_INET);
	say("Unix");
	streams(AF_UNIX);
	say("ends");
	ends();
	several();
	together();
	bad_memory();
	connect_pair(AF_UNIX, SOCK_DGRAM);
	drain();
	finish(start(send_byte, NULL));
	wait_and_show("a datagram", POLLIN, -1);
	close_pair();
	return 0;
}
