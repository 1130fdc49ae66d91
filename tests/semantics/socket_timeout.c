/* SO_RCVTIMEO and SO_SNDTIMEO: EAGAIN when the time is over, never early; accept and connect too. */
#include "guest.h"

static void set_timeout(int fd, int which, int ms)
{
	struct timeval time = {ms / 1000, ms % 1000 * 1000};

	check(setsockopt(fd, SOL_SOCKET, which, &time, sizeof(time)) == 0);
}

static void time_out(const char *kind, int pair[2])
{
	static char big[1 << 20];
	struct iovec part = {big, 10};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	pthread_t sender;
	int64_t begun;
	ssize_t n;

	say("%s", kind);
	set_timeout(pair[0], SO_RCVTIMEO, 30);
	begun = now_ns(CLOCK_MONOTONIC);
	show(read(pair[0], big, 10));
	show(recv(pair[0], big, 10, MSG_WAITALL));
	show(recvmsg(pair[0], &message, 0));
	say("not early: %d", now_ns(CLOCK_MONOTONIC) - begun >= 3 * 25000000LL);

	set_timeout(pair[0], SO_RCVTIMEO, 20000);
	sender = start(write_late, &pair[1]);
	show(read(pair[0], big, 10));
	finish(sender);
	set_timeout(pair[0], SO_RCVTIMEO, 0);
	sender = start(write_late, &pair[1]);
	show(read(pair[0], big, 10));
	finish(sender);

	set_timeout(pair[0], SO_RCVTIMEO, 100);
	write_all(pair[1], "half", 4);
	show(recv(pair[0], big, 8, MSG_WAITALL));

	set_timeout(pair[1], SO_SNDTIMEO, 30);
	begun = now_ns(CLOCK_MONOTONIC);
	while ((n = send(pair[1], big, sizeof(big), 0)) > 0)
		;
	say("send into a full buffer: %s", strerrorname_np(errno));
	say("not early: %d", now_ns(CLOCK_MONOTONIC) - begun >= 25000000);
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	struct sockaddr_in address;
	int pair[2], listener;

	become_threaded();
	tcp_pair(pair);
	time_out("tcp", pair);
	unix_pair(SOCK_STREAM, pair);
	time_out("unix", pair);
	listener = tcp_listen(&address);
	set_timeout(listener, SO_RCVTIMEO, 20);
	show(accept(listener, NULL, NULL) < 0 ? -1 : 0);
	set_timeout(listener, SO_RCVTIMEO, 20000);
	tcp_connect(&address);
	show(accept(listener, NULL, NULL) >= 0);
	return 0;
}
