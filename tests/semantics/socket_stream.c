/* Streams, TCP and UNIX: each way to read and write, blocked first by an empty or full buffer. */
#include "guest.h"

#include <sys/uio.h>

static void *send_late(void *arg)
{
	int fd = *(int *)arg;
	char bytes[40];
	struct iovec parts[2] = {{bytes, 3}, {bytes + 3, 7}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

	fill(bytes, sizeof(bytes), 0);
	settle();
	show(write(fd, bytes, 10));
	settle();
	show(send(fd, bytes, 10, 0));
	settle();
	show(writev(fd, parts, 2));
	settle();
	show(sendmsg(fd, &message, MSG_NOSIGNAL));
	settle();
	show(sendto(fd, bytes, 10, 0, NULL, 0));
	show(shutdown(fd, SHUT_WR));
	return NULL;
}

/* Each of five messages of ten bytes, read by another call; results told after the writer ended. */
static void read_all_ways(const char *kind, int pair[2])
{
	pthread_t sender = start(send_late, &pair[1]);
	unsigned char bytes[5][16];
	struct iovec parts[2] = {{bytes[2], 4}, {bytes[2] + 4, 6}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
	ssize_t n[6];
	char rest;

	n[0] = read(pair[0], bytes[0], 10);
	n[1] = recv(pair[0], bytes[1], 10, 0);
	n[2] = readv(pair[0], parts, 2);
	parts[0].iov_base = bytes[3];
	parts[1].iov_base = bytes[3] + 4;
	n[3] = recvmsg(pair[0], &message, 0);
	n[4] = recvfrom(pair[0], bytes[4], 10, 0, NULL, NULL);
	n[5] = read(pair[0], &rest, 1);
	finish(sender);
	say("%s: read %zd %zd %zd %zd %zd, end %zd", kind, n[0], n[1], n[2], n[3], n[4], n[5]);
	for (int i = 0; i < 5; i++)
		check(is_filled(bytes[i], 10, 0));
	close(pair[0]);
	close(pair[1]);
}

static void *accept_one(void *arg)
{
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	int fd = accept4(*(int *)arg, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC);

	check(fd >= 0);
	say("accepted: from loopback %d, close-on-exec %d, nonblocking %d",
	    peer.sin_addr.s_addr == htonl(INADDR_LOOPBACK), fcntl(fd, F_GETFD) == FD_CLOEXEC,
	    (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	return (void *)(intptr_t)fd;
}

int main(void)
{
	struct sockaddr_in address;
	int listener = tcp_listen(&address), pair[2];
	pthread_t acceptor = start(accept_one, &listener);

	settle();
	pair[0] = tcp_connect(&address);
	pair[1] = (int)(intptr_t)finish(acceptor);
	read_all_ways("tcp", pair);
	unix_pair(SOCK_STREAM, pair);
	read_all_ways("unix", pair);
	return 0;
}
