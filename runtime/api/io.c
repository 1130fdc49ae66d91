/*
 * See weft/io.h: reading and writing whatever a descriptor is. A socket says so itself, for it is tried
 * first, with MSG_DONTWAIT; then a pipe or an event descriptor, with RWF_NOWAIT; the rest, which takes
 * neither, tells fstat(2).
 */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

#include "native.h"

/* What says that it is ready may have room for less than all: a FIFO for this, and a terminal. */
#define TERMINAL_BYTES 256

struct transfer {
	int fd, n;
	bool writes, is_socket;
	const struct iovec *places;
};

static long try_socket(const struct transfer *it)
{
	struct msghdr message = {.msg_iov = (struct iovec *)it->places,
				 .msg_iovlen = (size_t)it->n};
	const struct iovec *one = it->places;

	if (it->n == 1 && it->writes)
		return weft__ask(SYS_sendto, it->fd, one->iov_base, one->iov_len,
				 MSG_DONTWAIT | MSG_NOSIGNAL);
	if (it->n == 1)
		return weft__ask(SYS_recvfrom, it->fd, one->iov_base, one->iov_len, MSG_DONTWAIT);
	if (it->writes)
		return weft__ask(SYS_sendmsg, it->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	return weft__ask(SYS_recvmsg, it->fd, &message, MSG_DONTWAIT);
}

/* write(2) has no flag against SIGPIPE: it is blocked, and taken if it was not before. */
static long write_quietly(long nr, int fd, const struct iovec *places, int n, int flags)
{
	uint64_t bit = UINT64_C(1) << (SIGPIPE - 1), before = 0;
	struct timespec now = {0, 0};
	long result;

	weft__ask(SYS_rt_sigprocmask, SIG_BLOCK, &bit, &before, sizeof(bit));
	result = weft__ask(nr, fd, places, n, -1, -1, flags);
	if ((before & bit) != 0)
		return result;
	if (result == -EPIPE)
		weft__ask(SYS_rt_sigtimedwait, &bit, NULL, &now, sizeof(bit));
	weft__ask(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof(before));
	return result;
}

/* What there is, or -EAGAIN; -EOPNOTSUPP: it cannot be tried. */
static long try(struct transfer *it)
{
	long result = it->is_socket ? try_socket(it) : -ENOTSOCK;

	it->is_socket = result != -ENOTSOCK;
	if (it->is_socket)
		return result;
	if (it->writes)
		result = write_quietly(SYS_pwritev2, it->fd, it->places, it->n, RWF_NOWAIT);
	else
		result = weft__ask(SYS_preadv2, it->fd, it->places, it->n, -1, -1, RWF_NOWAIT);
	return result == -ENOSYS ? -EOPNOTSUPP : result;
}

/* The call as it is, of what is ready. */
static long do_ready(const struct transfer *it, mode_t mode)
{
	struct iovec piece = it->places[0];
	size_t room = S_ISFIFO(mode) ? PIPE_BUF : TERMINAL_BYTES;

	if (!it->writes)
		return weft__ask(SYS_readv, it->fd, it->places, it->n);
	if (piece.iov_len > room)
		piece.iov_len = room;
	return write_quietly(SYS_writev, it->fd, &piece, 1, 0);
}

static bool is_file(mode_t mode)
{
	return S_ISREG(mode) || S_ISBLK(mode) || S_ISDIR(mode);
}

/* What cannot be tried, or is a file for which a disk is to be waited for; -EAGAIN: neither. */
static long do_untried(const struct transfer *it, long result, int64_t deadline_ns)
{
	struct stat status;
	long err = weft__ask(SYS_fstat, it->fd, &status);

	if (err != 0)
		return err;
	if (is_file(status.st_mode))
		return weft__file_io(it->fd, it->writes, it->places, it->n, deadline_ns);
	if (result == -EAGAIN)
		return -EAGAIN;
	err = weft_wait_fd(it->fd, it->writes ? WEFT_OUT : WEFT_IN, deadline_ns);
	return err < 0 ? err : do_ready(it, status.st_mode);
}

long weft__try_io(int fd, bool is_socket, bool writes, void *bytes, size_t size_bytes)
{
	struct iovec whole = {bytes, size_bytes};
	struct transfer it = {fd, 1, writes, is_socket, &whole};
	struct pollfd poll_fd = {.fd = fd, .events = writes ? POLLOUT : POLLIN};
	long result = try(&it), err;
	struct stat status;

	if (it.is_socket || (result != -EAGAIN && result != -EOPNOTSUPP))
		return result;
	err = weft__ask(SYS_fstat, fd, &status);
	if (err != 0)
		return err;
	if (is_file(status.st_mode))
		return weft__ask(writes ? SYS_write : SYS_read, fd, bytes, size_bytes);
	if (result == -EAGAIN || weft__ask(SYS_poll, &poll_fd, 1, 0) <= 0)
		return -EAGAIN;
	return do_ready(&it, status.st_mode);
}

static ssize_t transfer(struct transfer *it, int64_t deadline_ns)
{
	unsigned int tries = 0;
	long result;
	int err = weft__may_wait(deadline_ns);

	while (err == 0) {
		result = try(it);
		if (result == -EOPNOTSUPP && it->is_socket)
			return result;
		if (result == -EOPNOTSUPP || (result == -EAGAIN && !it->is_socket && tries == 0))
			result = do_untried(it, result, deadline_ns);
		if (result != -EAGAIN) {
			weft__spend_turn();
			return result;
		}
		err = weft__await_fd(it->fd, it->writes ? WEFT_OUT : WEFT_IN, deadline_ns, &tries);
	}
	return err;
}

static ssize_t transfer_one(int fd, bool writes, void *bytes, size_t size_bytes,
			    int64_t deadline_ns)
{
	struct iovec whole = {bytes, size_bytes};
	struct transfer it = {fd, 1, writes, true, &whole};

	if (size_bytes > SSIZE_MAX)
		return -EINVAL;
	/* A socket would wait for something to come before it gives nothing. */
	if (size_bytes == 0 && !writes) {
		int err = weft__may_wait(deadline_ns);

		return err != 0 ? err : weft__ask(SYS_read, fd, bytes, 0);
	}
	return transfer(&it, deadline_ns);
}

ssize_t weft_read(int fd, void *bytes, size_t size_bytes, int64_t deadline_ns)
{
	return transfer_one(fd, false, bytes, size_bytes, deadline_ns);
}

ssize_t weft_write(int fd, const void *bytes, size_t size_bytes, int64_t deadline_ns)
{
	return transfer_one(fd, true, (void *)bytes, size_bytes, deadline_ns);
}

static ssize_t transfer_several(int fd, bool writes, const struct iovec *places, int n,
				int64_t deadline_ns)
{
	struct transfer it = {fd, n, writes, true, places};
	size_t size_bytes = 0;

	if (n < 0 || n > IOV_MAX)
		return -EINVAL;
	if (places == NULL && n != 0)
		return -EFAULT;
	for (int i = 0; i < n; i++)
		if (places[i].iov_len > SSIZE_MAX - size_bytes)
			return -EINVAL;
		else
			size_bytes += places[i].iov_len;
	if (size_bytes == 0)
		return transfer_one(fd, writes, NULL, 0, deadline_ns);
	while (it.places->iov_len == 0) {
		it.places++;
		it.n--;
	}
	return transfer(&it, deadline_ns);
}

ssize_t weft_readv(int fd, const struct iovec *places, int n, int64_t deadline_ns)
{
	return transfer_several(fd, false, places, n, deadline_ns);
}

ssize_t weft_writev(int fd, const struct iovec *places, int n, int64_t deadline_ns)
{
	return transfer_several(fd, true, places, n, deadline_ns);
}

static int transfer_all(int fd, bool writes, char *bytes, size_t size_bytes, int64_t deadline_ns,
			size_t *done)
{
	size_t none = 0;
	ssize_t n;

	if (done == NULL)
		done = &none;
	if (*done > size_bytes)
		return -EINVAL;
	do {
		n = transfer_one(fd, writes, bytes + *done, size_bytes - *done, deadline_ns);
		if (n < 0)
			return (int)n;
		*done += (size_t)n;
	} while (n > 0 && *done < size_bytes);
	return *done == size_bytes ? 0 : -ENODATA;
}

int weft_read_all(int fd, void *bytes, size_t size_bytes, int64_t deadline_ns, size_t *done)
{
	return transfer_all(fd, false, bytes, size_bytes, deadline_ns, done);
}

int weft_write_all(int fd, const void *bytes, size_t size_bytes, int64_t deadline_ns, size_t *done)
{
	return transfer_all(fd, true, (char *)bytes, size_bytes, deadline_ns, done);
}
