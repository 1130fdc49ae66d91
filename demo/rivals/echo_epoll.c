/*
 * Echo server, one thread around an edge-triggered epoll set: what is written by
 * hand for speed.
 *
 *     echo_epoll PORT
 *
 * A socket is read until a short read has emptied it (epoll(7), Q9), each part is
 * written back at once, and what the other side does not take is kept. While
 * something is kept, the connection waits for EPOLLOUT and reads nothing, so that
 * it never keeps more than one part.
 */
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PART_BYTES 65536
#define EVENTS 1024
#define READING (EPOLLIN | EPOLLRDHUP | EPOLLET)
#define WRITING (EPOLLOUT | EPOLLET)

struct connection {
	int fd;
	char *kept; /* NULL while all is written */
	size_t kept_len;
	size_t kept_from;
};

static int epoll_fd;
static char part[PART_BYTES];

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Closing takes it out of the set, for nobody else has the socket. */
static void end_connection(struct connection *c)
{
	close(c->fd);
	free(c->kept);
	free(c);
}

static int await(struct connection *c, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = c};

	return epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
}

/* How much the socket took, or -1 when the connection is broken. */
static ssize_t write_some(int fd, const char *bytes, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = send(fd, bytes + done, len - done, MSG_NOSIGNAL);

		if (n >= 0)
			done += (size_t)n;
		else if (errno == EAGAIN)
			break;
		else if (errno != EINTR)
			return -1;
	}
	return (ssize_t)done;
}

static int keep(struct connection *c, const char *bytes, size_t len)
{
	c->kept = malloc(len);
	if (c->kept == NULL)
		return -1;
	memcpy(c->kept, bytes, len);
	c->kept_len = len;
	c->kept_from = 0;
	return await(c, WRITING);
}

static int echo(struct connection *c, const char *bytes, size_t len)
{
	ssize_t written = write_some(c->fd, bytes, len);

	if (written < 0)
		return -1;
	return (size_t)written == len ? 0 : keep(c, bytes + written, len - (size_t)written);
}

/*
 * Read and echo until the socket is empty or something is kept; -1 at the end of
 * the connection. An end that was announced is met by reading on: a short read
 * comes before it.
 */
static int serve(struct connection *c, bool end_announced)
{
	while (c->kept == NULL) {
		ssize_t n = recv(c->fd, part, sizeof(part), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		if (n == 0 || echo(c, part, (size_t)n) != 0)
			return -1;
		if ((size_t)n < sizeof(part) && !end_announced)
			return 0;
	}
	return 0;
}

/* Write what was kept; once it is out, read on: no edge tells of what came meanwhile. */
static int write_kept(struct connection *c)
{
	ssize_t written = write_some(c->fd, c->kept + c->kept_from, c->kept_len - c->kept_from);

	if (written < 0)
		return -1;
	c->kept_from += (size_t)written;
	if (c->kept_from < c->kept_len)
		return 0;
	free(c->kept);
	c->kept = NULL;
	if (await(c, READING) != 0)
		return -1;
	return serve(c, true);
}

static void run_event(struct connection *c, uint32_t events)
{
	bool ends = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;

	if ((c->kept != NULL ? write_kept(c) : serve(c, ends)) != 0)
		end_connection(c);
}

static void add_connection(int fd)
{
	struct connection *c = calloc(1, sizeof(*c));
	struct epoll_event event = {.events = READING, .data.ptr = c};

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	if (c == NULL || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
		close(fd);
		free(c);
		return;
	}
	c->fd = fd;
}

static void accept_all(int listener)
{
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			add_connection(fd);
		} else if (errno == EAGAIN) {
			return;
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			   errno == ENOMEM) {
			/* Connections that end free some, and then the listener is still ready. */
			usleep(10000);
			return;
		}
		/* All else, by accept(2), is trouble of that one connection. */
	}
}

int main(int argc, char **argv)
{
	static struct epoll_event events[EVENTS];
	struct epoll_event listening = {.events = EPOLLIN};
	int listener;

	if (argc != 2) {
		fprintf(stderr, "usage: %s PORT\n", argv[0]);
		return 2;
	}
	listener = listen_local(argv[1]);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0 || fcntl(listener, F_SETFL, O_NONBLOCK) != 0 ||
	    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &listening) != 0)
		die("epoll");
	for (;;) {
		int n = epoll_wait(epoll_fd, events, EVENTS, -1);

		if (n < 0 && errno != EINTR)
			die("epoll_wait");
		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == NULL)
				accept_all(listener);
			else
				run_event(events[i].data.ptr, events[i].events);
		}
	}
}
