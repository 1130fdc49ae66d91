/*
 * read(2), write(2) and their vectors, on whatever they are called.
 *
 * A socket is tried with MSG_DONTWAIT, a pipe or an event descriptor with RWF_NOWAIT. For the rest
 * (terminals, FIFOs) readiness is waited for, and then the kernel does the call as it is.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "blocking.h"
#include "denied.h"
#include "descriptor.h"
#include "file.h"
#include "handlers.h"
#include "send.h"
#include "shim.h"
#include "signals.h"

/* The end of what a program has with page tables of four levels. */
#define ADDRESSES ((uintptr_t)0x7ffffffff000)

static long try_socket_read(struct weft__call *c)
{
	return weft__fd_ask(c, SYS_recvfrom, c->arg[0], c->arg[1], c->arg[2], MSG_DONTWAIT, NULL,
			    NULL);
}

static long try_socket_readv(struct weft__call *c)
{
	struct msghdr message = {.msg_iov = (struct iovec *)c->arg[1],
				 .msg_iovlen = (size_t)c->arg[2]};

	return weft__fd_ask(c, SYS_recvmsg, c->arg[0], &message, MSG_DONTWAIT);
}

static long try_read(struct weft__call *c)
{
	struct iovec whole = {(void *)c->arg[1], (size_t)c->arg[2]};

	if (weft__unlikely(weft__denied[SYS_preadv2]))
		return -EOPNOTSUPP;
	return weft__fd_ask(c, SYS_preadv2, c->arg[0], &whole, 1, -1, -1, RWF_NOWAIT);
}

static long try_readv(struct weft__call *c)
{
	if (weft__unlikely(weft__denied[SYS_preadv2]))
		return -EOPNOTSUPP;
	return weft__fd_ask(c, SYS_preadv2, c->arg[0], c->arg[1], c->arg[2], -1, -1, RWF_NOWAIT);
}

/* Wait until it is ready; then the kernel's turn. */
static long when_ready(struct weft__call *c, int events)
{
	long result;

	if (weft__fd_nonblock(c->fd, (int)c->arg[0]))
		return WEFT__PASS;
	result = weft__fd_park_ready(c, events);
	return result == 0 ? WEFT__PASS : result;
}

static long read_other(struct weft__call *c, weft__try *try)
{
	long n;

	if ((c->fd->no_nowait & POLLIN) != 0)
		return when_ready(c, POLLIN);
	n = weft__fd_retry(c, POLLIN, try, false);
	if (n != -EOPNOTSUPP)
		return n;
	c->fd->no_nowait |= POLLIN;
	return when_ready(c, POLLIN);
}

static long read_signals(struct weft__call *c, weft__try *try)
{
	long result;

	weft__signalfd_watch(true);
	result = read_other(c, try);
	weft__signalfd_watch(false);
	return result;
}

static long read_elsewhere(struct weft__call *c)
{
	return weft__fd_nonblock(c->fd, (int)c->arg[0]) ? WEFT__PASS : weft__blocking(c, NULL);
}

/*
 * read(2) and write(2) look at all of the memory they are given, and then take 2 GB of it at most;
 * the calls by which they are tried only look at those. What is beyond all addresses is the
 * kernel's to refuse.
 */
static bool is_beyond(const struct weft__call *c)
{
	uintptr_t end = (uintptr_t)c->arg[1] + (size_t)c->arg[2];

	return weft__unlikely(end < (uintptr_t)c->arg[1] || end > ADDRESSES);
}

/* Only calls on sockets go on without the crew's lock (carriers.c). */
static struct weft__fd *claim(struct weft__call *c)
{
	struct weft__fd *fd = weft__fd_claim(c);

	if (fd != NULL && fd->kind != WEFT__SOCKET)
		weft__lock();
	return fd;
}

long on_read(struct weft__call *c)
{
	struct weft__fd *fd = claim(c);
	long n;

	/* A read of nothing is 0 at once; as recv it would wait. */
	if (fd == NULL || c->arg[2] == 0 || is_beyond(c))
		return WEFT__PASS;
	switch (fd->kind) {
	case WEFT__SOCKET:
		n = weft__fd_retry(c, POLLIN, try_socket_read, weft__fd_drained(fd));
		weft__fd_note_read(c, n, c->arg[2]);
		return n == -ENOTSOCK && weft__fd_relearn(c) ? on_read(c) : n;
	case WEFT__PIPE:
	case WEFT__OTHER:
		return read_other(c, try_read);
	case WEFT__SIGNALFD:
		return read_signals(c, try_read);
	case WEFT__UNPOLLED:
		return read_elsewhere(c);
	case WEFT__FILE:
	case WEFT__MEMORY:
		return weft__file_io(c);
	default:
		return WEFT__PASS;
	}
}

long on_readv(struct weft__call *c)
{
	struct weft__fd *fd = claim(c);
	long n;

	if (fd == NULL || c->arg[2] <= 0 || c->arg[2] > IOV_MAX)
		return WEFT__PASS;
	switch (fd->kind) {
	case WEFT__SOCKET:
		if (weft__iov_bytes((struct iovec *)c->arg[1], (size_t)c->arg[2]) <= 0)
			return WEFT__PASS;
		n = weft__fd_retry(c, POLLIN, try_socket_readv, false);
		return n == -ENOTSOCK && weft__fd_relearn(c) ? on_readv(c) : n;
	case WEFT__PIPE:
	case WEFT__OTHER:
		return read_other(c, try_readv);
	case WEFT__SIGNALFD:
		return read_signals(c, try_readv);
	case WEFT__UNPOLLED:
		return read_elsewhere(c);
	case WEFT__FILE:
	case WEFT__MEMORY:
		return weft__file_io(c);
	default:
		return WEFT__PASS;
	}
}

long on_write(struct weft__call *c)
{
	struct weft__fd *fd = claim(c);
	long n;

	if (fd == NULL || is_beyond(c))
		return WEFT__PASS;
	switch (fd->kind) {
	case WEFT__SOCKET:
	case WEFT__PIPE:
		n = weft__send_bytes(c, (const char *)c->arg[1], c->arg[2], 0);
		return n == -ENOTSOCK && weft__fd_relearn(c) ? on_write(c) : n;
	case WEFT__OTHER:
		return fd->unwritten ? WEFT__PASS : when_ready(c, POLLOUT);
	case WEFT__FILE:
	case WEFT__MEMORY:
		return weft__file_io(c);
	case WEFT__NAME:
		return weft__write_name(c);
	default:
		return WEFT__PASS;
	}
}

long on_writev(struct weft__call *c)
{
	struct weft__fd *fd = claim(c);
	struct msghdr message = {.msg_iov = (struct iovec *)c->arg[1],
				 .msg_iovlen = (size_t)c->arg[2]};
	long n;

	if (fd == NULL || c->arg[2] <= 0 || c->arg[2] > IOV_MAX)
		return WEFT__PASS;
	switch (fd->kind) {
	case WEFT__SOCKET:
	case WEFT__PIPE:
		n = weft__send_message(c, &message, 0);
		return n == -ENOTSOCK && weft__fd_relearn(c) ? on_writev(c) : n;
	case WEFT__OTHER:
		return fd->unwritten ? WEFT__PASS : when_ready(c, POLLOUT);
	case WEFT__FILE:
	case WEFT__MEMORY:
		return weft__file_io(c);
	default:
		return WEFT__PASS;
	}
}
