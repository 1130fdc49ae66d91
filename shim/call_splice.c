/*
 * sendfile(2), splice(2) and their kin, between descriptors that wait in different ways.
 *
 * An end that is a pipe or a socket is waited for until it is ready, as anywhere. What then still
 * waits is a disk, at an end that is a file: an offload thread makes the call. sendfile from a file
 * whose bytes the page cache has is the carrier's.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "blocking.h"
#include "descriptor.h"
#include "handlers.h"
#include "page_cache.h"
#include "shim.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

#define PAGE ((long)WEFT__PAGE)
#define MOST_AT_ONCE (1024 * PAGE) /* of a file, brought into the cache before it is sent */

static bool is_file(const struct weft__fd *fd)
{
	return fd->kind == WEFT__FILE || fd->kind == WEFT__MEMORY;
}

/* Another of a call's descriptors, claimed, to be waited for like its first. */
static struct weft__call end_of(const struct weft__call *c, long number)
{
	struct weft__call end = *c;

	end.arg[0] = number;
	weft__fd_claim(&end);
	return end;
}

/* Have an offload thread bring a range into the page cache. Best effort. */
static void fetch(long number, uint64_t from, uint64_t bytes)
{
	long start = weft__raw(SYS_mmap, NULL, bytes, PROT_READ, MAP_SHARED, number, from);
	struct weft__call c = {.nr = SYS_madvise, .arg = {start, (long)bytes, MADV_POPULATE_READ}};

	if (weft__failed(start))
		return;
	weft__offloaded(&c);
	weft__raw(SYS_munmap, start, bytes);
}

/*
 * Whether a range is in the page cache; 0, -EAGAIN or another error. Of a file that is another user's,
 * or where cachestat(2) is not, only the beginning is looked at, and the range becomes that.
 */
static long look(long number, struct weft__range *range)
{
	long err = weft__cache_look(number, *range);

	return err == -EPERM || err == -ENOSYS ? weft__cache_probe(number, range) : err;
}

/*
 * Have what a sendfile is about to take in the page cache; how much of it may be sent, or less than
 * 0 when that cannot be said.
 */
static long have_cached(long number, long position, long bytes)
{
	long before = position % PAGE, ready, err;
	struct weft__range whole = {(uint64_t)(position - before), 0}, range;

	if (bytes > MOST_AT_ONCE)
		bytes = MOST_AT_ONCE;
	whole.bytes = (uint64_t)((before + bytes + PAGE - 1) & -PAGE);
	range = whole;
	err = look(number, &range);
	if (err == -EAGAIN) {
		fetch(number, whole.start, whole.bytes);
		range = whole;
		err = look(number, &range);
	}
	if (err != 0)
		return err;
	ready = (long)range.bytes - before;
	return ready <= 0 || bytes < ready ? bytes : ready; /* behind the end there is nothing */
}

/* Where a sendfile reads next: *arg[2], or the file's own position. */
static long position_of(const struct weft__call *c)
{
	long position;

	if (c->arg[2] == 0)
		return weft__raw(SYS_lseek, c->arg[1], 0, SEEK_CUR);
	return weft__copy(&position, (void *)c->arg[2], sizeof(position)) != 0 ? -EFAULT : position;
}

/* How much of the file the carrier may send; less than 0: an offload thread does. */
static long sendable(const struct weft__call *c)
{
	struct weft__call in = end_of(c, c->arg[1]);
	long position;

	if (in.fd == NULL || in.fd->kind != WEFT__FILE)
		return c->arg[3];
	if (weft__fd_synchronous(in.fd, in.arg[0], POLLIN))
		return -EINVAL; /* no cache is asked */
	position = position_of(c);
	return position < 0 ? c->arg[3] : have_cached(in.arg[0], position, c->arg[3]);
}

/* What others may share is filled a page at a time: as much has room when it is ready. */
static long send_when_ready(struct weft__call *c, long bytes)
{
	long result = weft__fd_park_ready(c, POLLOUT);

	if (result != 0)
		return result;
	return weft__raw(SYS_sendfile, c->arg[0], c->arg[1], c->arg[2],
			 bytes < PIPE_BUF ? bytes : PIPE_BUF);
}

/* Some of what is left, as much as is cached and the other side takes now. */
static long send_some(struct weft__call *c)
{
	long bytes = sendable(c), most = c->arg[3], result;

	if (bytes < 0)
		return weft__fd_nonblock(c->fd, (int)c->arg[0]) ? weft__offloaded(c)
								: weft__blocking(c, NULL);
	if (weft__fd_nonblock(c->fd, (int)c->arg[0]))
		return weft__raw(SYS_sendfile, c->arg[0], c->arg[1], c->arg[2], bytes);
	if (c->fd->kind != WEFT__SOCKET || !weft__fd_private(c->fd))
		return send_when_ready(c, bytes);
	c->arg[3] = bytes;
	result = weft__fd_call_nonblock(c);
	c->arg[3] = most;
	return result;
}

static bool is_unwritten(const struct weft__call *c)
{
	long flags;

	if (c->fd->kind == WEFT__SOCKET)
		return false;
	flags = weft__raw(SYS_fcntl, c->arg[0], F_GETFL);
	return c->fd->unwritten || (flags & O_ACCMODE) == O_RDONLY;
}

long on_sendfile(struct weft__call *c)
{
	struct weft__fd *fd = weft__fd_claim(c);
	long done = 0, wanted = c->arg[3], result;
	uint64_t deadline_ns = 0;

	if (fd == NULL || wanted <= 0)
		return WEFT__PASS;
	if (is_file(fd))
		return weft__offloaded(c);
	if (is_unwritten(c))
		return WEFT__PASS; /* it fails */
	do {
		c->arg[3] = wanted - done;
		result = send_some(c);
		if (result > 0)
			done += result;
		else if (result == -EAGAIN)
			result = weft__fd_park(c, POLLOUT, &deadline_ns);
		else if (result == 0)
			break;
	} while (result >= 0 && done < wanted);
	c->arg[3] = wanted;
	return done > 0 ? done : result;
}

/* Wait for an end of a splice; 0, or how the call ends. A file is always ready. */
static long await_end(struct weft__call *end, int events)
{
	long result = is_file(end->fd) ? 0 : weft__fd_park_ready(end, events);

	return result == WEFT__PASS ? 0 : result;
}

/* One of the splices, whose ends are ready: not to wait in the carrier for anything. */
static long splice_ready(struct weft__call *c, const struct weft__call *in, struct weft__call *out,
			 int flags_arg)
{
	struct weft__call now = *c;

	now.arg[flags_arg] |= SPLICE_F_NONBLOCK;
	if (is_file(in->fd) || is_file(out->fd))
		return weft__offloaded(&now);
	/* A socket heeds O_NONBLOCK alone: as much as has room is sent when it is ready. */
	if (out->fd->kind != WEFT__PIPE && !weft__fd_nonblock(out->fd, (int)out->arg[0]) &&
	    now.arg[4] > PIPE_BUF)
		now.arg[4] = PIPE_BUF;
	return weft__raw6(now.nr, now.arg[0], now.arg[1], now.arg[2], now.arg[3], now.arg[4],
			  now.arg[5]);
}

/* Whether the try of a splice may wait: into a socket that has no room. A listener never has any. */
static bool may_wait(const struct weft__call *out)
{
	struct pollfd poll_fd = {.fd = (int)out->arg[0], .events = POLLOUT};

	return out->fd->kind == WEFT__SOCKET && !weft__fd_nonblock(out->fd, (int)out->arg[0]) &&
	       weft__poll_now(&poll_fd, 1) == 0 &&
	       weft__socket_option(out->arg[0], SO_ACCEPTCONN) == 0;
}

/* splice(2) and tee(2): something of it is done, or nothing without waiting. */
static long splice_between(struct weft__call *c, long in_number, long out_number, int flags_arg)
{
	struct weft__call in = end_of(c, in_number), out = end_of(c, out_number);
	bool waits = (c->arg[flags_arg] & SPLICE_F_NONBLOCK) == 0;
	long result;

	if (in.fd == NULL || out.fd == NULL)
		return WEFT__PASS;
	for (int waited = 0; waited < 2; waited++) {
		result = -EAGAIN;
		if (!waits || !may_wait(&out))
			result = splice_ready(c, &in, &out, flags_arg);
		if (result != -EAGAIN || !waits)
			return result;
		result = await_end(&in, POLLIN);
		if (result == 0)
			result = await_end(&out, POLLOUT);
		if (result != 0)
			return result;
	}
	result = splice_ready(c, &in, &out, flags_arg);
	return result == -EAGAIN ? weft__blocking(c, NULL)
				 : result; /* ready for others' purposes */
}

/* Into a socket all is spliced that the pipe has, in the pieces of splice_ready(). */
long on_splice(struct weft__call *c)
{
	const long wanted = c->arg[4], flags = c->arg[5];
	long done = 0, result;

	if (wanted <= 0 || (int)c->arg[0] < 0 || (int)c->arg[2] < 0)
		return WEFT__PASS;
	do {
		c->arg[4] = wanted - done;
		result = splice_between(c, c->arg[0], c->arg[2], 5);
		if (result > 0)
			done += result;
		if (done > 0)
			c->arg[5] |= SPLICE_F_NONBLOCK;
	} while (result == PIPE_BUF && done < wanted);
	c->arg[4] = wanted;
	c->arg[5] = flags;
	return done > 0 ? done : result;
}

long on_tee(struct weft__call *c)
{
	return splice_between(c, c->arg[0], c->arg[1], 3);
}

/* To or from memory; the pipe's end says which. */
long on_vmsplice(struct weft__call *c)
{
	struct weft__fd *fd = weft__fd_claim(c);
	long flags = c->arg[3], result;
	int events;

	if (fd == NULL || fd->kind != WEFT__PIPE || (flags & SPLICE_F_NONBLOCK) != 0)
		return WEFT__PASS;
	result = weft__raw(SYS_fcntl, c->arg[0], F_GETFL);
	events = result >= 0 && (result & O_ACCMODE) == O_RDONLY ? POLLIN : POLLOUT;
	do {
		result = weft__fd_park_ready(c, events);
		if (result == 0)
			result = weft__raw(SYS_vmsplice, c->arg[0], c->arg[1], c->arg[2],
					   flags | SPLICE_F_NONBLOCK);
	} while (result == -EAGAIN && !weft__fd_nonblock(c->fd, (int)c->arg[0]));
	return result;
}
