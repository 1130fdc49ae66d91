/*
 * Reads and writes of files, as fast as the page cache where it has what is asked for.
 *
 * Each is tried with RWF_NOWAIT (preadv2(2)); what that does not do, all or the rest, is done by an
 * offload thread. File systems that do not take the flag (ext4, for writes) have all done there:
 * they may wait for the journal. O_DIRECT and O_SYNC wait for the disk in spite of the flag.
 *
 * What is surely there goes to the kernel as it is (page_cache.h).
 *
 * The kernel lets one call at a time use the position of an open file, and holds a lock while it
 * does. The carrier must not run into that lock while an offload thread has it, and a read of which
 * the cache had a part must not be parted by another. So while a call that moves a position is with
 * the offload threads, all others on the same inode go there as well, in their order.
 */
#include "file.h"

#include <errno.h>
#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "blocking.h"
#include "denied.h"
#include "descriptor.h"
#include "handlers.h"
#include "memory.h"
#include "offload.h"
#include "page_cache.h"
#include "send.h"
#include "shim.h"

/* What a call is to move, and what of that is still to be moved. */
struct transfer {
	bool writes;
	struct iovec one;  /* of a call without a vector */
	struct iovec *iov; /* the program's, or &one */
	long n;
	long position;  /* or WEFT__CURRENT */
	long flags;     /* of preadv2(2) and pwritev2(2) */
	long bytes;     /* in all; or a negative error */
	uint32_t order; /* of the file when the position is moved, else 0 */
};

static void describe(struct transfer *io, const struct weft__call *c)
{
	bool at_position = true;

	*io = (struct transfer){
		.iov = (struct iovec *)c->arg[1], .n = c->arg[2], .position = c->arg[3]};
	switch (c->nr) {
	case SYS_write:
	case SYS_writev:
	case SYS_pwrite64:
	case SYS_pwritev:
	case SYS_pwritev2:
		io->writes = true;
		break;
	default:
		break;
	}
	switch (c->nr) {
	case SYS_read:
	case SYS_write:
	case SYS_readv:
	case SYS_writev:
		io->position = WEFT__CURRENT;
		break;
	case SYS_preadv2:
	case SYS_pwritev2:
		io->flags = (int)c->arg[5];
		break;
	default:
		at_position = false;
		break;
	}
	if (at_position && io->position == WEFT__CURRENT)
		io->order = c->fd->order;
	switch (c->nr) {
	case SYS_read:
	case SYS_write:
	case SYS_pread64:
	case SYS_pwrite64:
		io->one = (struct iovec){(void *)c->arg[1], (size_t)c->arg[2]};
		io->iov = &io->one;
		io->n = 1;
		io->bytes = c->arg[2];
		break;
	default:
		io->bytes = io->n < 0 || io->n > IOV_MAX ? -EINVAL
							 : weft__iov_bytes(io->iov, (size_t)io->n);
		break;
	}
}

/* The rest of a call of which `done` bytes are moved; the vector is copied to `room`. */
static struct weft__call rest_of(const struct weft__call *c, const struct transfer *io, long done,
				 struct iovec *room)
{
	struct weft__call rest = *c;
	size_t step = (size_t)done;
	long first = 0;

	if (io->position != WEFT__CURRENT)
		rest.arg[3] += done;
	if (io->iov == &io->one) {
		rest.arg[1] += done;
		rest.arg[2] -= done;
		return rest;
	}
	if (weft__copy(room, io->iov, (size_t)io->n * sizeof(*room)) != 0) {
		rest.arg[2] = 0;
		return rest;
	}
	while (first < io->n && step >= room[first].iov_len)
		step -= room[first++].iov_len;
	if (first < io->n) {
		room[first].iov_base = (char *)room[first].iov_base + step;
		room[first].iov_len -= step;
	}
	rest.arg[1] = (long)&room[first];
	rest.arg[2] = io->n - first;
	return rest;
}

static long offload_rest(const struct weft__call *c, const struct transfer *io, long done)
{
	size_t room_bytes = io->iov == &io->one ? 0 : (size_t)io->n * sizeof(struct iovec);
	struct iovec *room = NULL;
	struct weft__call rest = *c;
	long result;

	if (done > 0) {
		if (room_bytes > 0 && (room = weft__alloc(room_bytes)) == NULL)
			return done;
		rest = rest_of(c, io, done, room);
	}
	result = weft__offloaded_in_order(&rest, io->order);
	if (c->fd->kind == WEFT__FILE && io->order != 0)
		c->fd->cached.placed = false;
	weft__free(room, room_bytes);
	if (done == 0)
		return result;
	return result > 0 ? done + result : done;
}

/* What the cache has of it; -EAGAIN when that is nothing, -EOPNOTSUPP when it cannot be said. */
static long try_cached(const struct weft__call *c, const struct transfer *io)
{
	return weft__raw(io->writes ? SYS_pwritev2 : SYS_preadv2, c->arg[0], io->iov, io->n,
			 io->position, 0, io->flags | RWF_NOWAIT);
}

/* Whether a transfer has come to its end, be it short. Of a read, the rest would begin with a page. */
static bool is_at_end(const struct transfer *io, long n)
{
	return n <= 0 || n >= io->bytes ||
	       (!io->writes && io->position != WEFT__CURRENT &&
		(io->position + n) % WEFT__PAGE != 0);
}

/* What the cache had of a read, and the rest. At the file's end there is none: looked for at once. */
static long complete(const struct weft__call *c, const struct transfer *io, long n)
{
	struct transfer rest = *io;
	long more = -EAGAIN;

	if (io->iov == &io->one) {
		rest.one.iov_base = (char *)io->one.iov_base + n;
		rest.one.iov_len -= (size_t)n;
		rest.iov = &rest.one;
		if (io->position != WEFT__CURRENT)
			rest.position += n;
		more = try_cached(c, &rest);
	}
	if (more == -EAGAIN) {
		c->fd->cached.cold |= !io->writes;
		return offload_rest(c, io, n);
	}
	if (more <= 0)
		return n;
	n += more;
	return n < io->bytes ? offload_rest(c, io, n) : n;
}

static bool may_try(const struct weft__call *c, const struct transfer *io)
{
	int way = io->writes ? POLLOUT : POLLIN;

	return c->fd->kind == WEFT__FILE && io->bytes <= WEFT__MUCH &&
	       (c->fd->no_nowait & way) == 0 &&
	       !weft__denied[io->writes ? SYS_pwritev2 : SYS_preadv2] &&
	       !weft__fd_synchronous(c->fd, (int)c->arg[0], way) &&
	       (io->writes ||
		!weft__cache_is_cold(&c->fd->cached, c->arg[0], io->position, io->bytes));
}

static long transfer(const struct weft__call *c, const struct transfer *io)
{
	long n;

	if (!may_try(c, io))
		return offload_rest(c, io, 0);
	n = try_cached(c, io);
	if (n == -EOPNOTSUPP || n == -ENOSYS || n == -EPERM) {
		c->fd->no_nowait |= io->writes ? POLLOUT : POLLIN;
		n = -EAGAIN;
	}
	if (n == -EAGAIN) {
		c->fd->cached.cold |= !io->writes;
		return offload_rest(c, io, 0);
	}
	if (!is_at_end(io, n))
		return complete(c, io, n);
	if (n > 0 && io->writes)
		c->fd->cached.placed = false;
	else if (n > 0)
		weft__cache_hit(&c->fd->cached, c->arg[0], io->position, n);
	if (n > 0)
		weft__spend((unsigned int)(n / WEFT__PAGE)); /* copied in 0.1 us a page */
	return n;
}

static long read_now(struct weft__call *c, const struct transfer *io)
{
	long n = weft__raw(c->nr, c->arg[0], c->arg[1], c->arg[2], c->arg[3], c->arg[4], c->arg[5]);

	if (io->position == WEFT__CURRENT)
		weft__cache_moved(&c->fd->cached, c->arg[0], n);
	if (n > 0)
		weft__spend((unsigned int)(n / WEFT__PAGE));
	return n;
}

long weft__file_io(struct weft__call *c)
{
	struct transfer io;

	describe(&io, c);
	if (io.bytes <= 0 || (io.position < 0 && io.order == 0) || (io.flags & RWF_NOWAIT) != 0)
		return WEFT__PASS; /* an error, or not to wait */
	if (io.order != 0 && weft__offload_in_order(io.order))
		return offload_rest(c, &io, 0);
	if (io.bytes <= WEFT__MUCH && c->fd->kind == WEFT__MEMORY) {
		weft__spend((unsigned int)(io.bytes / WEFT__PAGE));
		return WEFT__PASS;
	}
	if (c->fd->kind == WEFT__FILE && !io.writes &&
	    weft__cache_is_sure(&c->fd->cached, io.position, io.bytes))
		return read_now(c, &io);
	return transfer(c, &io);
}

static long on_positioned(struct weft__call *c, weft__handler *at_position)
{
	struct weft__fd *fd = weft__fd_claim(c);
	bool current = at_position != NULL && c->arg[3] == WEFT__CURRENT;

	if (fd == NULL)
		return WEFT__PASS;
	if (fd->kind == WEFT__FILE || fd->kind == WEFT__MEMORY)
		return weft__file_io(c);
	if (!current || (c->arg[5] & RWF_NOWAIT) != 0)
		return WEFT__PASS; /* no pipe or socket has a position */
	return c->arg[5] == 0 ? at_position(c) : weft__blocking(c, NULL);
}

long on_pread64(struct weft__call *c)
{
	return on_positioned(c, NULL);
}

long on_preadv2(struct weft__call *c)
{
	return on_positioned(c, on_readv);
}

long on_pwritev2(struct weft__call *c)
{
	return on_positioned(c, on_writev);
}

/*
 * Whoever changes the position while a call is with the offload threads comes after it. Data and holes
 * are looked for on the disk.
 */
long on_lseek(struct weft__call *c)
{
	struct weft__fd *fd = weft__fd_claim(c);
	bool looks = c->arg[2] == SEEK_DATA || c->arg[2] == SEEK_HOLE;
	long position;

	if (fd == NULL || (fd->kind != WEFT__FILE && fd->kind != WEFT__MEMORY))
		return WEFT__PASS;
	position = (looks && fd->kind == WEFT__FILE) || weft__offload_in_order(fd->order)
			   ? weft__offloaded_in_order(c, fd->order)
			   : weft__raw(SYS_lseek, c->arg[0], c->arg[1], c->arg[2]);
	if (position >= 0 && fd->kind == WEFT__FILE) {
		fd->cached.placed = true;
		fd->cached.position = (uint64_t)position;
	}
	return position;
}

long on_getdents64(struct weft__call *c)
{
	const struct weft__fd *fd = weft__fd_claim(c);

	return fd == NULL || fd->kind != WEFT__FILE ? WEFT__PASS
						    : weft__offloaded_in_order(c, fd->order);
}

/* A disk's work, from the beginning to the end. */
long on_offload(struct weft__call *c)
{
	return weft__offloaded(c);
}
