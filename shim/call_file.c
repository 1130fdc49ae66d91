/*
 * Reads and writes of files, as fast as the page cache where it has what is asked for.
 *
 * Each is tried with RWF_NOWAIT (preadv2(2)); what that does not do, all or the rest, is done by an
 * offload thread. File systems that do not take the flag (ext4, for writes) have all done there:
 * they may wait for the journal. O_DIRECT and O_SYNC wait for the disk in spite of the flag.
 *
 * preadv2(2) costs more than pread(2), a tenth of a read of 4 KB. Where many reads in a row have been
 * in the cache, cachestat(2) tells for the whole neighbourhood, and the next ones go to the kernel as
 * they are: for the milliseconds in which nothing of it will be dropped.
 *
 * The kernel lets one call at a time use the position of an open file, and holds a lock while it
 * does. The carrier must not run into that lock while an offload thread has it, and a read of which
 * the cache had a part must not be parted by another. So while a call that moves a position is with
 * the offload threads, all others on the same inode go there as well, in their order.
 */
#include "file.h"

#include <errno.h>
#include <linux/magic.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/vfs.h>

#include "blocking.h"
#include "denied.h"
#include "descriptor.h"
#include "handlers.h"
#include "memory.h"
#include "offload.h"
#include "send.h"
#include "shim.h"

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif

#define MQUEUE_MAGIC 0x19800202 /* the kernel's ipc/mqueue.c */
#define PAGE 4096
#define CURRENT (-1L) /* the position of the open file */

#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

/* A neighbourhood, how many hits make it worth a question, how many reads the answer is good for. */
#define REGION ((uint64_t)256 * 1024)
#define HITS 16
#define AHEAD ((uint64_t)1024 * 1024) /* more than the kernel reads ahead */
#define SURE 255

/* For how long: as many looks at the loop, some milliseconds, and no idle wait. */
#define YOUNG (WEFT__IDLE_AGE - 1)

#define DEVICES 16 /* whose file systems are remembered */

/* Those have more to do with who calls, or with readiness, than with a disk. */
static bool is_no_file(long type)
{
	return type == PROC_SUPER_MAGIC || type == SECURITYFS_MAGIC || type == SELINUX_MAGIC ||
	       type == SMACK_MAGIC || type == MQUEUE_MAGIC;
}

static bool is_in_memory(long type)
{
	return type == TMPFS_MAGIC || type == RAMFS_MAGIC || type == HUGETLBFS_MAGIC;
}

static enum weft__kind kind_of(long type)
{
	if (is_in_memory(type))
		return WEFT__MEMORY;
	return is_no_file(type) ? WEFT__OTHER : WEFT__FILE;
}

static struct {
	uint64_t device;
	enum weft__kind kind; /* WEFT__UNKNOWN: the place is free */
} known[DEVICES];

static enum weft__kind remember(uint64_t device, enum weft__kind kind)
{
	static unsigned int next;

	known[next].device = device;
	known[next].kind = kind;
	next = (next + 1) % DEVICES;
	return kind;
}

/* The one that every program has and nobody waits for. */
static void remember_proc(void)
{
	struct statfs system;
	struct stat status;

	if (weft__raw(SYS_stat, "/proc", &status) == 0 &&
	    weft__raw(SYS_statfs, "/proc", &system) == 0 && system.f_type == PROC_SUPER_MAGIC)
		remember(status.st_dev, kind_of(system.f_type));
}

/* fstatfs(2) may ask a server, hence the offload thread: once for each device. */
static enum weft__kind ask_kind(long number)
{
	struct statfs system;
	struct weft__call c = {.nr = SYS_fstatfs, .arg = {number, (long)&system}};

	return weft__offloaded(&c) == 0 ? kind_of(system.f_type) : WEFT__FILE;
}

enum weft__kind weft__file_kind(long number, uint64_t device)
{
	if (major(device) != 0)
		return WEFT__FILE; /* on a disk */
	if (weft__denied[SYS_statfs] || weft__denied[SYS_fstatfs] || weft__denied[SYS_stat])
		return WEFT__FILE;
	if (known[0].kind == WEFT__UNKNOWN)
		remember_proc();
	for (unsigned int i = 0; i < DEVICES; i++)
		if (known[i].kind != WEFT__UNKNOWN && known[i].device == device)
			return known[i].kind;
	return remember(device, ask_kind(number));
}

/* What a call is to move, and what of that is still to be moved. */
struct transfer {
	bool writes;
	struct iovec one;  /* of a call without a vector */
	struct iovec *iov; /* the program's, or &one */
	long n;
	long position;  /* or CURRENT */
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
		io->position = CURRENT;
		break;
	case SYS_preadv2:
	case SYS_pwritev2:
		io->flags = (int)c->arg[5];
		break;
	default:
		at_position = false;
		break;
	}
	if (at_position && io->position == CURRENT)
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

	if (io->position != CURRENT)
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

/*
 * Whether the page cache has a range of a file, as far as the file goes: 0, -EAGAIN, or another error
 * when that cannot be told (before Linux 6.5, or of a file that is not the caller's).
 */
static long look_cached(long number, uint64_t start, uint64_t bytes)
{
	struct {
		uint64_t start, bytes;
	} range = {start, bytes};
	struct {
		uint64_t cached, dirty, writeback, evicted, recently_evicted;
	} now;
	struct stat status;
	long err;

	if (weft__denied[SYS_cachestat])
		return -ENOSYS;
	err = weft__raw(SYS_fstat, number, &status);
	if (err != 0 || (uint64_t)status.st_size <= start)
		return err;
	if (start + bytes > (uint64_t)status.st_size)
		bytes = range.bytes = (uint64_t)status.st_size - start;
	err = weft__raw(SYS_cachestat, number, &range, &now, 0);
	if (err != 0)
		return err;
	return now.cached >= (start + bytes + PAGE - 1) / PAGE - start / PAGE ? 0 : -EAGAIN;
}

/*
 * Whether a transfer that came out short has come to its end. What is not cached begins with a page.
 */
static bool is_at_end(const struct transfer *io, long n)
{
	return n <= 0 || n >= io->bytes ||
	       (io->position != CURRENT && (io->position + n) % PAGE != 0);
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
		if (io->position != CURRENT)
			rest.position += n;
		more = try_cached(c, &rest);
	}
	if (more == -EAGAIN) {
		c->fd->cached.cold = true;
		return offload_rest(c, io, n);
	}
	if (more <= 0)
		return n;
	n += more;
	return n < io->bytes ? offload_rest(c, io, n) : n;
}

/*
 * Whether a read would make the carrier submit requests to a disk, for which it may have to wait, in
 * spite of RWF_NOWAIT: it does to read ahead. Asked after a miss, until all is there that is ahead.
 */
static bool is_cold(const struct weft__call *c, const struct transfer *io)
{
	struct weft__cached *cached = &c->fd->cached;
	long place = io->position;

	if (io->writes || !cached->cold)
		return false;
	if (place == CURRENT)
		place = weft__raw(SYS_lseek, c->arg[0], 0, SEEK_CUR);
	cached->cold = place >= 0 && look_cached(c->arg[0], (uint64_t)place,
						 (uint64_t)io->bytes + AHEAD) == -EAGAIN;
	return cached->cold;
}

static bool may_try(const struct weft__call *c, const struct transfer *io)
{
	int way = io->writes ? POLLOUT : POLLIN;

	return c->fd->kind == WEFT__FILE && io->bytes <= WEFT__MUCH &&
	       (c->fd->no_nowait & way) == 0 &&
	       !weft__denied[io->writes ? SYS_pwritev2 : SYS_preadv2] &&
	       !weft__fd_synchronous(c->fd, (int)c->arg[0], way) && !is_cold(c, io);
}

/* Where a read is, as far as that is known; CURRENT: it is not. */
static long place_of(const struct weft__cached *cached, const struct transfer *io)
{
	if (io->position != CURRENT)
		return io->position;
	return cached->placed ? (long)cached->position : CURRENT;
}

/* Whether what is to be read is known to be in the cache. */
static bool is_sure(struct weft__cached *cached, const struct transfer *io)
{
	long place = place_of(cached, io);

	if (cached->left == 0 || io->writes || place < 0 ||
	    (uint64_t)place / REGION != cached->region ||
	    (uint64_t)(place + io->bytes - 1) / REGION != cached->region ||
	    weft__current->carrier->age - cached->age > YOUNG)
		return false;
	cached->left--;
	return true;
}

/* A read at a place has been in the cache. After many it is worth asking for the neighbourhood. */
static void note_hit(const struct weft__call *c, long place)
{
	struct weft__cached *cached = &c->fd->cached;
	uint32_t region = (uint32_t)((uint64_t)place / REGION), age = weft__current->carrier->age;

	if (region != cached->region || age - cached->age > YOUNG) {
		cached->region = region;
		cached->age = age;
		cached->hits = cached->left = 0;
	}
	if (++cached->hits < HITS)
		return;
	cached->hits = 0;
	if (look_cached(c->arg[0], region * REGION, REGION) == 0) {
		cached->age = age;
		cached->hits = HITS - 1;
		cached->left = SURE;
	}
}

/* A read has moved the position by n; where it was is asked for once. */
static void move_on(const struct weft__call *c, const struct transfer *io, long n)
{
	struct weft__cached *cached = &c->fd->cached;
	long position;

	if (io->order == 0 || n < 0)
		return;
	if (cached->placed) {
		cached->position += (uint64_t)n;
		return;
	}
	position = weft__raw(SYS_lseek, c->arg[0], 0, SEEK_CUR);
	cached->placed = position >= 0;
	cached->position = (uint64_t)position;
}

/* What the cache has been asked for is there, and what comes next may be. */
static void note_read(const struct weft__call *c, const struct transfer *io, long n)
{
	long place;

	if (c->fd->kind != WEFT__FILE)
		return; /* its number was closed meanwhile */
	if (io->writes) {
		c->fd->cached.placed = false;
		return;
	}
	place = place_of(&c->fd->cached, io);
	move_on(c, io, n);
	if (place >= 0)
		note_hit(c, place);
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
		c->fd->cached.cold = true;
		return offload_rest(c, io, 0);
	}
	if (!is_at_end(io, n))
		return complete(c, io, n);
	if (n > 0) {
		note_read(c, io, n);
		weft__spend((unsigned int)(n / PAGE)); /* copied in 0.1 us a page */
	}
	return n;
}

static long read_now(struct weft__call *c, const struct transfer *io)
{
	long n = weft__raw(c->nr, c->arg[0], c->arg[1], c->arg[2], c->arg[3], c->arg[4], c->arg[5]);

	move_on(c, io, n);
	if (n > 0)
		weft__spend((unsigned int)(n / PAGE));
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
		weft__spend((unsigned int)(io.bytes / PAGE));
		return WEFT__PASS;
	}
	if (c->fd->kind == WEFT__FILE && is_sure(&c->fd->cached, &io))
		return read_now(c, &io);
	return transfer(c, &io);
}

static long on_positioned(struct weft__call *c, weft__handler *at_position)
{
	struct weft__fd *fd = weft__fd_claim(c);
	bool current = at_position != NULL && c->arg[3] == CURRENT;

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

/* Whoever changes the position while a call is with the offload threads comes after it. */
long on_lseek(struct weft__call *c)
{
	struct weft__fd *fd = weft__fd_peek((int)c->arg[0]);
	long position;

	if (fd == NULL || (fd->kind != WEFT__FILE && fd->kind != WEFT__MEMORY))
		return WEFT__PASS;
	position = weft__offload_in_order(fd->order)
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
