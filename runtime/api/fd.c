/*
 * See weft/io.h: waiting for descriptors.
 *
 * In own mode the carrier's readiness set says that something has happened, and poll(2) what. A thread of
 * a patched program is in poll(2) itself, with a bell beside its descriptors.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "native.h"
#include "ready.h"

#define FEW 8

/* Beyond so many vain tries of one call it makes way for others: who else reads there is quicker. */
#define VAIN_TRIES 4

long weft__ask6(long nr, long a, long b, long c, long d, long e, long f)
{
	int before;
	long result;

	if (weft__likely(!weft__on_threads))
		return weft__raw6(nr, a, b, c, d, e, f);
	before = errno;
	result = syscall(nr, a, b, c, d, e, f);
	if (result == -1)
		result = -errno;
	errno = before;
	return result;
}

int weft__may_wait(int64_t deadline_ns)
{
	if (deadline_ns < 0)
		return -EINVAL;
	return weft__me() == NULL ? -EPERM : 0;
}

/* What poll(2) tells at once. */
static long look(struct pollfd *fds, nfds_t n)
{
	return weft__on_threads ? weft__ask(SYS_poll, fds, n, 0) : weft__poll_now(fds, n);
}

/* Nobody says what is closed here: a number may be another file's by now. */
static int renew_all(const struct pollfd *fds, nfds_t n)
{
	int err = 0;

	for (nfds_t i = 0; i < n && err == 0; i++)
		if (fds[i].fd >= 0)
			err = weft__ready_renew(fds[i].fd, fds[i].events);
	return err == -ENOSPC ? -ENOMEM : err;
}

/* How many are ready; 0: the wait is over, or its time. */
static long poll_own(const struct weft__wait *wait, struct pollfd *fds, nfds_t n)
{
	uint64_t until_ns = wait->until_ns == WEFT_FOREVER ? 0 : (uint64_t)wait->until_ns;
	long result = renew_all(fds, n);

	while (result == 0 && !wait->over) {
		int err = weft__ready_wait_any(fds, n, until_ns);

		if (err == -ETIMEDOUT)
			break;
		if (err < 0 && err != -EAGAIN && err != -EINTR)
			return err;
		result = wait->over ? 0 : look(fds, n);
	}
	return result;
}

/* One poll(2) of a thread, with the wait's bell as the last; 0: none of the others is ready. */
static long poll_once(const struct weft__wait *wait, struct pollfd *fds, nfds_t n)
{
	int64_t left_ns = wait->until_ns - weft_now();
	struct timespec left = {.tv_sec = (time_t)(left_ns / WEFT_S),
				.tv_nsec = (long)(left_ns % WEFT_S)};
	long result;

	if (left_ns < 0)
		left = (struct timespec){0, 0};
	fds[n] = (struct pollfd){.fd = weft__bell_fd(wait->bell), .events = POLLIN};
	weft__leave();
	result = weft__ask(SYS_ppoll, fds, n + 1, wait->until_ns == WEFT_FOREVER ? NULL : &left,
			   NULL, 0);
	weft__enter();
	if (result == -EINTR)
		return 0;
	return result > 0 && fds[n].revents != 0 ? result - 1 : result;
}

static long poll_on_thread(struct weft__wait *wait, struct pollfd *fds, nfds_t n)
{
	long result = 0;

	while (result == 0 && !wait->over) {
		wait->bell = weft__bell_take();
		if (wait->bell == NULL)
			return -EMFILE;
		do
			result = poll_once(wait, fds, n);
		while (result == 0 && !wait->over && !weft__bell_rung(wait->bell) &&
		       fds[n].revents == 0 && weft_now() < wait->until_ns);
		if ((fds[n].revents & POLLNVAL) != 0)
			weft__bell_ring(wait->bell);
		weft__bell_give(wait->bell);
		wait->bell = NULL;
		if (result == 0 && weft_now() >= wait->until_ns)
			break;
	}
	return result;
}

/* The same, with room for the bell. */
static long poll_with_bell(struct weft__wait *wait, struct pollfd *fds, nfds_t n)
{
	struct pollfd few[FEW + 1], *all = n <= FEW ? few : malloc((n + 1) * sizeof(*all));
	long result;

	if (all == NULL)
		return -ENOMEM;
	if (n != 0)
		memcpy(all, fds, n * sizeof(*fds));
	result = poll_on_thread(wait, all, n);
	for (nfds_t i = 0; i < n; i++)
		fds[i].revents = all[i].revents;
	if (all != few)
		free(all);
	return result;
}

int weft__poll_in(struct weft__link *queue, struct weft__wait *wait, struct pollfd *fds, nfds_t n,
		  int64_t deadline_ns)
{
	long result = look(fds, n);
	int err;

	if (result != 0)
		return (int)result;
	err = weft__wait_begin(queue, wait, deadline_ns);
	if (err != 0)
		return err;
	result = weft__on_threads ? poll_with_bell(wait, fds, n) : poll_own(wait, fds, n);
	/* Readiness is not taken by who waits for it: what ends the wait beside it comes first. */
	if (result == 0 || wait->over)
		return weft__wait_finish(wait);
	weft__list_remove(&wait->link);
	wait->task->wait = NULL;
	return (int)result;
}

int weft_poll(struct pollfd *fds, nfds_t n, int64_t deadline_ns)
{
	struct weft__wait wait;
	int result;

	if (fds == NULL && n != 0)
		return -EINVAL;
	result = weft__enter_wait(deadline_ns);
	if (result != 0)
		return result;
	result = weft__poll_in(NULL, &wait, fds, n, deadline_ns);
	weft__leave();
	return result;
}

int weft_wait_fd(int fd, int events, int64_t deadline_ns)
{
	struct pollfd poll_fd = {.fd = fd};
	int result;

	if (events == 0 || (events & ~(WEFT_IN | WEFT_OUT)) != 0)
		return -EINVAL;
	if (fd < 0)
		return -EBADF; /* poll(2) would leave it out */
	if ((events & WEFT_IN) != 0)
		poll_fd.events |= POLLIN;
	if ((events & WEFT_OUT) != 0)
		poll_fd.events |= POLLOUT;
	result = weft_poll(&poll_fd, 1, deadline_ns);
	if (result < 0)
		return result;
	if ((poll_fd.revents & POLLNVAL) != 0)
		return -EBADF;
	if ((poll_fd.revents & (POLLERR | POLLHUP)) != 0)
		return events;
	return ((poll_fd.revents & POLLIN) != 0 ? WEFT_IN : 0) |
	       ((poll_fd.revents & POLLOUT) != 0 ? WEFT_OUT : 0);
}

int weft__await_fd(int fd, int events, int64_t deadline_ns, unsigned int *tries)
{
	int err = 0;

	if ((*tries)++ > 0 && weft_now() >= deadline_ns)
		return -ETIMEDOUT;
	if (*tries > VAIN_TRIES)
		err = weft_sleep(WEFT_MS);
	if (err == 0)
		err = weft_wait_fd(fd, events, deadline_ns);
	return err < 0 ? err : 0;
}
