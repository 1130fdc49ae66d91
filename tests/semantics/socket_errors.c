/* The program's mistakes with descriptors and pointers get the kernel's answers. */
#include "guest.h"

#include <sys/epoll.h>
#include <sys/uio.h>

/* Values that the compiler does not see through, or it would warn of what is meant here. */
static char *volatile bad_address = (char *)8;
static volatile int too_many = 2000, negative = -1;

static void *make_mistakes(void *arg)
{
	char byte = 0, *nowhere = bad_address;
	struct iovec *bad_parts = (void *)bad_address;
	struct pollfd *bad_set = (void *)bad_address;
	struct iovec bad_part = {nowhere, 1}, part = {&byte, 1};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	struct sockaddr_in address;
	int pair[2], file, listener, unconnected, pipe_fds[2];

	unix_pair(SOCK_STREAM, pair);
	check(pipe(pipe_fds) == 0);
	check((file = open("/dev/null", O_RDWR)) >= 0);
	listener = tcp_listen(&address);
	unconnected = socket(AF_INET, SOCK_STREAM, 0);

	show(read(-1, &byte, 1));
	show(write(9999, &byte, 1));
	show(recv(-1, &byte, 1, 0));
	show(send(-1, &byte, 1, 0));
	show(accept(-1, NULL, NULL));
	show(connect(-1, (struct sockaddr *)&address, sizeof(address)));
	show(close(-1));
	show(close(9999));
	show(dup(-1));
	show(dup2(-1, 5000));
	show(dup3(pair[0], pair[0], 0));
	show(fcntl(9999, F_GETFL));
	show(shutdown(-1, SHUT_RD));

	show(recv(file, &byte, 1, 0));
	show(send(pipe_fds[1], &byte, 1, 0));
	show(accept(file, NULL, NULL));
	show(recvmsg(pipe_fds[0], &message, 0));

	show(write(pair[0], &byte, 1));
	show(read(pair[1], nowhere, 1));
	show(write(pair[0], nowhere, 1));
	show(recv(pair[1], nowhere, 1, 0));
	show(readv(pair[1], &bad_part, 1));
	show(readv(pair[1], bad_parts, 1));
	show(readv(pair[1], &part, negative));
	show(writev(pair[0], &part, too_many));
	show(recvmsg(pair[1], (struct msghdr *)8, 0));
	show(sendmsg(pair[0], (struct msghdr *)8, 0));
	show(read(pipe_fds[1], &byte, 1));
	show(write(pipe_fds[0], &byte, 1));
	show(poll(bad_set, 1, 0));
	show(epoll_wait(pair[0], (struct epoll_event *)&message, 1, 0));

	show(read(pair[1], &byte, 0));
	show(write(pair[0], &byte, 0));
	show(send(pair[0], nowhere, 0, 0));
	show(readv(pair[1], &part, 0));
	show(read(pipe_fds[0], &byte, 0));
	show(write(pipe_fds[1], nowhere, 0));
	show(read(pair[1], &byte, 1));

	show(read(unconnected, &byte, 1));
	show(send(unconnected, &byte, 1, MSG_NOSIGNAL));
	show(recv(listener, &byte, 1, 0));
	show(accept(unconnected, NULL, NULL));
	show(connect(pair[0], (struct sockaddr *)&address, sizeof(address)));
	show(connect(unconnected, (struct sockaddr *)nowhere, sizeof(address)));
	show(connect(unconnected, (struct sockaddr *)&address, 3));
	show(accept4(listener, NULL, NULL, 0x7));
	show(connect(unconnected, (struct sockaddr *)&address, sizeof(address)));
	show(connect(unconnected, (struct sockaddr *)&address, sizeof(address)));
	close(pair[0]);
	close(pair[1]);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	close(listener);
	close(unconnected);
	close(file);
	return arg;
}

int main(void)
{
	finish(start(make_mistakes, NULL));
	say("in the first thread");
	make_mistakes(NULL);
	return 0;
}
