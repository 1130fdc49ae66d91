/* See weft/io.h: sockets. Receiving and sending are tried; a listener and a connection tell when it is time. */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "chore.h"
#include "native.h"

/* The caller's own MSG_DONTWAIT gives -EAGAIN. */
static ssize_t until_done(long nr, int fd, const void *bytes, size_t size_bytes, int flags,
			  const void *addr, long addr_len, int64_t deadline_ns)
{
	int events = nr == SYS_recvfrom ? WEFT_IN : WEFT_OUT, all = flags | MSG_DONTWAIT;
	unsigned int tries = 0;
	int err = size_bytes > SSIZE_MAX ? -EINVAL : weft__may_wait(deadline_ns);

	if (nr == SYS_sendto)
		all |= MSG_NOSIGNAL;
	while (err == 0) {
		long result = weft__ask(nr, fd, bytes, size_bytes, all, addr, addr_len);

		if (result != -EAGAIN || (flags & MSG_DONTWAIT) != 0) {
			weft__spend_turn();
			return result;
		}
		err = weft__await_fd(fd, events, deadline_ns, &tries);
	}
	return err;
}

ssize_t weft_recv(int fd, void *bytes, size_t size_bytes, int flags, int64_t deadline_ns)
{
	return until_done(SYS_recvfrom, fd, bytes, size_bytes, flags, NULL, 0, deadline_ns);
}

ssize_t weft_recvfrom(int fd, void *bytes, size_t size_bytes, int flags, struct sockaddr *addr,
		      socklen_t *addr_len, int64_t deadline_ns)
{
	return until_done(SYS_recvfrom, fd, bytes, size_bytes, flags, addr, (long)addr_len,
			  deadline_ns);
}

ssize_t weft_send(int fd, const void *bytes, size_t size_bytes, int flags, int64_t deadline_ns)
{
	return until_done(SYS_sendto, fd, bytes, size_bytes, flags, NULL, 0, deadline_ns);
}

ssize_t weft_sendto(int fd, const void *bytes, size_t size_bytes, int flags,
		    const struct sockaddr *addr, socklen_t addr_len, int64_t deadline_ns)
{
	return until_done(SYS_sendto, fd, bytes, size_bytes, flags, addr, addr_len, deadline_ns);
}

/* 1 or 0, or a negative errno: as the kernel would say it of no socket. */
static int socket_option(int fd, int option)
{
	int value = 0;
	socklen_t len = sizeof(value);
	long err = weft__ask(SYS_getsockopt, fd, SOL_SOCKET, option, &value, &len);

	return err != 0 ? (int)err : value;
}

int weft_accept(int fd, struct sockaddr *addr, socklen_t *addr_len, int flags, int64_t deadline_ns)
{
	unsigned int tries = 0;
	int err = weft__may_wait(deadline_ns), listens;

	if (err != 0)
		return err;
	if ((flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != 0)
		return -EINVAL;
	/* What does not listen is ready, or never: the kernel says what is wrong with it. */
	listens = socket_option(fd, SO_ACCEPTCONN);
	if (listens < 0)
		return listens;
	do {
		long result = -EAGAIN;

		if (listens == 1)
			err = weft__await_fd(fd, WEFT_IN, deadline_ns, &tries);
		if (err == 0)
			result = weft__ask(SYS_accept4, fd, addr, addr_len, flags);
		if (result != -EAGAIN) {
			weft__spend_turn();
			return (int)result;
		}
	} while (err == 0);
	return err;
}

struct connecting {
	struct weft__chore chore;
	int fd; /* the socket under another number: its own may be closed meanwhile */
	socklen_t addr_len;
	struct sockaddr_storage addr;
	long result;
};

static void connect_blocking(struct weft__chore *chore)
{
	struct connecting *it = (struct connecting *)chore;

	it->result = weft__ask(SYS_connect, it->fd, &it->addr, it->addr_len);
	weft__ask(SYS_close, it->fd);
}

static int connect_by_chore(int fd, const struct sockaddr *addr, socklen_t addr_len,
			    int64_t deadline_ns)
{
	struct connecting *it;
	int result;

	if (deadline_ns == 0)
		return -ETIMEDOUT;
	it = calloc(1, sizeof(*it));
	if (it == NULL)
		return -ENOMEM;
	it->chore.run = connect_blocking;
	it->chore.lasts = true;
	it->addr_len = addr_len;
	memcpy(&it->addr, addr, addr_len);
	it->fd = (int)weft__ask(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 0);
	if (it->fd < 0) {
		result = it->fd;
		free(it);
		return result;
	}
	result = weft__chore(&it->chore, deadline_ns);
	if (result != 0)
		return result;
	result = (int)it->result;
	free(it);
	return result;
}

int weft_connect(int fd, const struct sockaddr *addr, socklen_t addr_len, int64_t deadline_ns)
{
	int err = weft__may_wait(deadline_ns);
	unsigned int tries = 0;
	long flags;

	if (err != 0)
		return err;
	if (addr == NULL)
		return -EFAULT;
	if (addr_len < sizeof(addr->sa_family) || addr_len > sizeof(struct sockaddr_storage))
		return -EINVAL;
	flags = weft__ask(SYS_fcntl, fd, F_GETFL);
	if (flags < 0)
		return (int)flags;
	if ((flags & O_NONBLOCK) == 0)
		return connect_by_chore(fd, addr, addr_len, deadline_ns);
	err = (int)weft__ask(SYS_connect, fd, addr, addr_len);
	if (err != -EINPROGRESS)
		return err;
	err = weft__await_fd(fd, WEFT_OUT, deadline_ns, &tries);
	return err != 0 ? err : -socket_option(fd, SO_ERROR);
}
