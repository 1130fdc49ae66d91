/* See send.h. A first piece that is refused gives the call's error; a later one, what was taken. */
#include "descriptor.h"
#include "send.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <time.h>

#include "denied.h"
#include "shim.h"
#include "signals.h"
#include "thread.h"

long weft__iov_bytes(const struct iovec *iov, size_t n)
{
	struct iovec one;
	long bytes = 0;

	for (size_t i = 0; i < n; i++) {
		if (weft__copy(&one, &iov[i], sizeof(one)) != 0)
			return -EFAULT;
		bytes += (long)one.iov_len;
	}
	return bytes;
}

/*
 * A pipe that takes no RWF_NOWAIT (a FIFO, or before Linux 6.3) says it is ready when PIPE_BUF
 * bytes fit, so a write goes in pieces of that size.
 */
static long write_when_ready(struct weft__call *c, const char *bytes, long n)
{
	long result;

	if (!weft__fd_nonblock(c->fd, (int)c->arg[0])) {
		result = weft__fd_park_ready(c, POLLOUT);
		if (result != 0 && result != WEFT__PASS)
			return result;
		if (n > PIPE_BUF)
			n = PIPE_BUF;
	}
	return weft__raw(SYS_write, c->arg[0], bytes, n);
}

/*
 * SIGPIPE is for the task that writes, which may block it where the kernel thread does not: the
 * kernel is asked not to send it, and weft does.
 */
static void send_sigpipe(void)
{
	siginfo_t info = weft__signal_from_self(SIGPIPE, SI_USER);

	weft__lock();
	weft__signal_send(weft__thread_here(), &info);
}

long weft__sent(const struct weft__call *c, long result)
{
	long flags = 0;

	if (result != -EPIPE)
		return result;
	if (c->nr == SYS_sendto || c->nr == SYS_sendmmsg)
		flags = c->arg[3];
	else if (c->nr == SYS_sendmsg)
		flags = c->arg[2];
	if ((flags & MSG_NOSIGNAL) == 0)
		send_sigpipe();
	return result;
}

/* A write to a pipe has no flag for it: the kernel thread blocks it for the moment, if need be. */
static long write_pipe(const struct weft__call *c, const struct iovec *iov, size_t n)
{
	uint64_t bit = weft__signal_bit(SIGPIPE);
	struct timespec now = {0, 0};
	bool blocks =
		(weft__mask_of(weft__thread_here()) & bit) != 0 && (weft__mask_here() & bit) == 0;
	long result;

	if (blocks)
		weft__raw(SYS_rt_sigprocmask, SIG_BLOCK, &bit, NULL, sizeof(bit));
	if (weft__unlikely(weft__denied[SYS_pwritev2]))
		result = -EOPNOTSUPP;
	else
		result = weft__raw(SYS_pwritev2, c->arg[0], iov, n, -1, -1, RWF_NOWAIT);
	if (blocks) {
		if (result == -EPIPE) {
			weft__raw(SYS_rt_sigtimedwait, &bit, NULL, &now, sizeof(bit));
			send_sigpipe();
		}
		weft__raw(SYS_rt_sigprocmask, SIG_UNBLOCK, &bit, NULL, sizeof(bit));
	}
	return result;
}

/*
 * Pass the result of a piece on. A SIGPIPE goes with the end of a stream, unless the caller's flags
 * say otherwise; of a socket of any other kind only the error tells.
 */
static long told(const struct weft__call *c, long result, int flags)
{
	if (weft__unlikely(result == -EPIPE) && (flags & MSG_NOSIGNAL) == 0 &&
	    weft__socket_option((int)c->arg[0], SO_TYPE) == SOCK_STREAM)
		send_sigpipe();
	return result;
}

/* One piece: what fits now, or -EAGAIN. */
static long send_piece(struct weft__call *c, const char *bytes, long n, int flags)
{
	struct iovec piece = {(void *)bytes, (size_t)n};
	long result;

	if (c->fd->kind == WEFT__SOCKET)
		return told(c,
			    weft__fd_ask(c, SYS_sendto, c->arg[0], bytes, n,
					 flags | MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0),
			    flags);
	result = write_pipe(c, &piece, 1);
	return result == -EOPNOTSUPP ? write_when_ready(c, bytes, n) : result;
}

long weft__send_bytes(struct weft__call *c, const char *bytes, long n, int flags)
{
	uint64_t deadline_ns = 0;
	long done = 0, result;

	do {
		result = send_piece(c, bytes + done, n - done, flags);
		if (result > 0) {
			done += result;
			flags |= MSG_NOSIGNAL;
		} else if (result == -EAGAIN && (flags & MSG_DONTWAIT) == 0) {
			result = weft__fd_park(c, POLLOUT, &deadline_ns);
		}
	} while (result >= 0 && done < n);
	return done > 0 ? done : result;
}

static long send_once(struct weft__call *c, const struct msghdr *message, int flags)
{
	if (c->fd->kind == WEFT__SOCKET)
		return told(c,
			    weft__fd_ask(c, SYS_sendmsg, c->arg[0], message,
					 flags | MSG_DONTWAIT | MSG_NOSIGNAL),
			    flags);
	return write_pipe(c, message->msg_iov, message->msg_iovlen);
}

/* Finish the element in which a piece ended, and step over all that is done. */
static long advance(struct weft__call *c, struct msghdr *rest, size_t taken, int flags)
{
	long more = 0;

	while (rest->msg_iovlen > 0 && taken >= rest->msg_iov->iov_len) {
		taken -= rest->msg_iov->iov_len;
		rest->msg_iov++;
		rest->msg_iovlen--;
	}
	if (rest->msg_iovlen > 0 && taken > 0) {
		long left = (long)(rest->msg_iov->iov_len - taken);

		more = weft__send_bytes(c, (char *)rest->msg_iov->iov_base + taken, left, flags);
		rest->msg_iov++;
		rest->msg_iovlen = more == left ? rest->msg_iovlen - 1 : 0;
	}
	return more > 0 ? more : 0;
}

long weft__send_message(struct weft__call *c, const struct msghdr *message, int flags)
{
	struct msghdr rest = *message;
	uint64_t deadline_ns = 0;
	long done = 0, result;

	do {
		result = send_once(c, &rest, flags);
		if (result >= 0) {
			flags |= MSG_NOSIGNAL;
			rest.msg_name = rest.msg_control = NULL;
			rest.msg_namelen = 0;
			rest.msg_controllen = 0;
			done += result + advance(c, &rest, (size_t)result, flags);
		} else if (result == -EAGAIN && (flags & MSG_DONTWAIT) == 0) {
			result = weft__fd_park(c, POLLOUT, &deadline_ns);
		} else if (result == -EOPNOTSUPP && c->fd->kind == WEFT__PIPE) {
			return weft__blocks(c);
		}
	} while (result >= 0 && rest.msg_iovlen > 0);
	return done > 0 ? done : result;
}
