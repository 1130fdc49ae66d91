/* O_NONBLOCK set by fcntl, by FIONBIO and at birth gives EAGAIN; taken away, calls block again. */
#include "guest.h"

#include <sys/ioctl.h>

static void read_blocking(int pair[2])
{
	pthread_t sender = start(write_late, &pair[1]);
	char bytes[8];

	show(read(pair[0], bytes, 8));
	finish(sender);
}

static void set_and_take_away(const char *kind, int pair[2])
{
	int flags = fcntl(pair[0], F_GETFL), on = 1, off = 0, copy;
	unsigned char big[65536];
	char byte;
	ssize_t n;

	say("%s", kind);
	read_blocking(pair);
	show(fcntl(pair[0], F_SETFL, flags | O_NONBLOCK));
	show(read(pair[0], &byte, 1));
	copy = dup(pair[0]);
	show(read(copy, &byte, 1));
	show(fcntl(copy, F_SETFL, flags));
	close(copy);
	say("nonblocking: %d", (fcntl(pair[0], F_GETFL) & O_NONBLOCK) != 0);
	read_blocking(pair);
	show(ioctl(pair[0], FIONBIO, &on));
	say("nonblocking: %d", (fcntl(pair[0], F_GETFL) & O_NONBLOCK) != 0);
	show(read(pair[0], &byte, 1));
	show(ioctl(pair[0], FIONBIO, &off));
	read_blocking(pair);
	say("nonblocking: %d", (fcntl(pair[0], F_GETFL) & O_NONBLOCK) != 0);

	memset(big, 1, sizeof(big));
	show(fcntl(pair[1], F_SETFL, fcntl(pair[1], F_GETFL) | O_NONBLOCK));
	while ((n = write(pair[1], big, sizeof(big))) > 0)
		;
	say("full: %s", strerrorname_np(errno));
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	struct sockaddr_in address;
	int pair[2], listener, fd;
	struct pollfd waiting;
	socklen_t len = sizeof(int);
	int error;

	become_threaded();
	tcp_pair(pair);
	set_and_take_away("tcp", pair);
	unix_pair(SOCK_STREAM, pair);
	set_and_take_away("unix", pair);
	check(pipe(pair) == 0);
	set_and_take_away("pipe", pair);

	listener = tcp_listen(&address);
	fcntl(listener, F_SETFL, O_NONBLOCK);
	show(accept(listener, NULL, NULL) < 0 ? -1 : 0);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	show(connect(fd, (struct sockaddr *)&address, sizeof(address)));
	waiting = (struct pollfd){.fd = fd, .events = POLLOUT};
	show(poll(&waiting, 1, 10000));
	show(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len));
	say("connected: %s", strerrorname_np(error));
	show(connect(fd, (struct sockaddr *)&address, sizeof(address)));
	waiting = (struct pollfd){.fd = listener, .events = POLLIN};
	show(poll(&waiting, 1, 10000));
	show(accept(listener, NULL, NULL) >= 0);
	return 0;
}
