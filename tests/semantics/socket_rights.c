/* Descriptors sent through a UNIX socket arrive, work, and are received while parked. */
#include "guest.h"

union control {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

static void send_descriptor(int over, int fd)
{
	struct iovec part = {"f", 1};
	union control control = {0};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	check(sendmsg(over, &message, 0) == 1);
}

static int receive_descriptor(int over)
{
	char byte;
	struct iovec part = {&byte, 1};
	union control control;
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	struct cmsghdr *header;
	int fd;

	check(recvmsg(over, &message, MSG_CMSG_CLOEXEC) == 1);
	header = CMSG_FIRSTHDR(&message);
	check(header != NULL && header->cmsg_type == SCM_RIGHTS);
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	say("close-on-exec %d", fcntl(fd, F_GETFD) == FD_CLOEXEC);
	return fd;
}

static void *serve(void *arg)
{
	int fd = receive_descriptor(*(int *)arg);
	char bytes[8];

	say("parked reader of a received pipe gets %zu", read_all(fd, bytes, 5));
	close(fd);
	return NULL;
}

int main(void)
{
	int pair[2], pipe_fds[2];
	pthread_t server;

	unix_pair(SOCK_STREAM, pair);
	check(pipe(pipe_fds) == 0);
	server = start(serve, &pair[1]);
	settle();
	send_descriptor(pair[0], pipe_fds[0]);
	close(pipe_fds[0]);
	settle();
	write_all(pipe_fds[1], "right", 5);
	finish(server);
	signal(SIGPIPE, SIG_IGN);
	show(write(pipe_fds[1], "x", 1));
	return 0;
}
