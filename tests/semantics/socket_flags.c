/* Flags of recv and send: WAITALL, PEEK, DONTWAIT, TRUNC, OOB's absence, and mixtures. */
#include "guest.h"

static void *send_in_pieces(void *arg)
{
	unsigned char bytes[100];

	fill(bytes, sizeof(bytes), 0);
	for (int i = 0; i < 10; i++) {
		usleep(5000);
		write_all(*(int *)arg, bytes + i * 10, 10);
	}
	return NULL;
}

static void *send_half_and_close(void *arg)
{
	unsigned char bytes[50];

	fill(bytes, sizeof(bytes), 0);
	write_all(*(int *)arg, bytes, sizeof(bytes));
	settle();
	check(shutdown(*(int *)arg, SHUT_WR) == 0);
	return NULL;
}

static void *send_word(void *arg)
{
	settle();
	write_all(*(int *)arg, "peek", 4);
	return NULL;
}

static void show_flags(const char *kind, int pair[2])
{
	unsigned char bytes[128];
	struct iovec parts[2] = {{bytes, 30}, {bytes + 30, 70}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
	pthread_t sender;

	say("%s", kind);
	show(recv(pair[0], bytes, 10, MSG_DONTWAIT));
	show(recv(pair[0], bytes, 10, MSG_DONTWAIT | MSG_PEEK));
	show(recv(pair[0], bytes, 10, MSG_DONTWAIT | MSG_WAITALL));

	sender = start(send_in_pieces, &pair[1]);
	show(recv(pair[0], bytes, 100, MSG_WAITALL));
	say("right bytes: %d", is_filled(bytes, 100, 0));
	finish(sender);
	memset(bytes, 0, sizeof(bytes));
	sender = start(send_in_pieces, &pair[1]);
	show(recvmsg(pair[0], &message, MSG_WAITALL));
	say("right bytes: %d", is_filled(bytes, 100, 0));
	finish(sender);

	sender = start(send_word, &pair[1]);
	show(recv(pair[0], bytes, 10, MSG_PEEK));
	show(recv(pair[0], bytes, 2, MSG_PEEK));
	show(read(pair[0], bytes, 1));
	show(recv(pair[0], bytes, 10, MSG_PEEK));
	say("%.3s", bytes);
	show(recv(pair[0], bytes, 10, 0));
	show(recv(pair[0], bytes, 10, MSG_PEEK | MSG_DONTWAIT));
	finish(sender);
	sender = start(send_word, &pair[1]);
	show(recv(pair[0], bytes, 4, MSG_PEEK));
	show(recv(pair[0], bytes, 4, MSG_DONTWAIT));
	finish(sender);

	sender = start(send_half_and_close, &pair[1]);
	show(recv(pair[0], bytes, 100, MSG_WAITALL));
	say("right bytes: %d", is_filled(bytes, 50, 0));
	finish(sender);
	show(recv(pair[0], bytes, 100, MSG_WAITALL));
	show(recv(pair[0], bytes, 100, MSG_PEEK));
	show(recv(pair[0], bytes, 100, MSG_OOB) < 0);
	show(send(pair[0], bytes, 10, MSG_DONTWAIT | MSG_MORE));
	show(send(pair[0], bytes, 10, 0));
	show(recv(pair[1], bytes, 20, MSG_WAITALL));
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	int pair[2];

	become_threaded();
	tcp_pair(pair);
	show_flags("tcp", pair);
	unix_pair(SOCK_STREAM, pair);
	show_flags("unix", pair);
	return 0;
}
