/* Datagrams over UDP and UNIX: boundaries, truncation, addresses, empty ones, many in one call. */
#include "guest.h"

#include <sys/un.h>

static void udp_pair(int pair[2])
{
	struct sockaddr_in address[2];

	for (int i = 0; i < 2; i++) {
		socklen_t len = sizeof(address[i]);

		memset(&address[i], 0, sizeof(address[i]));
		address[i].sin_family = AF_INET;
		address[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		pair[i] = socket(AF_INET, SOCK_DGRAM, 0);
		check(bind(pair[i], (struct sockaddr *)&address[i], len) == 0);
		check(getsockname(pair[i], (struct sockaddr *)&address[i], &len) == 0);
	}
	for (int i = 0; i < 2; i++)
		check(connect(pair[i], (struct sockaddr *)&address[1 - i], sizeof(address[0])) ==
		      0);
}

static void *send_series(void *arg)
{
	struct iovec parts[3] = {{"one", 3}, {"three", 5}, {"seventy", 7}};
	struct mmsghdr messages[3] = {0};
	int fd = *(int *)arg;

	settle();
	check(send(fd, "hello", 5, 0) == 5);
	settle();
	check(send(fd, "", 0, 0) == 0);
	settle();
	check(send(fd, "too long for you", 16, 0) == 16);
	check(send(fd, "too long for you", 16, 0) == 16);
	for (int i = 0; i < 3; i++) {
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	settle();
	check(sendmmsg(fd, messages, 3, 0) == 3);
	check(messages[2].msg_len == 7);
	return NULL;
}

static void receive_series(const char *kind, int pair[2])
{
	char bytes[3][16];
	struct iovec parts[3] = {{bytes[0], 16}, {bytes[1], 16}, {bytes[2], 5}};
	struct mmsghdr messages[3] = {0};
	struct timespec timeout = {30, 0};
	pthread_t sender = start(send_series, &pair[1]);
	int count = 0;

	say("%s", kind);
	show(recv(pair[0], bytes[0], 16, 0));
	show(read(pair[0], bytes[0], 16));
	show(recv(pair[0], bytes[0], 4, MSG_TRUNC));
	show(read(pair[0], bytes[0], 4));
	for (int i = 0; i < 3; i++) {
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	while (count < 3) {
		int n = recvmmsg(pair[0], messages + count, (unsigned)(3 - count), MSG_WAITFORONE,
				 &timeout);

		check(n > 0);
		count += n;
	}
	for (int i = 0; i < 3; i++)
		say("%.*s, truncated %d", (int)messages[i].msg_len, bytes[i],
		    (messages[i].msg_hdr.msg_flags & MSG_TRUNC) != 0);
	show(recv(pair[0], bytes[0], 16, MSG_DONTWAIT));
	show(recvmmsg(pair[0], messages, 3, MSG_DONTWAIT, NULL));
	show(recvmmsg(-1, messages, 3, 0, NULL));
	finish(sender);
}

static void *fill_queue(void *arg)
{
	unsigned char bytes[1000];

	for (unsigned i = 0; i < 500; i++) {
		fill(bytes, sizeof(bytes), i);
		check(write(*(int *)arg, bytes, sizeof(bytes)) == sizeof(bytes));
	}
	return NULL;
}

/* A UNIX datagram socket blocks its sender when the receiver's queue is full. */
static void drain_queue(int pair[2])
{
	pthread_t sender = start(fill_queue, &pair[1]);
	unsigned char bytes[2000];

	settle();
	for (unsigned i = 0; i < 500; i++) {
		check(read(pair[0], bytes, sizeof(bytes)) == 1000);
		check(is_filled(bytes, 1000, i));
	}
	finish(sender);
	say("500 datagrams in order through a full queue");
}

int main(void)
{
	int pair[2];

	udp_pair(pair);
	receive_series("udp", pair);
	show(shutdown(pair[0], SHUT_RD));
	close(pair[0]);
	check(send(pair[1], "x", 1, 0) == 1);
	show(recv(pair[1], &(char){0}, 1, 0));
	unix_pair(SOCK_DGRAM, pair);
	receive_series("unix", pair);
	drain_queue(pair);
	close(pair[0]);
	show(send(pair[1], "x", 1, MSG_NOSIGNAL));
	unix_pair(SOCK_SEQPACKET, pair);
	show(send(pair[0], "packet", 6, 0));
	show(close(pair[0]));
	show(recv(pair[1], (char[16]){0}, 16, 0));
	show(recv(pair[1], (char[16]){0}, 16, 0));
	return 0;
}
