/* Each call on each kind of descriptor, fit for it or not: a table of what the kernel says.
 *
 * Everything is made anew for each call, with something to read and room to write, so that no call
 * has a reason to wait, and so that numbers are used again by other kinds of things.
 */
#include "guest.h"

#include <mqueue.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

enum kind {
	NONE,
	CLOSED,
	HUGE,
	PIPE_OUT,
	PIPE_IN,
	STREAM,
	DATAGRAM,
	LISTENER,
	UNBOUND,
	FILE_RW,
	FILE_RO,
	FILE_WO,
	FOLDER,
	PATH_ONLY,
	DEVICE,
	EVENT,
	TIMER,
	EPOLL,
	INOTIFY,
	PIDFD,
	QUEUE,
	KINDS
};

static const char *const kind_names[KINDS] = {
	"none",     "closed",  "huge",  "pipe_out", "pipe_in", "stream", "datagram",
	"listener", "unbound", "file",  "file_ro",  "file_wo", "folder", "path",
	"device",   "event",   "timer", "epoll",    "inotify", "pidfd",  "queue"};

/* The descriptor under trial, its other ends, and companions that are fit for anything. */
static int fds[KINDS], others[8], other_count;
static int source, target, in_pipe[2], out_pipe[2];
static char bytes[64];
static struct iovec one = {bytes, 8};
static struct msghdr gather = {.msg_iov = &one, .msg_iovlen = 1};
static struct mmsghdr several = {.msg_hdr = {.msg_iov = &one, .msg_iovlen = 1}};

static void keep(int fd)
{
	others[other_count++] = fd;
}

static int file_with_bytes(int flags)
{
	char path[] = "/tmp/bad_kinds.XXXXXX";
	int fd = mkstemp(path), again;

	check(fd >= 0);
	write_all(fd, "0123456789abcdef", 16);
	again = open(path, flags);
	check(again >= 0 && unlink(path) == 0 && close(fd) == 0);
	return again;
}

static void make_pipes(void)
{
	int ends[2];

	check(pipe(ends) == 0);
	write_all(ends[1], bytes, 32);
	fds[PIPE_OUT] = ends[0];
	keep(ends[1]);
	check(pipe(ends) == 0);
	fds[PIPE_IN] = ends[1];
	keep(ends[0]);
	check(pipe(in_pipe) == 0 && pipe(out_pipe) == 0);
	write_all(in_pipe[1], bytes, 32);
}

static void make_sockets(void)
{
	struct sockaddr_in address;
	int ends[2];

	unix_pair(SOCK_STREAM, ends);
	write_all(ends[1], bytes, 32);
	fds[STREAM] = ends[0];
	keep(ends[1]);
	unix_pair(SOCK_DGRAM, ends);
	write_all(ends[1], bytes, 32);
	fds[DATAGRAM] = ends[0];
	keep(ends[1]);
	fds[LISTENER] = tcp_listen(&address);
	keep(tcp_connect(&address));
	fds[UNBOUND] = socket(AF_UNIX, SOCK_STREAM, 0);
}

static void make_files(void)
{
	fds[FILE_RW] = file_with_bytes(O_RDWR);
	fds[FILE_RO] = file_with_bytes(O_RDONLY);
	fds[FILE_WO] = file_with_bytes(O_WRONLY);
	fds[FOLDER] = open("/tmp", O_RDONLY | O_DIRECTORY);
	fds[PATH_ONLY] = open("/tmp", O_PATH);
	fds[DEVICE] = open("/dev/null", O_RDWR);
	source = file_with_bytes(O_RDWR);
	target = file_with_bytes(O_RDWR);
}

static void make_others(void)
{
	struct mq_attr attr = {.mq_maxmsg = 2, .mq_msgsize = 64};
	struct itimerspec soon = {.it_value = {0, 1}};
	char name[64];

	fds[EVENT] = eventfd(1, 0);
	fds[TIMER] = timerfd_create(CLOCK_MONOTONIC, 0);
	check(timerfd_settime(fds[TIMER], 0, &soon, NULL) == 0);
	check(poll(&(struct pollfd){fds[TIMER], POLLIN, 0}, 1, -1) == 1);
	fds[EPOLL] = epoll_create1(0);
	fds[INOTIFY] = inotify_init1(0);
	check(inotify_add_watch(fds[INOTIFY], "/dev/null", IN_OPEN) >= 0);
	close(open("/dev/null", O_RDONLY));
	fds[PIDFD] = (int)syscall(SYS_pidfd_open, getpid(), 0);
	snprintf(name, sizeof(name), "/bad_kinds.%d", getpid());
	fds[QUEUE] = mq_open(name, O_RDWR | O_CREAT, 0600, &attr);
	check(fds[QUEUE] >= 0 && mq_unlink(name) == 0);
	check(mq_send(fds[QUEUE], bytes, 8, 0) == 0);
}

static void make_all(void)
{
	other_count = 0;
	fds[NONE] = -1;
	fds[HUGE] = 0x7FFFFFFF;
	make_pipes();
	make_sockets();
	make_files();
	make_others();
	fds[CLOSED] = dup(source);
	close(fds[CLOSED]);
	for (int i = PIPE_OUT; i < KINDS; i++)
		check(fds[i] >= 0);
}

static void close_all(void)
{
	for (int i = PIPE_OUT; i < KINDS; i++)
		close(fds[i]);
	while (other_count > 0)
		close(others[--other_count]);
	for (int i = 0; i < 2; i++) {
		close(in_pipe[i]);
		close(out_pipe[i]);
	}
	close(source);
	close(target);
}

static struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
static const struct timeval second = {1, 0};
static const struct sockaddr nobody = {.sa_family = AF_UNSPEC};

/* The calls, in fd. */
#define CALLS(X) \
	X(read, read(fd, bytes, 8)) \
	X(write, write(fd, bytes, 8)) \
	X(readv, readv(fd, &one, 1)) \
	X(writev, writev(fd, &one, 1)) \
	X(pread, pread(fd, bytes, 8, 0)) \
	X(pwrite, pwrite(fd, bytes, 8, 0)) \
	X(preadv, preadv(fd, &one, 1, 0)) \
	X(pwritev, pwritev(fd, &one, 1, 0)) \
	X(preadv2, preadv2(fd, &one, 1, -1, 0)) \
	X(pwritev2, pwritev2(fd, &one, 1, -1, 0)) \
	X(preadv2_nowait, preadv2(fd, &one, 1, 0, RWF_NOWAIT)) \
	X(pwritev2_append, pwritev2(fd, &one, 1, 0, RWF_APPEND)) \
	X(recv, recv(fd, bytes, 8, 0)) \
	X(send, send(fd, bytes, 8, MSG_NOSIGNAL)) \
	X(recvmsg, recvmsg(fd, &gather, 0)) \
	X(sendmsg, sendmsg(fd, &gather, MSG_NOSIGNAL)) \
	X(recvmmsg, recvmmsg(fd, &several, 1, 0, NULL)) \
	X(sendmmsg, sendmmsg(fd, &several, 1, MSG_NOSIGNAL)) \
	X(accept, as_fd(accept(fd, NULL, NULL))) \
	X(accept4, as_fd(accept4(fd, NULL, NULL, SOCK_CLOEXEC))) \
	X(connect, connect(fd, (const struct sockaddr *)&nobody, sizeof(nobody))) \
	X(shutdown, shutdown(fd, SHUT_WR)) \
	X(setsockopt, setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second))) \
	X(sendfile_in, sendfile(out_pipe[1], fd, NULL, 8)) \
	X(sendfile_out, sendfile(fd, source, NULL, 8)) \
	X(splice_in, splice(fd, NULL, out_pipe[1], NULL, 8, SPLICE_F_NONBLOCK)) \
	X(splice_out, splice(in_pipe[0], NULL, fd, NULL, 8, 0)) \
	X(splice_offset, splice(in_pipe[0], NULL, fd, &(off_t){0}, 8, 0)) \
	X(tee_in, tee(fd, out_pipe[1], 8, 0)) \
	X(tee_out, tee(in_pipe[0], fd, 8, 0)) \
	X(vmsplice, vmsplice(fd, &one, 1, 0)) \
	X(copy_in, copy_file_range(fd, NULL, target, NULL, 8, 0)) \
	X(copy_out, copy_file_range(source, NULL, fd, NULL, 8, 0)) \
	X(fsync, fsync(fd)) \
	X(fdatasync, fdatasync(fd)) \
	X(syncfs, syncfs(fd)) \
	X(sync_file_range, sync_file_range(fd, 0, 8, SYNC_FILE_RANGE_WRITE)) \
	X(fallocate, fallocate(fd, 0, 0, 64)) \
	X(ftruncate, ftruncate(fd, 8)) \
	X(readahead, readahead(fd, 0, 8)) \
	X(fadvise, syscall(SYS_fadvise64, fd, 0L, 8L, POSIX_FADV_WILLNEED)) \
	X(getdents64, syscall(SYS_getdents64, fd, bytes, 64) > 0 ? 1 : -1) \
	X(lseek, lseek(fd, 1, SEEK_SET)) \
	X(flock, flock(fd, LOCK_EX)) \
	X(setlkw, fcntl(fd, F_SETLKW, &lock)) \
	X(ofd_setlkw, fcntl(fd, F_OFD_SETLKW, &lock)) \
	X(setfl, fcntl(fd, F_SETFL, O_NONBLOCK)) \
	X(fionbio, ioctl(fd, FIONBIO, &(int){1})) \
	X(drain, ioctl(fd, TCSBRK, 1)) \
	X(epoll_wait, epoll_wait(fd, &(struct epoll_event){0}, 1, 0)) \
	X(epoll_pwait2, \
	  epoll_pwait2(fd, &(struct epoll_event){0}, 1, &(struct timespec){0, 0}, NULL)) \
	X(epoll_add, add_to_set(fd)) \
	X(poll, poll(&(struct pollfd){fd, POLLIN | POLLOUT, 0}, 1, 0)) \
	X(mq_receive, mq_receive(fd, bytes, 64, NULL)) \
	X(mq_send, mq_send(fd, bytes, 8, 0)) \
	X(timerfd_settime, timerfd_settime(fd, 0, &(struct itimerspec){0}, NULL)) \
	X(uring_enter, syscall(SYS_io_uring_enter, fd, 0, 0, 0, NULL, 0)) \
	X(waitid, waitid(P_PIDFD, (id_t)fd, &(siginfo_t){0}, WEXITED | WNOHANG)) \
	X(dup2, dup2(fd, target) == target ? 0 : -1) \
	X(dup3, as_fd(dup3(fd, 900, O_CLOEXEC))) \
	X(close, close(fd))

static int as_fd(int fd)
{
	return fd < 0 ? fd : close(fd);
}

static int add_to_set(int fd)
{
	int set = epoll_create1(0);
	int result = epoll_ctl(set, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN});
	int error = errno;

	close(set);
	errno = error;
	return result;
}

#define FUNCTION(name, ...) \
	static long do_##name(int fd) \
	{ \
		return (long)(__VA_ARGS__); \
	}
CALLS(FUNCTION)
#define ROW(name, ...) {#name, do_##name},

static const struct {
	const char *name;
	long (*call)(int fd);
} calls[] = {CALLS(ROW)};

static void say_row(const char *name, long (*call)(int fd))
{
	char row[1024];
	int len = snprintf(row, sizeof(row), "%s:", name);

	for (int kind = 0; kind < KINDS; kind++) {
		long result;

		make_all();
		result = call(fds[kind]);
		if (result == -1)
			len += snprintf(row + len, sizeof(row) - (size_t)len, " %s %s",
					kind_names[kind], strerrorname_np(errno));
		else
			len += snprintf(row + len, sizeof(row) - (size_t)len, " %s %ld",
					kind_names[kind], result);
		close_all();
	}
	say("%s", row);
}

static void *say_all(void *arg)
{
	char *const *names = arg;

	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		if (names[1] == NULL || strcmp(names[1], calls[i].name) == 0)
			say_row(calls[i].name, calls[i].call);
	return arg;
}

int main(int argc, char *argv[])
{
	(void)argc;
	signal(SIGPIPE, SIG_IGN);
	finish(start(say_all, argv));
	return 0;
}
