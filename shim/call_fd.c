/* Calls that change what a descriptor is, or end it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "blocking.h"
#include "denied.h"
#include "descriptor.h"
#include "handlers.h"
#include "offload.h"
#include "shim.h"

static void forget(long number)
{
	struct weft__fd *fd = weft__fd_peek(number);

	if (fd != NULL)
		weft__fd_forget(fd, (int)number);
}

/*
 * The program does not know of weft's own descriptors: to it they are not open. What libuv closes
 * while a loop is made, numbers from before a fork, is not there any more.
 */
long on_close(struct weft__call *c)
{
	unsigned int number = (unsigned int)c->arg[0];

	if (weft__fd_is_own(number) || weft__waking)
		return -EBADF;
	forget(number);
	return WEFT__PASS;
}

static long replace(struct weft__call *c)
{
	long from = (int)c->arg[0], to = (int)c->arg[1];

	if (weft__fd_is_own(from) || weft__fd_is_own(to))
		return -EBADF;
	/* With a bad first descriptor the second one stays open. */
	if (from != to && (weft__denied[SYS_fcntl] || weft__raw(SYS_fcntl, from, F_GETFD) >= 0))
		forget(to);
	return WEFT__PASS;
}

long on_dup2(struct weft__call *c)
{
	return replace(c);
}

long on_dup3(struct weft__call *c)
{
	return replace(c);
}

/* Close a range that has weft's own descriptors in it piece by piece, around them. */
static long close_around_own(const struct weft__call *c)
{
	unsigned int first = (unsigned int)c->arg[0], last = (unsigned int)c->arg[1];
	long own, err;

	if (first > last || (c->arg[2] & CLOSE_RANGE_CLOEXEC) != 0)
		return weft__raw(SYS_close_range, first, last, c->arg[2]);
	while ((own = weft__fd_next_own(first)) >= 0 && own <= last) {
		if (own > first) {
			weft__fd_forget_range(first, (unsigned int)own - 1);
			err = weft__raw(SYS_close_range, first, own - 1, c->arg[2]);
			if (err != 0)
				return err;
		}
		first = (unsigned int)own + 1;
	}
	if (first > last)
		return 0;
	weft__fd_forget_range(first, last);
	return weft__raw(SYS_close_range, first, last, c->arg[2]);
}

long on_close_range(struct weft__call *c)
{
	long result = close_around_own(c);

	if (result == 0 && (c->arg[2] & CLOSE_RANGE_UNSHARE) != 0)
		weft__offload_retire();
	return result;
}

/* Record locks belong to the process or the open file, so any thread may wait for one. */
static long try_record_lock(const struct weft__call *c)
{
	return weft__raw(SYS_fcntl, c->arg[0], c->arg[1] == F_SETLKW ? F_SETLK : F_OFD_SETLK,
			 c->arg[2]);
}

long on_fcntl(struct weft__call *c)
{
	if (weft__fd_is_own((int)c->arg[0]))
		return -EBADF;
	switch (c->arg[1]) {
	case F_SETFL:
		weft__fd_flags_changed();
		return WEFT__PASS;
	case F_SETLKW:
	case F_OFD_SETLKW:
		return weft__blocking(c, try_record_lock);
	default:
		return WEFT__PASS;
	}
}

static long try_flock(const struct weft__call *c)
{
	return weft__raw(SYS_flock, c->arg[0], c->arg[1] | LOCK_NB);
}

long on_flock(struct weft__call *c)
{
	return (c->arg[1] & LOCK_NB) != 0 ? WEFT__PASS : weft__blocking(c, try_flock);
}

/* tcdrain(3) has nothing to wait for when nothing is left to be sent. */
static long try_drain(const struct weft__call *c)
{
	int left = 0;

	if (weft__raw(SYS_ioctl, c->arg[0], TIOCOUTQ, &left) == 0 && left > 0)
		return -EAGAIN;
	return weft__raw(SYS_ioctl, c->arg[0], c->arg[1], c->arg[2]);
}

long on_ioctl(struct weft__call *c)
{
	if ((unsigned int)c->arg[1] == FIONBIO)
		weft__fd_flags_changed();
	if ((unsigned int)c->arg[1] == TCSBRK && c->arg[2] != 0)
		return weft__blocking(c, try_drain);
	return WEFT__PASS;
}

static long always_waits(const struct weft__call *c)
{
	(void)c;
	return -EAGAIN;
}

/* A FIFO opens once its other end is opened too, maybe by a task of this process. */
static long open_path(struct weft__call *c, long folder, long path, long flags)
{
	struct stat status;
	long number = weft__open_name((uintptr_t)path, flags);

	if (number != WEFT__PASS)
		return number;
	if ((flags & (O_NONBLOCK | O_PATH | O_DIRECTORY)) != 0 || (flags & O_ACCMODE) == O_RDWR ||
	    weft__raw(SYS_newfstatat, folder, path, &status, 0) != 0 || !S_ISFIFO(status.st_mode))
		return WEFT__PASS;
	if (weft__offload_most == 0) /* there will never be another to open it */
		return weft__blocks(c);
	return weft__blocking(c, always_waits);
}

long on_open(struct weft__call *c)
{
	return open_path(c, AT_FDCWD, c->arg[0], c->arg[1]);
}

long on_openat(struct weft__call *c)
{
	return open_path(c, c->arg[0], c->arg[1], c->arg[2]);
}

long on_creat(struct weft__call *c)
{
	return open_path(c, AT_FDCWD, c->arg[0], O_WRONLY);
}

long on_socket(struct weft__call *c)
{
	long number;

	weft__spend(1);
	number = weft__raw(SYS_socket, c->arg[0], c->arg[1], c->arg[2]);
	if (number >= 0)
		weft__fd_new_socket(number, (c->arg[1] & SOCK_NONBLOCK) != 0, NULL);
	return number;
}

long on_setsockopt(struct weft__call *c)
{
	struct weft__fd *fd = weft__fd_peek((int)c->arg[0]);

	if (c->arg[1] == SOL_SOCKET) {
		switch (c->arg[2]) {
		case SO_RCVTIMEO_OLD:
		case SO_RCVTIMEO_NEW:
		case SO_SNDTIMEO_OLD:
		case SO_SNDTIMEO_NEW:
			weft__fd_timeouts_changed();
			break;
		case SO_RCVLOWAT:
			if (fd != NULL)
				fd->lowat = true;
			break;
		default:
			break;
		}
	}
	/* A layer such as TLS hands out records: a short read then says nothing. */
	if (c->arg[1] == IPPROTO_TCP && c->arg[2] == TCP_ULP && fd != NULL)
		fd->stream = false;
	return WEFT__PASS;
}
