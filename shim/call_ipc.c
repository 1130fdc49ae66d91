/*
 * Semaphores and message queues, System V's and POSIX's.
 *
 * System V's have no descriptor to wait for, so an offload thread waits. A POSIX queue has one.
 */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>

#include "blocking.h"
#include "descriptor.h"
#include "handlers.h"
#include "shim.h"
#include "times.h"

/* An operation with IPC_NOWAIT of its own says -EAGAIN too: then the call as it is says so. */
static long try_semop(const struct weft__call *c)
{
	struct timespec now = {0, 0};
	long result;

	do
		result = weft__raw(SYS_semtimedop, c->arg[0], c->arg[1], c->arg[2], &now);
	while (result == -EINTR); /* it has slept for no time, and a signal come meanwhile */
	return result;
}

long on_semtimedop(struct weft__call *c)
{
	uint64_t deadline_ns = 0;
	long err;

	if (c->nr == SYS_semtimedop && c->arg[3] != 0) {
		err = weft__deadline_after((void *)c->arg[3], &deadline_ns);
		if (err != 0)
			return err;
	}
	return weft__blocking_until(c, try_semop, 3, deadline_ns);
}

static long try_msgsnd(const struct weft__call *c)
{
	return weft__raw(SYS_msgsnd, c->arg[0], c->arg[1], c->arg[2], c->arg[3] | IPC_NOWAIT);
}

long on_msgsnd(struct weft__call *c)
{
	return (c->arg[3] & IPC_NOWAIT) != 0 ? WEFT__PASS : weft__blocking(c, try_msgsnd);
}

static long try_msgrcv(const struct weft__call *c)
{
	long n = weft__raw(SYS_msgrcv, c->arg[0], c->arg[1], c->arg[2], c->arg[3],
			   c->arg[4] | IPC_NOWAIT);

	return n == -ENOMSG ? -EAGAIN : n;
}

long on_msgrcv(struct weft__call *c)
{
	return (c->arg[4] & IPC_NOWAIT) != 0 ? WEFT__PASS : weft__blocking(c, try_msgrcv);
}

/* mq_timedsend(3) and mq_timedreceive(3): with a deadline long past they do not wait. */
static long on_queue(struct weft__call *c, int events)
{
	struct timespec past = {0, 0}, until;
	uint64_t deadline_ns = 0;
	long result;

	if (c->arg[4] != 0) {
		if (weft__read_time((void *)c->arg[4], &until) != 0)
			return WEFT__PASS; /* the kernel says what is wrong with it */
		deadline_ns = weft__deadline_at(CLOCK_REALTIME, &until);
	}
	for (;;) {
		result = weft__raw(c->nr, c->arg[0], c->arg[1], c->arg[2], c->arg[3], &past);
		if (result != -ETIMEDOUT)
			return result;
		if (weft__fd_claim(c) == NULL)
			return weft__blocks(c);
		weft__count_park(c->nr);
		result = weft__fd_wait(c, events, deadline_ns);
		if (result != 0)
			return result == -ENOMEM ? weft__blocks(c) : result;
	}
}

long on_mq_timedsend(struct weft__call *c)
{
	return on_queue(c, POLLOUT);
}

static long try_receive(const struct weft__call *c)
{
	struct timespec past = {0, 0};
	long result = weft__raw(c->nr, c->arg[0], c->arg[1], c->arg[2], c->arg[3], &past);

	return result == -ETIMEDOUT ? -EAGAIN : result;
}

/* While somebody waits in it, a queue notifies nobody (mq_notify(3)): the kernel is to see it. */
long on_mq_timedreceive(struct weft__call *c)
{
	struct mq_attr attr;

	if (weft__raw(SYS_mq_getsetattr, c->arg[0], NULL, &attr) == 0 &&
	    (attr.mq_flags & O_NONBLOCK) != 0)
		return WEFT__PASS;
	return c->arg[4] != 0 ? on_queue(c, POLLIN) : weft__blocking(c, try_receive);
}
