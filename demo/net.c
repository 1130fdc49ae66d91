#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

static in_port_t parse_port(const char *text)
{
	char *end;
	long port = strtol(text, &end, 10);

	if (end == text || *end != '\0' || port < 0 || port > 65535) {
		fprintf(stderr, "not a port: %s\n", text);
		exit(2);
	}
	return htons((uint16_t)port);
}

int listen_local(const char *port_text)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = parse_port(port_text),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	signal(SIGPIPE, SIG_IGN);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) != 0)
		die("socket");
	if (bind(fd, (struct sockaddr *)&addr, len) != 0)
		die("bind");
	/* Thousands may connect at once, and a full queue costs a client a second. */
	if (listen(fd, 4096) != 0)
		die("listen");
	if (getsockname(fd, (struct sockaddr *)&addr, &len) != 0)
		die("getsockname");
	printf("listening on %d\n", ntohs(addr.sin_port));
	fflush(stdout);
	return fd;
}

int accept_next(int listener)
{
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0) {
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
			return fd;
		}
		switch (errno) {
		case EBADF:
		case EINVAL:
		case ENOTSOCK:
			die("accept");
		case EMFILE:
		case ENFILE:
		case ENOBUFS:
		case ENOMEM:
			usleep(10000);
		}
		/* All else, by accept(2), is trouble of that one connection. */
	}
}

int start_thread(void *(*run)(void *arg), void *arg)
{
	pthread_attr_t detached;
	pthread_t thread;
	int err;

	/* Not later: glibc's pthread_detach() may look at a thread that has just ended, and is gone. */
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	err = pthread_create(&thread, &detached, run, arg);
	pthread_attr_destroy(&detached);
	return err;
}

void serve_in_thread(void *(*serve)(void *fd), int fd)
{
	int err = start_thread(serve, (void *)(intptr_t)fd);

	if (err != 0) {
		fprintf(stderr, "connection refused: %s\n", strerror(err));
		close(fd);
	}
}

long read_some(int fd, void *buf, size_t len)
{
	ssize_t n;

	do
		n = read(fd, buf, len);
	while (n < 0 && errno == EINTR);
	return n;
}

int write_all(int fd, const void *buf, size_t len)
{
	const char *next = buf;

	while (len > 0) {
		ssize_t n = write(fd, next, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		next += n;
		len -= (size_t)n;
	}
	return 0;
}
