/*
 * See weft/io.h: waiting for descriptors.
 *
 * In own mode the carrier's readiness set says that something has happened, and poll(2) what. For a thread
 * of a patched program the shim waits.
 */
#include <unistd.h>

#include "native.h"
#include "ready.h"

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

/* Threads of the kernel's, of which no shim knows, look again this often. */
#define SLICE_MS 10

static int poll_for_a_while(struct pollfd *fds, nfds_t n, int64_t until_ns)
{
	int64_t left_ms =
		until_ns == WEFT_FOREVER ? SLICE_MS : (until_ns - weft_now()) / WEFT_MS + 1;
	int ready = (int)weft__raw(SYS_poll, fds, n,
				   left_ms < 0          ? 0
				   : left_ms < SLICE_MS ? left_ms
							: SLICE_MS);

	if (ready == 0 && weft_now() >= until_ns)
		return -ETIMEDOUT;
	return ready == -EINTR ? 0 : ready;
}

/* The same in a patched program, where another thread may end the wait meanwhile. */
static long poll_on_thread(const struct weft__wait *wait, struct pollfd *fds, nfds_t n)
{
	uint64_t until_ns = wait->until_ns == WEFT_FOREVER ? 0 : (uint64_t)wait->until_ns;
	int result = 0;

	while (result == 0 && !wait->over) {
		wait->task->at_fd = weft__current;
		weft__leave();
		result = weft__shim == NULL ? poll_for_a_while(fds, n, wait->until_ns)
					    : weft__shim->poll(fds, n, until_ns, &wait->over);
		weft__enter();
		wait->task->at_fd = NULL;
		if (result > 0)
			result = (int)look(fds, n); /* an event says less than poll(2) */
	}
	return result == -ETIMEDOUT ? 0 : result;
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
	result = weft__on_threads ? poll_on_thread(wait, fds, n) : poll_own(wait, fds, n);
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
