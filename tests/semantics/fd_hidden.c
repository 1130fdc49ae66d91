/* Descriptors that come and go by other ways than open and close: by io_uring, by messages.
 *
 * A number was nonblocking, or waited on, and was given up where nobody saw it: what has the number
 * next blocks or not as it is, wakes its own waiters, and has its own bytes.
 */
#include "guest.h"

#include "uring.h"

#include <sys/stat.h>

static struct uring ring;

struct exchange {
	int fd;
	char got;
	volatile int is_done;
};

static void *read_one(void *arg)
{
	struct exchange *exchange = arg;

	check(read(exchange->fd, &exchange->got, 1) == 1);
	exchange->is_done = 1;
	return arg;
}

/* A thread reads from the number; it waits, and gets the byte that is written to the other end. */
static void use(const char *what, int number, int other_end, char byte)
{
	struct exchange exchange = {number, 0, 0};
	pthread_t thread = start(read_one, &exchange);
	int waited;

	settle();
	waited = !exchange.is_done;
	write_all(other_end, &byte, 1);
	finish(thread);
	say("%s: waited %d, got %c", what, waited, exchange.got);
}

static int uring_close_fd(int fd)
{
	return uring_do(&ring, (struct io_uring_sqe){.opcode = IORING_OP_CLOSE, .fd = fd});
}

/* Read once from a pair, so that all that can be known of its number is known. */
static void make_known(int ends[2], bool is_nonblocking)
{
	unix_pair(SOCK_STREAM, ends);
	use("a pair", ends[0], ends[1], 'a');
	if (!is_nonblocking)
		return;
	check(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
	check(read(ends[0], &(char){0}, 1) == -1 && errno == EAGAIN);
}

static void close_by_ring(bool is_nonblocking)
{
	int old[2], fresh[2], spare;

	make_known(old, is_nonblocking);
	check(uring_close_fd(old[0]) == 0);
	show(fcntl(old[0], F_GETFD));
	check(pipe(fresh) == 0);
	say("the same number: %d", fresh[0] == old[0]);
	use("a pipe in its place", fresh[0], fresh[1], 'p');
	check(write(old[1], "x", 1) == -1 && errno == EPIPE);
	use("a pipe again", fresh[0], fresh[1], 'q');
	check(uring_close_fd(fresh[0]) == 0);
	spare = socket(AF_UNIX, SOCK_STREAM, 0);
	say("the same number: %d", spare == old[0]);
	show(read(spare, &(char){0}, 1));
	close(spare);
	close(fresh[1]);
	close(old[1]);
}

static int open_by_ring(const char *path, int flags)
{
	return uring_do(&ring, (struct io_uring_sqe){.opcode = IORING_OP_OPENAT,
						     .fd = AT_FDCWD,
						     .addr = (uintptr_t)path,
						     .open_flags = (uint32_t)flags});
}

static void opened_by_ring(void)
{
	char path[64];
	int old[2], reader, writer;

	snprintf(path, sizeof(path), "/tmp/fd_hidden.%d", getpid());
	unlink(path); /* of a process that had this id and was killed */
	check(mknod(path, S_IFIFO | 0600, 0) == 0);
	make_known(old, true);
	check(uring_close_fd(old[0]) == 0);
	writer = open(path, O_RDWR);
	say("the same number: %d", writer == old[0]);
	check(uring_close_fd(old[1]) == 0);
	reader = open_by_ring(path, O_RDONLY);
	say("the same number: %d", reader == old[1]);
	use("a FIFO opened by the ring", reader, writer, 'f');
	use("a FIFO both ways", writer, writer, 'g');
	close(reader);
	close(writer);
	unlink(path);
}

static void accepted_by_ring(void)
{
	struct sockaddr_in address;
	int listener = tcp_listen(&address), client = tcp_connect(&address);
	int server =
		uring_do(&ring, (struct io_uring_sqe){.opcode = IORING_OP_ACCEPT, .fd = listener});

	check(server >= 0);
	use("a socket accepted by the ring", server, client, 'c');
	use("its client", client, server, 's');
	show(fcntl(server, F_SETFL, O_NONBLOCK));
	show(read(server, &(char){0}, 1));
	show(fcntl(server, F_SETFL, 0));
	use("blocking again", server, client, 'b');
	close(listener);
	close(server);
	close(client);
}

/* --- by messages --- */
union control {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

static struct msghdr message_with(union control *control)
{
	static char byte = 'm';
	static struct iovec part = {&byte, 1};

	return (struct msghdr){.msg_iov = &part,
			       .msg_iovlen = 1,
			       .msg_control = control,
			       .msg_controllen = sizeof(*control)};
}

static void send_fd(int over, int fd)
{
	union control control = {0};
	struct msghdr message = message_with(&control);
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	check(sendmsg(over, &message, 0) == 1);
}

static int receive_fd(int over)
{
	union control control;
	struct msghdr message = message_with(&control);
	int fd;

	check(recvmsg(over, &message, 0) == 1);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

/* It takes the number of a nonblocking one that went before. */
static void received(void)
{
	int over[2], old[2], sent[2], got;

	unix_pair(SOCK_STREAM, over);
	check(pipe(sent) == 0);
	make_known(old, true);
	send_fd(over[0], sent[0]);
	close(old[0]);
	got = receive_fd(over[1]);
	say("the same number: %d", got == old[0]);
	use("a pipe received", got, sent[1], 'r');
	check(fcntl(sent[0], F_SETFL, O_NONBLOCK) == 0);
	show(read(got, &(char){0}, 1));
	check(fcntl(got, F_SETFL, 0) == 0);
	use("blocking by the other number", sent[0], sent[1], 't');
	close(got);
	close(old[1]);
	close(sent[0]);
	close(sent[1]);
	close(over[0]);
	close(over[1]);
}

static void *run(void *arg)
{
	received();
	if (!uring_open(&ring)) {
		say("the kernel has no io_uring for us");
		return arg;
	}
	close_by_ring(false);
	close_by_ring(true);
	opened_by_ring();
	accepted_by_ring();
	uring_close(&ring);
	return arg;
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	finish(start(run, NULL));
	return 0;
}
