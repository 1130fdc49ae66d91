/* Receiving, sending, accepting and connecting, where the call itself says that it is a socket. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "accept_ring.h"
#include "blocking.h"
#include "descriptor.h"
#include "handlers.h"
#include "iterative.h"
#include "memory.h"
#include "send.h"
#include "shim.h"
#include "thread.h"
#include "times.h"

/* The descriptor as a socket the call may wait for, else NULL: what the kernel says then. */
static struct weft__fd *claim_socket(struct weft__call *c, long flags)
{
	struct weft__fd *fd = weft__fd_claim(c);

	if (fd == NULL || fd->kind != WEFT__SOCKET)
		return NULL;
	if ((flags & MSG_DONTWAIT) == 0)
		return fd;
	weft__spend(WEFT__EMPTY_HANDED / 4); /* it may find nothing, and be called again */
	return NULL;
}

static bool drained(const struct weft__fd *fd, long flags)
{
	return weft__fd_drained(fd) && (flags & (MSG_ERRQUEUE | MSG_OOB)) == 0;
}

static void note_read(struct weft__call *c, long n)
{
	if ((c->arg[3] & (MSG_PEEK | MSG_OOB | MSG_ERRQUEUE | MSG_TRUNC)) == 0)
		weft__fd_note_read(c, n, c->arg[2]);
}

static long try_recvfrom(struct weft__call *c)
{
	return weft__fd_ask(c, SYS_recvfrom, c->arg[0], c->arg[1], c->arg[2],
			    c->arg[3] | MSG_DONTWAIT, c->arg[4], c->arg[5]);
}

/* MSG_WAITALL on a stream: go on until all is there, or an end, or nothing more comes. */
static long receive_all(struct weft__call *c)
{
	struct weft__call part = *c;
	long done = 0, n;

	do {
		part.arg[1] = c->arg[1] + done;
		part.arg[2] = c->arg[2] - done;
		n = weft__fd_retry(&part, POLLIN, try_recvfrom, false);
		if (n > 0)
			done += n;
	} while (n > 0 && done < c->arg[2]);
	return done > 0 ? done : n;
}

/* With MSG_PEEK as well, what was seen stays: look again until all can be seen. */
static long peek_all(struct weft__call *c)
{
	uint64_t deadline_ns = 0;
	long n, result;

	do {
		n = weft__fd_retry(c, POLLIN, try_recvfrom, false);
		if (n <= 0 || n >= c->arg[2] || c->fd->hung_up)
			return n;
		result = weft__fd_park(c, POLLIN, &deadline_ns);
	} while (result == 0);
	return n;
}

/* The call as it is, for what it tells of the socket. */
static long receive_now(struct weft__call *c)
{
	struct weft__fd *fd = weft__fd_claim(c);
	long n;

	if (fd == NULL || fd->kind != WEFT__SOCKET)
		return WEFT__PASS;
	n = try_recvfrom(c);
	note_read(c, n);
	if (n == -EAGAIN)
		weft__spend(WEFT__EMPTY_HANDED / 4); /* it may be called again at once */
	return n;
}

static long receive(struct weft__call *c)
{
	struct weft__fd *fd;
	long n;

	if ((c->arg[3] & MSG_DONTWAIT) != 0)
		return receive_now(c);
	fd = claim_socket(c, c->arg[3]);
	if (fd == NULL)
		return WEFT__PASS;
	if ((c->arg[3] & MSG_WAITALL) != 0 &&
	    weft__socket_option((int)c->arg[0], SO_TYPE) == SOCK_STREAM)
		return (c->arg[3] & MSG_PEEK) != 0 ? peek_all(c) : receive_all(c);
	n = weft__fd_retry(c, POLLIN, try_recvfrom, drained(fd, c->arg[3]));
	note_read(c, n);
	return n;
}

/* What the kernel has overwritten by the length of an address, or 0. */
static socklen_t room_for_address(long pointer)
{
	socklen_t room = 0;

	return pointer == 0 || weft__copy(&room, (void *)pointer, sizeof(room)) != 0 ? 0 : room;
}

long on_recvfrom(struct weft__call *c)
{
	socklen_t room;
	long n;

	if (weft__likely(!weft__iterative_on))
		return receive(c);
	weft__iterative_comes_back(c->arg[0], false);
	room = room_for_address(c->arg[5]);
	do {
		if (c->arg[5] != 0)
			weft__copy((void *)c->arg[5], &room, sizeof(room));
		n = weft__iterative_split(c, receive(c));
	} while (n == WEFT__AGAIN);
	return n;
}

static long try_recvmsg(struct weft__call *c)
{
	return weft__fd_ask(c, SYS_recvmsg, c->arg[0], c->arg[1], c->arg[2] | MSG_DONTWAIT);
}

/* MSG_WAITALL of a message: the first piece as the kernel gives it, the rest behind it. */
static long receive_message_all(struct weft__call *c)
{
	struct weft__call part;
	struct msghdr message;
	long done, n;

	if (weft__copy(&message, (void *)c->arg[1], sizeof(message)) != 0)
		return -EFAULT;
	done = weft__fd_retry(c, POLLIN, try_recvmsg, false);
	if (done <= 0)
		return done;
	part = *c;
	n = done;
	for (size_t i = 0; i < message.msg_iovlen; i++) {
		const struct iovec *iov = &message.msg_iov[i];

		if ((size_t)n >= iov->iov_len) {
			n -= (long)iov->iov_len;
			continue;
		}
		part.arg[1] = (long)iov->iov_base + n;
		part.arg[2] = (long)iov->iov_len - n;
		part.arg[3] = c->arg[2];
		part.arg[4] = part.arg[5] = 0;
		n = receive_all(&part);
		if (n > 0)
			done += n;
		if (n != part.arg[2])
			break;
		n = 0;
	}
	return done;
}

static long receive_message(struct weft__call *c)
{
	struct weft__fd *fd = claim_socket(c, c->arg[2]);

	if (fd == NULL)
		return WEFT__PASS;
	if ((c->arg[2] & (MSG_WAITALL | MSG_PEEK)) == MSG_WAITALL &&
	    weft__socket_option((int)c->arg[0], SO_TYPE) == SOCK_STREAM)
		return receive_message_all(c);
	return weft__fd_retry(c, POLLIN, try_recvmsg, drained(fd, c->arg[2]));
}

long on_recvmsg(struct weft__call *c)
{
	struct msghdr message, *user = (struct msghdr *)c->arg[1];
	long n;

	if (weft__likely(!weft__iterative_on) || weft__copy(&message, user, sizeof(message)) != 0)
		return receive_message(c);
	weft__iterative_comes_back(c->arg[0], false);
	while ((n = weft__iterative_split(c, receive_message(c))) == WEFT__AGAIN)
		weft__copy(user, &message, sizeof(message)); /* what it has room for */
	return n;
}

static long try_recvmmsg(struct weft__call *c)
{
	return weft__fd_ask(c, SYS_recvmmsg, c->arg[0], c->arg[1], c->arg[2],
			    c->arg[3] | MSG_DONTWAIT, NULL);
}

/*
 * recvmmsg(2) looks at its timeout only after a message has come (see its BUGS), and updates it
 * to what is left.
 */
long on_recvmmsg(struct weft__call *c)
{
	struct weft__fd *fd = claim_socket(c, c->arg[3]);
	struct weft__call part = *c;
	struct timespec left;
	uint64_t deadline_ns = 0;
	long done = 0, n;

	if (fd == NULL || c->arg[2] <= 0)
		return WEFT__PASS;
	if (c->arg[4] != 0) {
		n = weft__deadline_after((void *)c->arg[4], &deadline_ns);
		if (n != 0)
			return n;
	}
	do {
		part.arg[1] = c->arg[1] + done * (long)sizeof(struct mmsghdr);
		part.arg[2] = c->arg[2] - done;
		n = weft__fd_retry(&part, POLLIN, try_recvmmsg, false);
		if (n > 0)
			done += n;
	} while (n > 0 && done < c->arg[2] && (c->arg[3] & MSG_WAITFORONE) == 0 &&
		 (deadline_ns == 0 || weft__now_ns() < deadline_ns));
	if (deadline_ns != 0) {
		left = weft__left_until(deadline_ns);
		weft__copy((void *)c->arg[4], &left, sizeof(left));
	}
	return done > 0 ? done : n;
}

static long try_sendto(struct weft__call *c)
{
	return weft__fd_ask(c, SYS_sendto, c->arg[0], c->arg[1], c->arg[2],
			    c->arg[3] | MSG_DONTWAIT, c->arg[4], c->arg[5]);
}

long on_sendto(struct weft__call *c)
{
	struct weft__fd *fd = claim_socket(c, c->arg[3]);
	long done, more;

	if (fd == NULL)
		return WEFT__PASS;
	if (c->arg[4] == 0)
		return weft__send_bytes(c, (const char *)c->arg[1], c->arg[2], (int)c->arg[3]);
	done = weft__fd_retry(c, POLLOUT, try_sendto, false);
	if (done <= 0 || done >= c->arg[2])
		return done;
	/* A stream with an address (TCP Fast Open): the rest goes where the first piece went. */
	more = weft__send_bytes(c, (const char *)c->arg[1] + done, c->arg[2] - done,
				(int)c->arg[3] | MSG_NOSIGNAL);
	return more > 0 ? done + more : done;
}

long on_sendmsg(struct weft__call *c)
{
	struct weft__fd *fd = claim_socket(c, c->arg[2]);
	struct msghdr message;

	if (fd == NULL)
		return WEFT__PASS;
	if (weft__copy(&message, (void *)c->arg[1], sizeof(message)) != 0)
		return -EFAULT;
	return weft__send_message(c, &message, (int)c->arg[2]);
}

long on_sendmmsg(struct weft__call *c)
{
	struct weft__fd *fd = claim_socket(c, c->arg[3]);
	struct mmsghdr *user = (struct mmsghdr *)c->arg[1], one;
	long i, most = (unsigned int)c->arg[2] > 1024 ? 1024 : (unsigned int)c->arg[2], n = 0;

	if (fd == NULL)
		return WEFT__PASS;
	for (i = 0; i < most; i++) {
		n = weft__copy(&one, &user[i], sizeof(one));
		if (n == 0)
			n = weft__send_message(c, &one.msg_hdr, (int)c->arg[3]);
		if (n < 0)
			break;
		one.msg_len = (unsigned int)n;
		n = weft__copy(&user[i].msg_len, &one.msg_len, sizeof(one.msg_len));
		if (n < 0)
			break;
	}
	return i > 0 ? i : n;
}

static long try_accept(struct weft__call *c)
{
	return weft__accept_now((int)c->arg[0], c->arg[1], c->arg[2],
				c->nr == SYS_accept4 ? (int)c->arg[3] : 0);
}

/* By an offload thread that does not write to the caller's stack meanwhile, which others may need. */
static long accept_beside(struct weft__call *c)
{
	struct address {
		struct sockaddr_storage name;
		socklen_t bytes;
	} * address;
	struct weft__call part = *c;
	socklen_t room;
	long number;

	if (weft__likely(!weft__iterative_on) || c->arg[1] == 0)
		return weft__blocking(c, NULL);
	address = weft__alloc(sizeof(*address));
	if (address == NULL)
		return -ENOMEM;
	room = room_for_address(c->arg[2]);
	address->bytes = room > sizeof(address->name) ? sizeof(address->name) : room;
	part.arg[1] = (long)&address->name;
	part.arg[2] = (long)&address->bytes;
	number = weft__blocking(&part, NULL);
	if (number >= 0) {
		weft__copy((void *)c->arg[1], &address->name,
			   room < address->bytes ? room : address->bytes);
		weft__copy((void *)c->arg[2], &address->bytes, sizeof(address->bytes));
	}
	weft__free(address, sizeof(*address));
	return number;
}

/* Where the kernel cannot try, an offload thread accepts once it seems worth it, and may wait. */
static long accept_shared(struct weft__call *c)
{
	long result = -ENOSYS;

	if (weft__accept_ring())
		result = weft__fd_retry(c, POLLIN, try_accept, false);
	if (result != -ENOSYS)
		return result;
	result = weft__fd_park_ready(c, POLLIN);
	return result != 0 ? result : accept_beside(c);
}

/*
 * accept(2) has no flag to try with. Readiness first: nobody else takes the connection, unless
 * the listener is shared with another process, which it may be since the wait.
 */
static long accept_own(struct weft__call *c, long flags)
{
	long result = weft__fd_park_ready(c, POLLIN);

	if (result != 0)
		return result;
	return weft__fd_private(c->fd) ? weft__raw(c->nr, c->arg[0], c->arg[1], c->arg[2], flags)
				       : accept_shared(c);
}

static long accept_once(struct weft__call *c, long flags)
{
	struct weft__fd *fd = claim_socket(c, 0);
	long number;

	if (fd == NULL || (flags & ~(long)(SOCK_CLOEXEC | SOCK_NONBLOCK)) != 0)
		return WEFT__PASS;
	if (weft__fd_nonblock(fd, (int)c->arg[0])) {
		number = weft__raw(c->nr, c->arg[0], c->arg[1], c->arg[2], flags);
	} else {
		if (!fd->listening)
			fd->listening = weft__socket_option((int)c->arg[0], SO_ACCEPTCONN) == 1;
		if (!fd->listening)
			return WEFT__PASS;
		number = weft__fd_private(fd) ? accept_own(c, flags) : accept_shared(c);
	}
	if (number >= 0)
		weft__fd_new_socket(number, (flags & SOCK_NONBLOCK) != 0, c->fd->stream, c->fd);
	return number;
}

static long accept_with(struct weft__call *c, long flags)
{
	socklen_t room;
	long number;

	if (weft__likely(!weft__iterative_on))
		return accept_once(c, flags);
	weft__iterative_comes_back(c->arg[0], false);
	room = room_for_address(c->arg[2]);
	do {
		if (c->arg[2] != 0)
			weft__copy((void *)c->arg[2], &room, sizeof(room));
		number = weft__iterative_split(c, accept_once(c, flags));
	} while (number == WEFT__AGAIN);
	return number;
}

long on_accept(struct weft__call *c)
{
	return accept_with(c, 0);
}

long on_accept4(struct weft__call *c)
{
	return accept_with(c, c->arg[3]);
}

/*
 * Wait for the end, and have the kernel take note of it: a second connect gives the result. The other
 * end has answered by now if it is on this machine. Elsewhere that would take a while, in which the
 * others have their turn, threads that were just made among them: so they have it here, too.
 */
static long finish_connect(struct weft__call *c)
{
	long result = weft__fd_park_ready(c, POLLOUT);

	if (result == -EAGAIN)
		return -EINPROGRESS; /* SO_SNDTIMEO has run out, socket(7) */
	if (result != 0)
		return result;
	result = weft__raw(SYS_connect, c->arg[0], c->arg[1], c->arg[2]);
	weft__yield();
	return result;
}

long on_connect(struct weft__call *c)
{
	struct weft__fd *fd = claim_socket(c, 0);
	long result;

	if (fd == NULL || weft__fd_nonblock(fd, (int)c->arg[0]))
		return WEFT__PASS;
	if (!weft__fd_private(fd))
		return weft__blocking(c, NULL);
	result = weft__fd_call_nonblock(c);
	/* A Unix listener's backlog is full: there is no readiness to wait for. */
	if (result == -EAGAIN)
		return weft__blocking(c, NULL);
	return result == -EINPROGRESS || result == -EALREADY ? finish_connect(c) : result;
}
