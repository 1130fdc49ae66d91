/*
 * read(2), write(2) and their vectors, on whatever they are called.
 *
 * A socket is tried with MSG_DONTWAIT, a pipe with RWF_NOWAIT. For the rest (terminals, event
 * descriptors) readiness is waited for, and then the kernel does the call as it is.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "denied.h"
#include "descriptor.h"
#include "handlers.h"
#include "send.h"
#include "shim.h"

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif

static long try_socket_read(struct weft__call *c)
{
	return weft__raw(SYS_recvfrom, c->arg[0], c->arg[1], c->arg[2], MSG_DONTWAIT, NULL, NULL);
}

static long try_socket_readv(struct weft__call *c)
{
	struct msghdr message = {.msg_iov = (struct iovec *)c->arg[1],
				 .msg_iovlen = (size_t)c->arg[2]};

	return weft__raw(SYS_recvmsg, c->arg[0], &message, MSG_DONTWAIT);
}

static long try_pipe_read(struct weft__call *c)
{
	struct iovec whole = {(void *)c->arg[1], (size_t)c->arg[2]};

	if (weft__unlikely(weft__denied[SYS_preadv2]))
		return -EOPNOTSUPP;
	return weft__raw(SYS_preadv2, c->arg[0], &whole, 1, -1, -1, RWF_NOWAIT);
}

static long try_pipe_readv(struct weft__call *c)
{
	if (weft__unlikely(weft__denied[SYS_preadv2]))
		return -EOPNOTSUPP;
	return weft__raw(SYS_preadv2, c->arg[0], c->arg[1], c->arg[2], -1, -1, RWF_NOWAIT);
}

/* Wait until it is ready; then the kernel's turn. */
static long when_ready(struct weft__call *c, struct weft__fd *fd, int events)
{
	long result;

	if (weft__fd_nonblock(fd, (int)c->arg[0]))
		return WEFT__PASS;
	result = weft__fd_park_ready(c, fd, events);
	return result == 0 ? WEFT__PASS : result;
}

static long read_pipe(struct weft__call *c, struct weft__fd *fd, weft__try *try)
{
	long n = weft__fd_retry(c, fd, POLLIN, try, false);

	if (n != -EOPNOTSUPP)
		return n;
	fd->kind = WEFT__OTHER; /* a FIFO, or a kernel before 6.3 */
	return when_ready(c, fd, POLLIN);
}

static bool drained(const struct weft__fd *fd)
{
	return fd->drained && !fd->hung_up;
}

long on_read(struct weft__call *c)
{
	struct weft__fd *fd = weft__fd_claim(c->arg[0]);
	long n;

	/* A read of nothing is 0 at once; as recv it would wait. */
	if (fd == NULL || c->arg[2] == 0)
		return WEFT__PASS;
	switch (fd->kind) {
	case WEFT__SOCKET:
		n = weft__fd_retry(c, fd, POLLIN, try_socket_read, drained(fd));
		if (n > 0 && n < c->arg[2] && fd->stream && fd->armed != 0)
			fd->drained = true;
		return n;
	case WEFT__PIPE:
		return read_pipe(c, fd, try_pipe_read);
	case WEFT__OTHER:
		return when_ready(c, fd, POLLIN);
	default:
		return WEFT__PASS;
	}
}

long on_readv(struct weft__call *c)
{
	struct weft__fd *fd = weft__fd_claim(c->arg[0]);

	if (fd == NULL || c->arg[2] <= 0 || c->arg[2] > IOV_MAX)
		return WEFT__PASS;
	switch (fd->kind) {
	case WEFT__SOCKET:
		if (weft__iov_bytes((struct iovec *)c->arg[1], (size_t)c->arg[2]) <= 0)
			return WEFT__PASS;
		return weft__fd_retry(c, fd, POLLIN, try_socket_readv, false);
	case WEFT__PIPE:
		return read_pipe(c, fd, try_pipe_readv);
	case WEFT__OTHER:
		return when_ready(c, fd, POLLIN);
	default:
		return WEFT__PASS;
	}
}

long on_write(struct weft__call *c)
{
	struct weft__fd *fd = weft__fd_claim(c->arg[0]);

	if (fd == NULL)
		return WEFT__PASS;
	switch (fd->kind) {
	case WEFT__SOCKET:
	case WEFT__PIPE:
		if (c->arg[2] < 0)
			return WEFT__PASS;
		return weft__send_bytes(c, fd, (const char *)c->arg[1], c->arg[2], 0);
	case WEFT__OTHER:
		return when_ready(c, fd, POLLOUT);
	case WEFT__NAME:
		return weft__write_name(c, fd);
	default:
		return WEFT__PASS;
	}
}

long on_writev(struct weft__call *c)
{
	struct weft__fd *fd = weft__fd_claim(c->arg[0]);
	struct msghdr message = {.msg_iov = (struct iovec *)c->arg[1],
				 .msg_iovlen = (size_t)c->arg[2]};

	if (fd == NULL || c->arg[2] <= 0 || c->arg[2] > IOV_MAX)
		return WEFT__PASS;
	switch (fd->kind) {
	case WEFT__SOCKET:
	case WEFT__PIPE:
		return weft__send_message(c, fd, &message, 0);
	case WEFT__OTHER:
		return when_ready(c, fd, POLLOUT);
	default:
		return WEFT__PASS;
	}
}

/* What others may share is filled a page at a time: as much has room when it is ready. */
static long sendfile_when_ready(const struct weft__call *c, struct weft__fd *fd)
{
	long result = weft__fd_park_ready(c, fd, POLLOUT);

	if (result != 0)
		return result;
	return weft__raw(SYS_sendfile, c->arg[0], c->arg[1], c->arg[2],
			 c->arg[3] < PIPE_BUF ? c->arg[3] : PIPE_BUF);
}

long on_sendfile(struct weft__call *c)
{
	struct weft__fd *fd = weft__fd_claim(c->arg[0]);
	struct weft__call rest = *c;
	uint64_t deadline_ns = 0;
	long done = 0, result;

	if (fd == NULL || fd->kind == WEFT__FILE || c->arg[3] <= 0 ||
	    weft__fd_nonblock(fd, (int)c->arg[0]))
		return WEFT__PASS;
	for (;;) {
		bool own = fd->kind == WEFT__SOCKET && weft__fd_private(fd);

		rest.arg[3] = c->arg[3] - done;
		result = own ? weft__fd_call_nonblock(&rest) : sendfile_when_ready(&rest, fd);
		if (result > 0)
			done += result;
		else if (result == -EAGAIN)
			result = weft__fd_park(c, fd, POLLOUT, &deadline_ns);
		else
			break;
		if (result < 0 || done == c->arg[3])
			break;
	}
	return done > 0 ? done : result;
}
