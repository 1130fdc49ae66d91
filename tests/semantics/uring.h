/* io_uring without a library: one entry at a time, by raw system calls, for guests. */
#ifndef URING_H
#define URING_H

#include "guest.h"

#include <linux/io_uring.h>
#include <sys/mman.h>

struct uring {
	int fd;
	char *rings;
	struct io_uring_sqe *entries;
	struct io_uring_params params;
};

/* Whether the kernel lets us have a ring. */
static inline bool uring_open(struct uring *ring)
{
	size_t bytes;

	memset(ring, 0, sizeof(*ring));
	ring->fd = (int)syscall(SYS_io_uring_setup, 4, &ring->params);
	if (ring->fd < 0)
		return false;
	check(ring->params.features & IORING_FEAT_SINGLE_MMAP);
	bytes = ring->params.cq_off.cqes + ring->params.cq_entries * sizeof(struct io_uring_cqe);
	ring->rings =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, IORING_OFF_SQ_RING);
	ring->entries = mmap(NULL, 4 * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE,
			     MAP_SHARED, ring->fd, IORING_OFF_SQES);
	check(ring->rings != MAP_FAILED && ring->entries != MAP_FAILED);
	return true;
}

static inline void uring_close(struct uring *ring)
{
	munmap(ring->rings,
	       ring->params.cq_off.cqes + ring->params.cq_entries * sizeof(struct io_uring_cqe));
	munmap(ring->entries, 4 * sizeof(struct io_uring_sqe));
	close(ring->fd);
}

static inline unsigned *uring_word(struct uring *ring, unsigned offset)
{
	return (unsigned *)(ring->rings + offset);
}

/* Put an entry where the next submission takes it. */
static inline void uring_put(struct uring *ring, struct io_uring_sqe entry)
{
	unsigned *tail = uring_word(ring, ring->params.sq_off.tail);
	unsigned at = *tail & *uring_word(ring, ring->params.sq_off.ring_mask);

	ring->entries[at] = entry;
	uring_word(ring, ring->params.sq_off.array)[at] = at;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
}

/* Take the next completion, whose result is set; whether there is one. */
static inline bool uring_take(struct uring *ring, int *ret_result)
{
	unsigned *head = uring_word(ring, ring->params.cq_off.head);
	unsigned tail =
		__atomic_load_n(uring_word(ring, ring->params.cq_off.tail), __ATOMIC_ACQUIRE);
	struct io_uring_cqe *all = (void *)(ring->rings + ring->params.cq_off.cqes);

	if (*head == tail)
		return false;
	*ret_result = all[*head & *uring_word(ring, ring->params.cq_off.ring_mask)].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return true;
}

static inline long uring_enter(struct uring *ring, unsigned submit, unsigned wait, unsigned flags)
{
	return syscall(SYS_io_uring_enter, ring->fd, submit, wait, flags, NULL, 0);
}

/* The result of one operation, waited for in the call that submits it. */
static inline int uring_do(struct uring *ring, struct io_uring_sqe entry)
{
	int result;

	uring_put(ring, entry);
	check(uring_enter(ring, 1, 1, IORING_ENTER_GETEVENTS) == 1);
	check(uring_take(ring, &result));
	return result;
}

#endif
