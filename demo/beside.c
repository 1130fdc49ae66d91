/*
 * Quick HTTP clients beside a slow one, which was there first: how many are served meanwhile.
 *
 *     beside PORT QUICK SECONDS
 *
 * The slow one sends a byte a second of a request without end. Of the quick ones there are so many at
 * once, each with a connection for its one request; who has its answer makes room for another. One line
 * comes out: how many requests were answered in the time, and how many a second.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST 1000
#define REQUEST "GET /hello HTTP/1.1\r\nConnection: close\r\n\r\n"

static struct sockaddr_in server;

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int connect_and_send(const char *text)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&server, sizeof(server)) != 0 ||
	    write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
		perror("beside: connect");
		exit(1);
	}
	return fd;
}

/* What has come of an answer; 1: it is over and was one, 0: there is more to come. */
static int read_more(int fd, char first[8])
{
	char buf[4096];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n >= 8 && first[0] == '\0')
		memcpy(first, buf, 8);
	if (n > 0)
		return 0;
	if (n < 0 || memcmp(first, "HTTP/1.1", 8) != 0) {
		fprintf(stderr, "beside: no answer\n");
		exit(1);
	}
	return 1;
}

static long be_quick(int quick, double end_s)
{
	static struct pollfd fds[MOST];
	static char first[MOST][8];
	long done = 0;
	double left_s;

	for (int i = 0; i < quick; i++)
		fds[i] = (struct pollfd){connect_and_send(REQUEST), POLLIN, 0};
	while ((left_s = end_s - now_s()) > 0) {
		poll(fds, (nfds_t)quick, (int)(left_s * 1000) + 1);
		for (int i = 0; i < quick; i++) {
			if (fds[i].revents == 0 || read_more(fds[i].fd, first[i]) == 0)
				continue;
			done++;
			close(fds[i].fd);
			first[i][0] = '\0';
			fds[i].fd = connect_and_send(REQUEST);
		}
	}
	return done;
}

/* In a process of its own; it ends with the other's. */
static void be_slow(int fd, pid_t other)
{
	while (getppid() == other && write(fd, "x", 1) == 1)
		sleep(1);
	_exit(0);
}

int main(int argc, char **argv)
{
	double seconds = argc == 4 ? atof(argv[3]) : 0;
	int quick = argc == 4 ? atoi(argv[2]) : 0, slow;
	pid_t self = getpid();
	long done;

	if (quick < 1 || quick > MOST || seconds <= 0) {
		fprintf(stderr, "usage: %s PORT QUICK SECONDS\n", argv[0]);
		return 2;
	}
	server.sin_family = AF_INET;
	server.sin_port = htons((in_port_t)atoi(argv[1]));
	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	slow = connect_and_send("GET /hello HTTP/1.1\r\nSlow: ");
	if (fork() == 0)
		be_slow(slow, self);
	usleep(100000); /* it is the first to be accepted */
	done = be_quick(quick, now_s() + seconds);
	printf("requests=%ld rps=%.1f\n", done, (double)done / seconds);
	return 0;
}
