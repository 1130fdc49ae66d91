/*
 * See accept_ring.h.
 *
 * A ring of one entry, which whoever holds the crew's lock uses alone. What it is asked is answered
 * while it is asked: with IORING_ACCEPT_DONTWAIT nothing is left for later. So the entry is always
 * the same, and each call of io_uring_enter(2) finds its answer behind the one before.
 */
#include "accept_ring.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <sys/mman.h>

#include "crew.h"
#include "denied.h"
#include "descriptor.h"
#include "raw.h"

/* Younger than the headers of Debian 12. */
#define SETUP_SINGLE_ISSUER (1U << 12)
#define SETUP_NO_SQARRAY (1U << 16)
#define ACCEPT_DONTWAIT (1U << 1)

static struct {
	long number;  /* its descriptor; valid once there are entries */
	bool useless; /* it cannot be made, or does not know what it is asked for */
	struct io_uring_sqe *entries;
	struct io_uring_cqe *answers;
	uint32_t *asked; /* the tail of the one, and the head of the other */
	uint32_t *heard;
	const uint32_t *answered; /* the tail */
	uint32_t answers_mask;
} ring;

static long map(long number, size_t bytes, uint64_t offset)
{
	return weft__raw(SYS_mmap, NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			 number, offset);
}

static bool map_parts(long number, const struct io_uring_params *params)
{
	size_t bytes = params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe);
	size_t entries_bytes = params->sq_entries * sizeof(struct io_uring_sqe);
	long base = map(number, bytes, IORING_OFF_SQ_RING), entries;

	if (weft__failed(base))
		return false;
	entries = map(number, entries_bytes, IORING_OFF_SQES);
	if (weft__failed(entries)) {
		weft__raw(SYS_munmap, base, bytes);
		return false;
	}
	/* A child makes its own. */
	weft__raw(SYS_madvise, base, bytes, MADV_DONTFORK);
	weft__raw(SYS_madvise, entries, entries_bytes, MADV_DONTFORK);
	ring.entries = (struct io_uring_sqe *)entries;
	ring.asked = (uint32_t *)(base + params->sq_off.tail);
	ring.heard = (uint32_t *)(base + params->cq_off.head);
	ring.answered = (uint32_t *)(base + params->cq_off.tail);
	ring.answers = (struct io_uring_cqe *)(base + params->cq_off.cqes);
	ring.answers_mask = *(uint32_t *)(base + params->cq_off.ring_mask);
	return true;
}

static bool make_ring(void)
{
	struct io_uring_params params = {.flags = SETUP_NO_SQARRAY |
						  (weft__parallel ? 0 : SETUP_SINGLE_ISSUER)};
	long number;

	if (weft__denied[SYS_io_uring_setup] || weft__denied[SYS_mmap])
		return false;
	number = weft__raw(SYS_io_uring_setup, 1, &params);
	if (number < 0)
		return false;
	ring.number = weft__fd_hide((int)number);
	if (ring.number < 0) {
		weft__raw(SYS_close, number);
		return false;
	}
	/* If not, the number stays weft's. */
	return (params.features & IORING_FEAT_SINGLE_MMAP) != 0 && map_parts(ring.number, &params);
}

long weft__accept_now(long listener, long address, long address_bytes, long flags)
{
	uint32_t asked = *ring.asked, heard = *ring.heard;
	long result;

	ring.entries[0] = (struct io_uring_sqe){.opcode = IORING_OP_ACCEPT,
						.ioprio = ACCEPT_DONTWAIT,
						.fd = (int)listener,
						.addr = (uint64_t)address,
						.addr2 = (uint64_t)address_bytes,
						.accept_flags = (uint32_t)flags};
	__atomic_store_n(ring.asked, asked + 1, __ATOMIC_RELEASE);
	result = weft__raw(SYS_io_uring_enter, ring.number, 1, 0, 0, NULL, 0);
	if (result != 1 || __atomic_load_n(ring.answered, __ATOMIC_ACQUIRE) == heard) {
		ring.useless = true;
		return -ENOSYS;
	}
	result = ring.answers[heard & ring.answers_mask].res;
	__atomic_store_n(ring.heard, heard + 1, __ATOMIC_RELEASE);
	return result;
}

/* A kernel that does not know the flag says so before it looks at what is no listener. */
static bool knows_flag(void)
{
	return weft__accept_now(ring.number, 0, 0, 0) == -ENOTSOCK;
}

bool weft__accept_ring(void)
{
	if (weft__denied[SYS_io_uring_enter] || ring.useless)
		return false;
	if (ring.entries == NULL)
		ring.useless = !make_ring() || !knows_flag();
	return !ring.useless;
}

void weft__accept_ring_forget(void)
{
	ring.entries = NULL;
	ring.useless = false;
}
