/* Calls that change what a descriptor is, or end it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <weft/monkey.h>

#include "blocking.h"
#include "denied.h"
#include "descriptor.h"
#include "families.h"
#include "file.h"
#include "handlers.h"
#include "offload.h"
#include "shim.h"

static bool sockets_linger; /* any of them: SO_LINGER has been set */

/* SO_LINGER waits for what is left to be sent (socket(7)). */
static bool lingers(long number)
{
	struct linger linger = {0, 0};
	socklen_t bytes = sizeof(linger);

	return weft__raw(SYS_getsockopt, number, SOL_SOCKET, SO_LINGER, &linger, &bytes) == 0 &&
	       linger.l_onoff != 0 && linger.l_linger > 0;
}

/* Whether the end of a descriptor may take long: a file that is gone with it, or is far away. */
static bool close_waits(long number)
{
	const struct weft__fd *fd = weft__fd_peek(number);
	struct stat status;

	if (fd == NULL)
		return false;
	if (fd->kind == WEFT__SOCKET)
		return sockets_linger && lingers(number);
	if (fd->kind != WEFT__FILE)
		return false;
	return weft__paths_wait || (weft__raw(SYS_fstat, number, &status) == 0 &&
				    status.st_nlink == 0 && status.st_blocks >= WEFT__BIG_BLOCKS);
}

/*
 * The program does not know of weft's own descriptors: to it they are not open. What libuv closes
 * while a loop is made, numbers from before a fork, is not there any more.
 */
long on_close(struct weft__call *c)
{
	unsigned int number = (unsigned int)c->arg[0];
	bool waits;

	if (weft__fd_is_own(number) || weft__waking)
		return -EBADF;
	waits = close_waits((int)number);
	weft__fd_give_up(number);
	return waits ? weft__offloaded(c) : WEFT__PASS;
}

static long replace(struct weft__call *c)
{
	long from = (int)c->arg[0], to = (int)c->arg[1];

	if (weft__fd_is_own(from) || weft__fd_is_own(to))
		return -EBADF;
	/* With a bad first descriptor the second one stays open. */
	if (from != to && (weft__denied[SYS_fcntl] || weft__raw(SYS_fcntl, from, F_GETFD) >= 0))
		weft__fd_give_up(to);
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

/* A table of its own would be that of one carrier: all tasks share theirs, as with unshare(2). */
static long flags_for_all(long flags)
{
	return weft__parallel ? flags & ~(long)CLOSE_RANGE_UNSHARE : flags;
}

/* Close a range that has weft's own descriptors in it piece by piece, around them. */
static long close_around_own(const struct weft__call *c)
{
	unsigned int first = (unsigned int)c->arg[0], last = (unsigned int)c->arg[1];
	long own, err, flags = flags_for_all(c->arg[2]);

	if (first > last || (flags & CLOSE_RANGE_CLOEXEC) != 0)
		return weft__raw(SYS_close_range, first, last, flags);
	while ((own = weft__fd_next_own(first)) >= 0 && own <= last) {
		if (own > first) {
			weft__fd_give_up_range(first, (unsigned int)own - 1);
			err = weft__raw(SYS_close_range, first, own - 1, flags);
			if (err != 0)
				return err;
		}
		first = (unsigned int)own + 1;
	}
	if (first > last)
		return 0;
	weft__fd_give_up_range(first, last);
	return weft__raw(SYS_close_range, first, last, flags);
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
		return weft__has_family(WEFT_FILE) ? weft__blocking(c, try_record_lock)
						   : weft__blocks(c);
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

static bool is_tcp(long domain, long type, long protocol)
{
	return (domain == AF_INET || domain == AF_INET6) && type == SOCK_STREAM &&
	       (protocol == 0 || protocol == IPPROTO_TCP);
}

long on_socket(struct weft__call *c)
{
	long domain = c->arg[0], type = c->arg[1], protocol = c->arg[2], number;

	weft__spend(1);
	number = weft__raw(SYS_socket, domain, type, protocol);
	if (number >= 0)
		weft__fd_new_socket(
			number, (type & SOCK_NONBLOCK) != 0,
			is_tcp(domain, type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC), protocol), NULL);
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
		case SO_LINGER:
			sockets_linger = true;
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
