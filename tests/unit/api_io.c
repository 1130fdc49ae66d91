/* weft.h: the calls that read, write, send, receive, accept and connect. */
#include "api_io.h"

#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static ssize_t read_one(void *fd)
{
	char byte;

	return weft_read(*(int *)fd, &byte, 1, WEFT_FOREVER);
}

static ssize_t accept_one(void *fd)
{
	return weft_accept(*(int *)fd, NULL, NULL, SOCK_CLOEXEC, WEFT_FOREVER);
}

BothWays(api_io, a_read_of_a_pipe_waits_for_bytes)
{
	struct made made;
	int ends[2];

	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	make_and_wait(&made, read_one, &ends[0]);
	put_byte(ends[1]);

	cr_assert_eq(result_of(&made), 1);
	cr_assert_eq(fcntl(ends[0], F_GETFL) & O_NONBLOCK, 0);
}

BothWays(api_io, a_read_of_a_socket_waits_for_bytes)
{
	struct made made;
	int ends[2];

	make_pair(ends);
	make_and_wait(&made, read_one, &ends[0]);
	put_byte(ends[1]);

	cr_assert_eq(result_of(&made), 1);
	cr_assert_eq(fcntl(ends[0], F_GETFL) & O_NONBLOCK, 0);
}

BothWays(api_io, an_event_descriptor_and_a_device_can_be_read)
{
	int fd = eventfd(0, EFD_CLOEXEC), zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	uint64_t count = 3;
	char bytes[4] = "xxx";

	cr_assert_eq(weft_write(fd, &count, sizeof(count), WEFT_FOREVER), 8);
	count = 0;
	cr_assert_eq(weft_read(fd, &count, sizeof(count), WEFT_FOREVER), 8);
	cr_assert_eq(count, 3);
	cr_assert_eq(weft_read(fd, &count, sizeof(count), 0), -ETIMEDOUT);
	cr_assert_eq(weft_read(zero, bytes, 4, 0), 4);
	cr_assert_eq(bytes[2], 0);
}

BothWays(api_io, a_terminal_can_be_read_and_written)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave;
	char bytes[16];

	cr_assert_eq(grantpt(master), 0);
	cr_assert_eq(unlockpt(master), 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	cr_assert_eq(weft_read(slave, bytes, sizeof(bytes), 0), -ETIMEDOUT);
	cr_assert_eq(weft_write(master, "one\n", 4, WEFT_FOREVER), 4);

	cr_assert_eq(weft_read(slave, bytes, sizeof(bytes), WEFT_FOREVER), 4);
	cr_assert_eq(memcmp(bytes, "one\n", 4), 0);
	cr_assert_eq(weft_write(slave, bytes, 4, WEFT_FOREVER), 4);
}

BothWays(api_io, vectors_take_several_places)
{
	char one[2], two[8];
	struct iovec to[] = {{NULL, 0}, {one, 2}, {two, 8}};
	struct iovec from[] = {{(char *)"ab", 2}, {(char *)"", 0}, {(char *)"cde", 3}};
	int ends[2], pipes[2];

	make_pair(ends);
	cr_assert_eq(pipe2(pipes, O_CLOEXEC), 0);
	cr_assert_eq(weft_writev(ends[0], from, 3, WEFT_FOREVER), 5);
	cr_assert_eq(weft_readv(ends[1], to, 3, WEFT_FOREVER), 5);
	cr_assert_eq(memcmp(one, "ab", 2), 0);
	cr_assert_eq(memcmp(two, "cde", 3), 0);
	cr_assert_eq(weft_writev(pipes[1], from, 3, WEFT_FOREVER), 5);
	cr_assert_eq(weft_readv(pipes[0], to, 3, WEFT_FOREVER), 5);
	cr_assert_eq(memcmp(two, "cde", 3), 0);
}

BothWays(api_io, the_end_is_0)
{
	int ends[2], pipes[2];
	char byte;

	make_pair(ends);
	cr_assert_eq(pipe2(pipes, O_CLOEXEC), 0);
	close(ends[1]);
	close(pipes[1]);

	cr_assert_eq(weft_read(ends[0], &byte, 1, WEFT_FOREVER), 0);
	cr_assert_eq(weft_read(pipes[0], &byte, 1, WEFT_FOREVER), 0);
}

/* SIGPIPE's default would end this process. */
BothWays(api_io, nobody_who_reads_is_an_error_and_no_signal)
{
	int ends[2], pipes[2];
	struct iovec place = {(char *)"x", 1};
	sigset_t pending;

	make_pair(ends);
	cr_assert_eq(pipe2(pipes, O_CLOEXEC), 0);
	close(ends[1]);
	close(pipes[0]);

	cr_assert_eq(weft_write(ends[0], "x", 1, WEFT_FOREVER), -EPIPE);
	cr_assert_eq(weft_send(ends[0], "x", 1, 0, WEFT_FOREVER), -EPIPE);
	cr_assert_eq(weft_write(pipes[1], "x", 1, WEFT_FOREVER), -EPIPE);
	cr_assert_eq(weft_writev(pipes[1], &place, 1, WEFT_FOREVER), -EPIPE);
	sigpending(&pending);
	cr_assert_eq(sigismember(&pending, SIGPIPE), 0);
}

BothWays(api_io, bad_arguments_are_what_the_kernel_says)
{
	int ends[2], pipes[2];
	char byte, *hole = before_a_hole(0);
	struct iovec place = {&byte, 1}, huge[] = {{&byte, SSIZE_MAX}, {&byte, SSIZE_MAX}};

	make_pair(ends);
	cr_assert_eq(pipe2(pipes, O_CLOEXEC), 0);
	put_byte(ends[1]);
	put_byte(pipes[1]);
	errno = EDOM;
	cr_assert_eq(weft_read(-1, &byte, 1, WEFT_FOREVER), -EBADF);
	cr_assert_eq(weft_read(900, &byte, 1, WEFT_FOREVER), -EBADF);
	cr_assert_eq(weft_read(pipes[1], &byte, 1, WEFT_FOREVER), -EBADF);
	cr_assert_eq(weft_write(pipes[0], &byte, 1, WEFT_FOREVER), -EBADF);
	cr_assert_eq(weft_read(ends[0], hole, 1, WEFT_FOREVER), -EFAULT);
	cr_assert_eq(weft_read(pipes[0], hole, 1, WEFT_FOREVER), -EFAULT);
	cr_assert_eq(weft_write(ends[0], hole, 1, WEFT_FOREVER), -EFAULT);
	cr_assert_eq(weft_write(pipes[1], hole, 1, WEFT_FOREVER), -EFAULT);
	cr_assert_eq(weft_read(ends[0], &byte, (size_t)-1, WEFT_FOREVER), -EINVAL);
	cr_assert_eq(weft_recv(ends[0], &byte, (size_t)-1, 0, WEFT_FOREVER), -EINVAL);
	cr_assert_eq(weft_readv(ends[0], &place, -1, WEFT_FOREVER), -EINVAL);
	cr_assert_eq(weft_readv(ends[0], &place, IOV_MAX + 1, WEFT_FOREVER), -EINVAL);
	cr_assert_eq(weft_readv(ends[0], huge, 2, WEFT_FOREVER), -EINVAL);
	cr_assert_eq(weft_readv(ends[0], NULL, 1, WEFT_FOREVER), -EFAULT);
	cr_assert_eq(weft_readv(ends[0], NULL, 0, WEFT_FOREVER), 0);
	cr_assert_eq(weft_recv(pipes[0], &byte, 1, 0, WEFT_FOREVER), -ENOTSOCK);
	cr_assert_eq(weft_send(pipes[1], &byte, 1, 0, WEFT_FOREVER), -ENOTSOCK);
	cr_assert_eq(weft_poll(NULL, 1, WEFT_FOREVER), -EINVAL);
	cr_assert_eq(weft_accept(pipes[0], NULL, NULL, 0, WEFT_FOREVER), -ENOTSOCK);
	cr_assert_eq(weft_accept(ends[0], NULL, NULL, 0, WEFT_FOREVER), -EINVAL);
	cr_assert_eq(weft_accept(ends[0], NULL, NULL, 1 << 30, WEFT_FOREVER), -EINVAL);
	cr_assert_eq(weft_accept(-1, NULL, NULL, 0, WEFT_FOREVER), -EBADF);
	cr_assert_eq(weft_connect(ends[0], NULL, 0, WEFT_FOREVER), -EFAULT);
	cr_assert_eq(weft_connect(-1, (struct sockaddr *)huge, 16, WEFT_FOREVER), -EBADF);
	cr_assert_eq(weft_connect(ends[0], (struct sockaddr *)huge, 1, WEFT_FOREVER), -EINVAL);
	cr_assert_eq(weft_connect(ends[0], (struct sockaddr *)huge, 4096, WEFT_FOREVER), -EINVAL);
	cr_assert_eq(errno, EDOM);
}

Test(api_io, who_is_no_task_may_not_wait, .timeout = HANG_S)
{
	struct pollfd poll_fd = {0, POLLIN, 0};
	char byte;

	cr_assert_eq(weft_read(0, &byte, 1, WEFT_FOREVER), -EPERM);
	cr_assert_eq(weft_write(0, &byte, 1, WEFT_FOREVER), -EPERM);
	cr_assert_eq(weft_recv(0, &byte, 1, 0, WEFT_FOREVER), -EPERM);
	cr_assert_eq(weft_accept(0, NULL, NULL, 0, WEFT_FOREVER), -EPERM);
	cr_assert_eq(weft_poll(&poll_fd, 1, WEFT_FOREVER), -EPERM);
	cr_assert_eq(weft_open("/", O_RDONLY, 0, WEFT_FOREVER), -EPERM);
	cr_assert_eq(weft_pread(0, &byte, 1, 0, WEFT_FOREVER), -EPERM);
	cr_assert_eq(weft_waitpid(1, WEFT_FOREVER, NULL), -EPERM);
}

struct whole {
	int fd;
	char *bytes;
	size_t size, done;
};

static ssize_t read_whole(void *arg)
{
	struct whole *whole = arg;

	return weft_read_all(whole->fd, whole->bytes, whole->size, WEFT_FOREVER, &whole->done);
}

static ssize_t write_whole(void *arg)
{
	struct whole *whole = arg;

	return weft_write_all(whole->fd, whole->bytes, whole->size, WEFT_FOREVER, &whole->done);
}

/* More than fits, so that both sides wait. */
static void move_much(int read_fd, int write_fd)
{
	enum { BYTES = 1 << 20 };
	struct whole from = {write_fd, malloc(BYTES), BYTES, 0};
	struct whole to = {read_fd, calloc(1, BYTES), BYTES, 0};
	struct made made;

	for (size_t i = 0; i < BYTES; i++)
		from.bytes[i] = (char)(i * 7);
	make(&made, write_whole, &from);
	cr_assert_eq(read_whole(&to), 0);
	cr_assert_eq(result_of(&made), 0);
	cr_assert_eq(from.done, BYTES);
	cr_assert_eq(to.done, BYTES);
	cr_assert_eq(memcmp(from.bytes, to.bytes, BYTES), 0);
	free(from.bytes);
	free(to.bytes);
}

BothWays(api_io, all_is_written_and_read_through_a_socket)
{
	int ends[2];

	make_pair(ends);
	move_much(ends[0], ends[1]);
}

BothWays(api_io, all_is_written_and_read_through_a_pipe)
{
	int ends[2];

	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	move_much(ends[0], ends[1]);
}

BothWays(api_io, a_part_that_was_read_is_kept_and_gone_on_with)
{
	char bytes[4] = {0};
	struct whole whole = {0, bytes, 3, 0};
	struct made made;
	int ends[2];

	make_pair(ends);
	whole.fd = ends[0];
	put_byte(ends[1]);
	make_and_wait(&made, read_whole, &whole);
	weft_raise(made.task, -ESTALE);

	cr_assert_eq(result_of(&made), -ESTALE);
	cr_assert_eq(whole.done, 1);
	put_byte(ends[1]);
	put_byte(ends[1]);
	cr_assert_eq(read_whole(&whole), 0);
	cr_assert_eq(whole.done, 3);
	whole.done = 4;
	cr_assert_eq(read_whole(&whole), -EINVAL);
}

BothWays(api_io, an_end_before_all_is_no_data)
{
	size_t done = 0;
	char bytes[4];
	int ends[2];

	make_pair(ends);
	put_byte(ends[1]);
	close(ends[1]);

	cr_assert_eq(weft_read_all(ends[0], bytes, 4, WEFT_FOREVER, &done), -ENODATA);
	cr_assert_eq(done, 1);
}

BothWays(api_io, datagrams_tell_who_sent_them)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in from = {0};
	socklen_t len = sizeof(addr);
	int a = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int b = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char bytes[8];

	cr_assert_eq(bind(a, (struct sockaddr *)&addr, len), 0);
	getsockname(a, (struct sockaddr *)&addr, &len);
	cr_assert_eq(weft_sendto(b, "four", 4, 0, (struct sockaddr *)&addr, len, WEFT_FOREVER), 4);
	len = sizeof(from);
	cr_assert_eq(weft_recvfrom(a, bytes, 8, 0, (struct sockaddr *)&from, &len, WEFT_FOREVER),
		     4);
	cr_assert_eq(from.sin_family, AF_INET);
	cr_assert_eq(weft_sendto(a, "xx", 2, 0, (struct sockaddr *)&from, len, WEFT_FOREVER), 2);
	cr_assert_eq(weft_recv(b, bytes, 8, 0, WEFT_FOREVER), 2);
}

BothWays(api_io, what_the_caller_does_not_want_waited_for_is_not)
{
	char byte;
	int ends[2];

	make_pair(ends);
	fill_up(ends[0]);

	cr_assert_eq(weft_recv(ends[0], &byte, 1, MSG_DONTWAIT, WEFT_FOREVER), -EAGAIN);
	cr_assert_eq(weft_send(ends[0], &byte, 1, MSG_DONTWAIT, WEFT_FOREVER), -EAGAIN);
}

static void connect_to(int fd, const struct sockaddr_in *addr)
{
	cr_assert_eq(weft_connect(fd, (const struct sockaddr *)addr, sizeof(*addr), WEFT_FOREVER),
		     0);
}

BothWays(api_io, a_connection_is_made_and_accepted)
{
	struct sockaddr_in addr, from;
	socklen_t len = sizeof(from);
	struct made made;
	int listener = listen_here(&addr), a = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int b = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	make_and_wait(&made, accept_one, &listener);
	connect_to(a, &addr);
	cr_assert_geq(result_of(&made), 0);
	connect_to(b, &addr);
	cr_assert_geq(
		weft_accept(listener, (struct sockaddr *)&from, &len, SOCK_NONBLOCK, WEFT_FOREVER),
		0);
	cr_assert_eq(from.sin_addr.s_addr, addr.sin_addr.s_addr);
	cr_assert_eq(fcntl(a, F_GETFL) & O_NONBLOCK, 0);
}

BothWays(api_io, a_connection_may_be_refused)
{
	struct sockaddr_in addr;
	int listener = listen_here(&addr), a = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int b = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	close(listener);
	cr_assert_eq(weft_connect(a, (struct sockaddr *)&addr, sizeof(addr), WEFT_FOREVER),
		     -ECONNREFUSED);
	cr_assert_eq(weft_connect(b, (struct sockaddr *)&addr, sizeof(addr), WEFT_FOREVER),
		     -ECONNREFUSED);
}

BothWays(api_io, a_poll_tells_which_are_ready)
{
	struct pollfd fds[3];
	int ends[2];

	make_pair(ends);
	put_byte(ends[1]);
	fds[0] = (struct pollfd){ends[1], POLLIN, -1};
	fds[1] = (struct pollfd){-1, POLLIN, -1};
	fds[2] = (struct pollfd){ends[0], POLLIN | POLLOUT, -1};

	cr_assert_eq(weft_poll(fds, 3, WEFT_FOREVER), 1);
	cr_assert_eq(fds[0].revents, 0);
	cr_assert_eq(fds[1].revents, 0);
	cr_assert_eq(fds[2].revents, POLLIN | POLLOUT);
	fds[0].fd = 900;
	cr_assert_eq(weft_poll(fds, 1, WEFT_FOREVER), 1);
	cr_assert_eq(fds[0].revents, POLLNVAL);
}

static ssize_t poll_both(void *arg)
{
	struct pollfd *fds = arg;

	return weft_poll(fds, 2, WEFT_FOREVER);
}

BothWays(api_io, a_poll_waits_for_the_first_of_several)
{
	struct made made;
	struct pollfd fds[2];
	int ends[2], pipes[2];

	make_pair(ends);
	cr_assert_eq(pipe2(pipes, O_CLOEXEC), 0);
	fds[0] = (struct pollfd){ends[0], POLLIN, 0};
	fds[1] = (struct pollfd){pipes[0], POLLIN, 0};
	make_and_wait(&made, poll_both, fds);
	put_byte(pipes[1]);

	cr_assert_eq(result_of(&made), 1);
	cr_assert_eq(fds[0].revents, 0);
	cr_assert_eq(fds[1].revents, POLLIN);
}

static void count_turn(void *turns)
{
	for (unsigned int i = 0; i < 10; i++) {
		++*(unsigned int *)turns;
		weft_yield();
	}
}

/* A task whose calls never have to wait. */
TaskTest(api_io, others_have_their_turns_beside_who_never_waits)
{
	unsigned int turns = 0;
	weft_task *other = spawn(count_turn, &turns);
	int ends[2];
	char byte;

	make_pair(ends);
	for (unsigned int i = 0; i < 2000; i++) {
		cr_assert_eq(weft_write(ends[0], "x", 1, WEFT_FOREVER), 1);
		cr_assert_eq(weft_read(ends[1], &byte, 1, WEFT_FOREVER), 1);
	}

	cr_assert_eq(turns, 10);
	join(other);
}
