/*
 * Asynchronous input and output: waiting for completions of io_uring(7) and of io_submit(2).
 *
 * A ring has a descriptor that becomes readable with each completion. So what is to be submitted is,
 * then the completions are asked for with a timeout of nothing, and the task parks between such
 * questions. What cannot be asked so is an offload thread's: IORING_SETUP_IOPOLL, whose completions
 * nobody announces, and waits that count in two steps.
 *
 * The older interface has no descriptor: what has completed is taken at once, an offload thread
 * waits for the rest.
 */
#include <errno.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <string.h>

#include "blocking.h"
#include "descriptor.h"
#include "handlers.h"
#include "mask.h"
#include "shim.h"
#include "times.h"

/* Younger than the headers of Debian 12. */
#define ENTER_ABS_TIMER (1U << 5)
#define ENTER_EXT_ARG_REG (1U << 6)
#define REGISTER_RING_FDS 20
#define UNREGISTER_RING_FDS 21
#define REGISTER_SYNC_CANCEL 24
#define SETUP_COOP_TASKRUN (1U << 8)
#define SETUP_SINGLE_ISSUER (1U << 12)
#define SETUP_DEFER_TASKRUN (1U << 13)

/* How many rings a thread may register (IO_RINGFD_REG_MAX). */
#define REGISTERED 16

/* What io_uring_enter(2) is given with IORING_ENTER_EXT_ARG. */
struct wait_argument {
	uint64_t mask;
	uint32_t mask_bytes, min_wait_us;
	uint64_t timeout;
};

static long registered[REGISTERED]; /* the number of each ring, by the index it was given; -1 */

/*
 * IORING_SETUP_DEFER_TASKRUN would keep completions back until the ring's own thread asks for them,
 * and not even announce them; with IORING_SETUP_SINGLE_ISSUER no other thread may ask. They promise
 * speed to the kernel, nothing to the program: the ring is made without, and says that it has them.
 */
long on_io_uring_setup(struct weft__call *c)
{
	struct io_uring_params params;
	uint32_t flags;
	long number;

	/* From here on descriptors come and go that weft does not see. */
	weft__fd_unseen = true;
	if (weft__copy(&params, (void *)c->arg[1], sizeof(params)) != 0)
		return WEFT__PASS;
	flags = params.flags;
	if ((flags & (SETUP_SINGLE_ISSUER | SETUP_DEFER_TASKRUN)) == SETUP_DEFER_TASKRUN)
		return WEFT__PASS; /* not allowed */
	if ((flags & SETUP_DEFER_TASKRUN) != 0 && (flags & IORING_SETUP_SQPOLL) == 0)
		params.flags |= SETUP_COOP_TASKRUN;
	params.flags &= ~(SETUP_SINGLE_ISSUER | SETUP_DEFER_TASKRUN);
	number = weft__raw(SYS_io_uring_setup, c->arg[0], &params);
	if (number < 0)
		return number;
	weft__fd_new_ring(number, params.flags);
	params.flags = flags;
	weft__copy((void *)c->arg[1], &params, sizeof(params));
	return number;
}

static long number_of_ring(const struct weft__call *c)
{
	if ((c->arg[3] & IORING_ENTER_REGISTERED_RING) == 0)
		return (int)c->arg[0];
	return (unsigned long)c->arg[0] < REGISTERED ? registered[c->arg[0]] : -1;
}

/* Whether any thread may wait for a ring: not known of one that this process has not made. */
static bool is_open_to_all(const struct weft__fd *fd)
{
	return fd->kind == WEFT__RING;
}

/* Whether there are enough completions: 0, or -ETIME. */
static long look(const struct weft__call *c)
{
	struct timespec now = {0, 0};
	struct wait_argument argument = {.timeout = (uint64_t)&now};

	return weft__raw(SYS_io_uring_enter, c->arg[0], 0, c->arg[2],
			 IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG |
				 (c->arg[3] & IORING_ENTER_REGISTERED_RING),
			 &argument, sizeof(argument));
}

static long wait_elsewhere(const struct weft__call *c, const struct weft__fd *fd)
{
	struct weft__call wait = *c;

	wait.arg[1] = 0;
	if (is_open_to_all(fd) && (c->arg[3] & IORING_ENTER_REGISTERED_RING) == 0)
		return weft__blocking(&wait, NULL);
	weft__blocks(c);
	return weft__raw6(wait.nr, wait.arg[0], 0, wait.arg[2], wait.arg[3], wait.arg[4],
			  wait.arg[5]);
}

/* Park until there are enough completions. ring: the same call, by the ring's number. */
static long wait_for_completions(const struct weft__call *c, struct weft__call *ring,
				 uint64_t deadline_ns, bool expired)
{
	long result;
	int err;

	for (;;) {
		result = look(c);
		if (result == -EINVAL) /* before Linux 5.11 */
			return wait_elsewhere(c, ring->fd);
		if (result != -ETIME || expired)
			return result;
		weft__count_park(c->nr);
		err = weft__fd_wait(ring, POLLIN, deadline_ns);
		if (err == -ETIMEDOUT)
			expired = true;
		else if (err != 0)
			return err == -EINTR ? err : wait_elsewhere(c, ring->fd);
	}
}

/* What it is to wait with: a mask of signals, a time; or neither. */
static long read_argument(const struct weft__call *c, struct wait_argument *argument)
{
	memset(argument, 0, sizeof(*argument));
	if (c->arg[4] == 0)
		return 0;
	if ((c->arg[3] & IORING_ENTER_EXT_ARG) == 0) {
		argument->mask = (uint64_t)c->arg[4];
		argument->mask_bytes = (uint32_t)c->arg[5];
		return 0;
	}
	if (c->arg[5] != (long)sizeof(*argument))
		return -EINVAL;
	return weft__copy(argument, (void *)c->arg[4], sizeof(*argument));
}

static bool is_simple(const struct weft__call *c, const struct weft__fd *fd,
		      const struct wait_argument *argument)
{
	return (c->arg[3] & (ENTER_ABS_TIMER | ENTER_EXT_ARG_REG)) == 0 &&
	       argument->min_wait_us == 0 &&
	       !(fd->kind == WEFT__RING && (fd->ring & IORING_SETUP_IOPOLL) != 0);
}

static long wait_for_ring(const struct weft__call *c, struct weft__call *ring)
{
	struct wait_argument argument = {.mask = 0};
	struct timespec time = {1, 0};
	uint64_t deadline_ns = 0;
	long result = (c->arg[3] & ENTER_EXT_ARG_REG) != 0 ? 0 : read_argument(c, &argument);

	if (result != 0)
		return result;
	if (!is_simple(c, ring->fd, &argument))
		return wait_elsewhere(c, ring->fd);
	if (argument.timeout != 0) {
		result = weft__read_time((void *)argument.timeout, &time);
		if (result == 0)
			result = weft__deadline_after((void *)argument.timeout, &deadline_ns);
	}
	if (result == 0)
		result = weft__mask_swap((long)argument.mask, argument.mask_bytes);
	if (result != 0)
		return result;
	return weft__mask_restore(
		wait_for_completions(c, ring, deadline_ns, time.tv_sec == 0 && time.tv_nsec == 0));
}

/* What it submits is submitted without a wait; only if that is all of it does it wait. */
long on_io_uring_enter(struct weft__call *c)
{
	const unsigned int flags = (unsigned int)c->arg[3];
	bool waits = (flags & IORING_ENTER_GETEVENTS) != 0 && (unsigned int)c->arg[2] != 0;
	long to_submit = (unsigned int)c->arg[1], submitted = 0, result;
	struct weft__call ring = *c;

	if (!waits && (flags & IORING_ENTER_SQ_WAIT) == 0)
		return WEFT__PASS;
	ring.arg[0] = number_of_ring(c);
	if (weft__fd_claim(&ring) == NULL)
		return WEFT__PASS;
	if ((flags & IORING_ENTER_SQ_WAIT) != 0) {
		result = weft__fd_park_ready(&ring, POLLOUT);
		if (result != 0 || !waits)
			return result;
	}
	if (to_submit != 0 || (flags & IORING_ENTER_SQ_WAKEUP) != 0) {
		submitted = weft__raw(
			SYS_io_uring_enter, c->arg[0], to_submit, 0,
			flags & (IORING_ENTER_SQ_WAKEUP | IORING_ENTER_REGISTERED_RING), NULL, 0);
		if (submitted != to_submit)
			return submitted;
	}
	result = wait_for_ring(c, &ring);
	return submitted > 0 ? submitted : result;
}

/* Remember which ring an index stands for: only its number can be waited for. */
static void note_registered(const struct weft__call *c, bool registers)
{
	struct io_uring_rsrc_update entry;

	for (long i = 0; i < (unsigned int)c->arg[3]; i++) {
		const struct io_uring_rsrc_update *from = (const void *)c->arg[2];

		if (weft__copy(&entry, &from[i], sizeof(entry)) == 0 && entry.offset < REGISTERED)
			registered[entry.offset] = registers ? (long)entry.data : -1;
	}
}

long on_io_uring_register(struct weft__call *c)
{
	const struct weft__fd *fd;
	long result;

	switch ((unsigned int)c->arg[1]) {
	case REGISTER_RING_FDS:
	case UNREGISTER_RING_FDS:
		result = weft__raw(c->nr, c->arg[0], c->arg[1], c->arg[2], c->arg[3]);
		if (result > 0)
			note_registered(c, c->arg[1] == REGISTER_RING_FDS);
		return result;
	case REGISTER_SYNC_CANCEL:
		fd = weft__fd_peek((int)c->arg[0]);
		return fd != NULL && is_open_to_all(fd) ? weft__blocking(c, NULL) : weft__blocks(c);
	default:
		return WEFT__PASS;
	}
}

/* Take what has completed; the rest, up to the least that is wanted, an offload thread waits for. */
static long get_events(const struct weft__call *c)
{
	struct timespec now = {0, 0}, time;
	struct weft__call rest = *c;
	uint64_t deadline_ns = 0;
	long got, more;

	if (c->arg[4] != 0) {
		got = weft__deadline_after((void *)c->arg[4], &deadline_ns);
		if (got != 0)
			return got;
	}
	got = weft__raw(SYS_io_getevents, c->arg[0], c->arg[1], c->arg[2], c->arg[3], &now);
	if (got < 0 || got >= c->arg[1])
		return got;
	if (c->arg[4] != 0) {
		time = weft__left_until(deadline_ns);
		if (time.tv_sec == 0 && time.tv_nsec == 0)
			return got;
	}
	rest.arg[1] -= got;
	rest.arg[2] -= got;
	rest.arg[3] += got * (long)sizeof(struct io_event);
	rest.arg[5] = 0;
	more = weft__blocking_until(&rest, NULL, 4, deadline_ns);
	if (got == 0)
		return more == -EAGAIN ? 0 : more;
	return more > 0 ? got + more : got;
}

long on_io_getevents(struct weft__call *c)
{
	return c->arg[1] <= 0 ? WEFT__PASS : get_events(c);
}

long on_io_pgetevents(struct weft__call *c)
{
	struct {
		long pointer, bytes;
	} mask = {0, 0};
	long result;

	if (c->arg[1] <= 0)
		return WEFT__PASS;
	if (c->arg[5] != 0 && weft__copy(&mask, (void *)c->arg[5], sizeof(mask)) != 0)
		return -EFAULT;
	result = weft__mask_swap(mask.pointer, mask.bytes);
	return result != 0 ? result : weft__mask_restore(get_events(c));
}
