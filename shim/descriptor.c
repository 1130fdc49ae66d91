/*
 * Learning what a descriptor is, and waiting for it as the program would have.
 *
 * O_NONBLOCK belongs to the open file, which duplicates of the descriptor and other processes
 * share, so it is only trusted until anybody in this process changes any (an epoch), and asked for
 * only when a call would have to wait. SO_RCVTIMEO and SO_SNDTIMEO likewise.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "blocking.h"
#include "denied.h"
#include "descriptor.h"
#include "handlers.h"
#include "shim.h"
#include "thread.h"
#include "times.h"

/* weft's own descriptors go above the soft limit, if that is at most the highest; else below. */
#define OWN_HIGHEST 65536
#define OWN_TOP 4096
#define OWN_A_CARRIER 8
#define OWN_MOST (OWN_A_CARRIER * (WEFT__MOST_CARRIERS + 1))

static uint32_t nonblock_epoch = 1, timeouts_epoch = 1, fork_epoch = 1;
bool weft__fd_unseen;
static long own[OWN_MOST];
static unsigned int owned;

void weft__fd_flags_changed(void)
{
	nonblock_epoch++;
}

void weft__fd_timeouts_changed(void)
{
	timeouts_epoch++;
}

void weft__fd_forked(void)
{
	fork_epoch++;
}

bool weft__fd_private(const struct weft__fd *fd)
{
	return fd->fork_epoch == fork_epoch;
}

int weft__socket_option(long number, int option)
{
	int value = -1;
	socklen_t bytes = sizeof(value);

	if (!weft__denied[SYS_getsockopt])
		weft__raw(SYS_getsockopt, number, SOL_SOCKET, option, &value, &bytes);
	return value;
}

struct weft__fd *weft__fd_claim(struct weft__call *c)
{
	struct weft__fd *fd;

	weft__spend(1);
	fd = weft__fd_peek((int)c->arg[0]);
	if (weft__unlikely(fd == NULL || fd->kind == WEFT__UNKNOWN)) {
		weft__lock();
		fd = weft__fd_at((int)c->arg[0]);
		if (fd != NULL && fd->kind == WEFT__UNKNOWN && !weft__fd_learn(fd, (int)c->arg[0]))
			fd = NULL;
	}
	if (fd != NULL)
		c->events = weft__fd_events(fd);
	return c->fd = fd;
}

bool weft__fd_relearn(struct weft__call *c)
{
	weft__lock();
	weft__fd_forget(c->fd, (int)c->arg[0]);
	return weft__fd_claim(c) != NULL;
}

void weft__fd_new_ring(long number, uint32_t flags)
{
	struct weft__fd *fd = weft__fd_at(number);

	if (fd == NULL)
		return;
	weft__fd_forget(fd, (int)number);
	fd = weft__fd_at(number);
	fd->kind = WEFT__RING;
	fd->ring = flags;
}

void weft__fd_new_socket(long number, bool nonblock, bool stream, const struct weft__fd *listener)
{
	struct weft__fd *fd = weft__fd_at(number);

	if (fd == NULL)
		return;
	weft__fd_forget(fd, (int)number); /* if it was closed unseen */
	fd = weft__fd_at(number);
	fd->kind = WEFT__SOCKET;
	fd->nonblock = nonblock;
	fd->nonblock_epoch = nonblock_epoch;
	fd->fork_epoch = fork_epoch;
	fd->stream = stream;
	/* TCP hands the listener's timeouts on, Unix sockets do not: none is none either way. */
	if (listener == NULL || (listener->timeouts_epoch == timeouts_epoch && !listener->timeouts))
		fd->timeouts_epoch = timeouts_epoch;
}

bool weft__fd_drained(const struct weft__fd *fd)
{
	return weft__fd_is_drained(fd) && !fd->hung_up && !weft__fd_unseen;
}

/* An event tells when more has come, if it is registered for. */
void weft__fd_note_read(struct weft__call *c, long result, long wanted)
{
	struct weft__fd *fd = c->fd;

	if (fd->armed != 0 && (result == -EAGAIN || (result > 0 && result < wanted && fd->stream)))
		fd->drained_at = (uint16_t)(c->events + 1);
}

static void learn_flags(struct weft__fd *fd, long number)
{
	long flags = weft__raw(SYS_fcntl, number, F_GETFL);

	if (flags < 0)
		flags = 0;
	fd->nonblock = (flags & O_NONBLOCK) != 0;
	fd->synchronous = (flags & O_DIRECT) != 0             ? POLLIN | POLLOUT
			  : (flags & (O_SYNC | O_DSYNC)) != 0 ? POLLOUT
							      : 0;
	fd->nonblock_epoch = nonblock_epoch;
}

bool weft__fd_nonblock(struct weft__fd *fd, long number)
{
	if (fd->nonblock_epoch != nonblock_epoch) {
		weft__lock();
		learn_flags(fd, number);
	}
	return fd->nonblock;
}

bool weft__fd_synchronous(struct weft__fd *fd, long number, int way)
{
	if (fd->nonblock_epoch != nonblock_epoch)
		learn_flags(fd, number);
	return (fd->synchronous & way) != 0;
}

long weft__fd_call_nonblock(const struct weft__call *c)
{
	long flags = weft__raw(SYS_fcntl, c->arg[0], F_GETFL), result;

	weft__raw(SYS_fcntl, c->arg[0], F_SETFL, flags | O_NONBLOCK);
	result = weft__raw(c->nr, c->arg[0], c->arg[1], c->arg[2], c->arg[3]);
	weft__raw(SYS_fcntl, c->arg[0], F_SETFL, flags);
	return result;
}

static uint64_t ask_timeout(long number, int option)
{
	struct timeval time = {0, 0};
	socklen_t bytes = sizeof(time);

	weft__raw(SYS_getsockopt, number, SOL_SOCKET, option, &time, &bytes);
	return weft__to_ns(&(struct timespec){time.tv_sec, time.tv_usec * 1000});
}

/* Few sockets have any: that is remembered, and how long they are, asked each time. */
static uint64_t timeout_of(struct weft__fd *fd, long number, int events)
{
	if (fd->kind != WEFT__SOCKET)
		return 0;
	if (fd->timeouts_epoch != timeouts_epoch) {
		fd->timeouts = ask_timeout(number, SO_RCVTIMEO) != 0 ||
			       ask_timeout(number, SO_SNDTIMEO) != 0;
		fd->timeouts_epoch = timeouts_epoch;
	}
	if (!fd->timeouts)
		return 0;
	return ask_timeout(number, events == POLLOUT ? SO_SNDTIMEO : SO_RCVTIMEO);
}

bool weft__fd_times_out(long number, int events)
{
	struct weft__fd *fd = weft__fd_peek((int)number);

	return fd != NULL && timeout_of(fd, (int)number, events) != 0;
}

int weft__fd_wait(struct weft__call *c, int events, uint64_t deadline_ns)
{
	struct weft__thread *me = weft__thread_here();
	int result = weft__ready_wait(c->fd, (int)c->arg[0], events, deadline_ns);

	if (weft__unlikely(me->task.moved != 0)) {
		if (me->moved_to == 0)
			me->moved_from = c->arg[0];
		c->arg[0] = me->moved_to = me->task.moved;
		c->fd = weft__fd_at(me->moved_to);
		me->task.moved = 0;
		me->task.attention = 1; /* for weft__fd_move_ends() */
	}
	return result;
}

long weft__fd_park(struct weft__call *c, int events, uint64_t *deadline_ns)
{
	uint64_t timeout_ns;
	int result;

	if (weft__fd_nonblock(c->fd, (int)c->arg[0])) {
		weft__spend(WEFT__EMPTY_HANDED);
		return -EAGAIN;
	}
	weft__lock();
	timeout_ns = timeout_of(c->fd, (int)c->arg[0], events);
	if (timeout_ns != 0 && *deadline_ns == 0)
		*deadline_ns = weft__now_ns() + timeout_ns;
	if (weft__unlikely(weft__parallel) && c->events != weft__fd_events(c->fd)) {
		c->events = weft__fd_events(c->fd);
		return 0;
	}
	weft__count_park(c->nr);
	result = weft__fd_wait(c, events, *deadline_ns);
	switch (result) {
	case -ETIMEDOUT:
		return -EAGAIN;
	case 0:
	case -EINTR:
	case -EBADF:
		return result;
	case -EPERM: /* epoll does not take it, for it never has to be waited for */
		c->fd->kind = WEFT__MEMORY;
		return WEFT__PASS;
	default:
		return weft__blocks(c);
	}
}

long weft__fd_park_ready(struct weft__call *c, int events)
{
	uint64_t deadline_ns = 0;
	long result;

	weft__lock();
	for (;;) {
		struct pollfd poll_fd = {.fd = (int)c->arg[0], .events = (short)events};

		if (weft__poll_now(&poll_fd, 1) != 0)
			return 0;
		result = weft__fd_park(c, events, &deadline_ns);
		if (result != 0)
			return result;
	}
}

/*
 * Whether a socket of datagrams is shut down for reading. Without a wait it says -EAGAIN all the
 * same; a call that may wait ends at once.
 */
static bool is_shut(const struct weft__call *c)
{
	struct pollfd poll_fd = {.fd = (int)c->arg[0], .events = POLLRDHUP};

	return c->fd->kind == WEFT__SOCKET && !c->fd->stream && weft__poll_now(&poll_fd, 1) > 0 &&
	       (poll_fd.revents & POLLRDHUP) != 0;
}

long weft__fd_retry(struct weft__call *c, int events, weft__try *try, bool skip)
{
	uint64_t deadline_ns = 0;
	long result;

	if (skip && weft__fd_nonblock(c->fd, (int)c->arg[0]))
		skip = false; /* the program may know better, from a poll of its own */
	if (c->fd->lowat && events == POLLIN) {
		result = weft__fd_park_ready(c, events);
		if (result != 0)
			return result;
	}
	for (;; skip = false) {
		if (!skip) {
			result = try(c);
			if (result != -EAGAIN)
				return result;
		}
		if (weft__unlikely(c->fd->hung_up) && events == POLLIN && is_shut(c) &&
		    !weft__fd_nonblock(c->fd, (int)c->arg[0]))
			return weft__blocking(c, NULL);
		result = weft__fd_park(c, events, &deadline_ns);
		if (result != 0)
			return result;
	}
}

/* How many numbers are kept for weft's own. */
static unsigned int room_for_own(void)
{
	return OWN_A_CARRIER * (weft__settings.carriers + 1);
}

/* Give a descriptor the first free number of that many from `least` on, as far as the limits let. */
static long duplicate_above(long number, unsigned long least, const struct rlimit *limit)
{
	struct rlimit raised = *limit;
	long above;

	raised.rlim_cur = least + room_for_own();
	if (raised.rlim_cur > limit->rlim_max)
		raised.rlim_cur = limit->rlim_max;
	weft__raw(SYS_prlimit64, 0, RLIMIT_NOFILE, &raised, NULL);
	above = weft__raw(SYS_fcntl, number, F_DUPFD_CLOEXEC, least);
	weft__raw(SYS_prlimit64, 0, RLIMIT_NOFILE, limit, NULL);
	return above;
}

/*
 * A duplicate out of the program's way: just above the soft limit, where the program can neither
 * open nor dup2 unless it raises that, and none of its numbers is taken. Below it when there is no
 * room above, or the number would be a huge one: the tables of the kernel and of libuv are as long
 * as the highest. A negative errno where none is to be had.
 */
static long duplicate_hidden(long number)
{
	struct rlimit limit = {OWN_TOP, OWN_TOP};
	long copy = -EMFILE;

	weft__raw(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
	if (limit.rlim_cur <= OWN_HIGHEST && limit.rlim_cur < limit.rlim_max)
		copy = duplicate_above(number, limit.rlim_cur, &limit);
	if (copy < 0)
		copy = weft__raw(SYS_fcntl, number, F_DUPFD_CLOEXEC,
				 (limit.rlim_cur < OWN_TOP ? limit.rlim_cur : OWN_TOP) -
					 room_for_own());
	return copy;
}

void weft__fd_give_up(long number)
{
	struct weft__fd *fd = weft__fd_peek(number);
	struct weft__task *task;

	if (fd == NULL)
		return;
	while ((task = weft__fd_lone_waiter(fd)) != NULL) {
		long copy = duplicate_hidden(number);

		if (weft__failed(copy))
			break;
		if (weft__fd_move(task, fd, (int)copy) != 0) {
			weft__raw(SYS_close, copy);
			break;
		}
	}
	weft__fd_forget(fd, (int)number);
}

void weft__fd_give_up_range(unsigned int first, unsigned int last)
{
	for (long number = first; (number = weft__fd_next_used(number, last)) >= 0; number++)
		weft__fd_give_up(number);
}

long weft__fd_move_ends(struct weft__call *c, long result)
{
	struct weft__thread *me = weft__thread_here();
	struct weft__fd *fd = weft__fd_peek(me->moved_to);

	if (result == WEFT__PASS)
		result = weft__raw6(c->nr, c->arg[0], c->arg[1], c->arg[2], c->arg[3], c->arg[4],
				    c->arg[5]);
	weft__fd_forget(fd, me->moved_to);
	weft__raw(SYS_close, me->moved_to);
	if (c->arg[0] == me->moved_to)
		c->arg[0] = me->moved_from;
	me->moved_to = 0;
	return result;
}

bool weft__fd_is_own(long number)
{
	for (unsigned int i = 0; i < owned; i++)
		if (own[i] == number)
			return true;
	return false;
}

long weft__fd_next_own(unsigned int number)
{
	long next = -1;

	for (unsigned int i = 0; i < owned; i++)
		if (own[i] >= number && (next < 0 || own[i] < next))
			next = own[i];
	return next;
}

void weft__fd_close_own(void)
{
	for (unsigned int i = 0; i < owned && !weft__denied[SYS_close]; i++)
		weft__raw(SYS_close, own[i]);
	owned = 0;
}

int weft__fd_hide(int number)
{
	long top = duplicate_hidden(number);

	if (top >= 0)
		weft__raw(SYS_close, number);
	else
		top = number;
	if (owned < OWN_MOST)
		own[owned++] = top;
	return (int)top;
}

/* Calls by which libuv makes its descriptors: answered only while weft makes its loop. */
static long make_hidden(const struct weft__call *c)
{
	long number;

	if (!weft__waking)
		return WEFT__PASS;
	number =
		weft__raw6(c->nr, c->arg[0], c->arg[1], c->arg[2], c->arg[3], c->arg[4], c->arg[5]);
	return number < 0 ? number : weft__fd_hide((int)number);
}

long on_epoll_create1(struct weft__call *c)
{
	return make_hidden(c);
}

long on_eventfd2(struct weft__call *c)
{
	return make_hidden(c);
}

long on_pipe2(struct weft__call *c)
{
	int *end = (int *)c->arg[0];
	long err;

	if (!weft__waking)
		return WEFT__PASS;
	err = weft__raw(SYS_pipe2, end, c->arg[1]);
	if (err == 0) {
		end[0] = weft__fd_hide(end[0]);
		end[1] = weft__fd_hide(end[1]);
	}
	return err;
}
