/* See weft/io.h: waiting for a descriptor. */
#include <poll.h>

#include "native.h"
#include "ready.h"

/* What poll(2) tells at once: events, 0: none, or a negative errno. */
static int look(struct pollfd *poll_fd, int events)
{
	long n = weft__poll_now(poll_fd, 1);

	if (n < 0)
		return (int)n;
	if ((poll_fd->revents & POLLNVAL) != 0)
		return -EBADF;
	if ((poll_fd->revents & (POLLERR | POLLHUP)) != 0)
		return events;
	return ((poll_fd->revents & POLLIN) != 0 ? WEFT_IN : 0) |
	       ((poll_fd->revents & POLLOUT) != 0 ? WEFT_OUT : 0);
}

/* Until something has happened to it, or the wait is over; 0: look again. */
static int wait_for_event(struct pollfd *poll_fd, const struct weft__wait *wait, bool *registered)
{
	uint64_t until_ns = wait->until_ns == WEFT_FOREVER ? 0 : (uint64_t)wait->until_ns;
	int err;

	/* Nobody says what is closed here: the number may be another file's by now. */
	if (!*registered) {
		err = weft__ready_renew(poll_fd->fd, poll_fd->events);
		if (err != 0)
			return err == -ENOSPC ? -ENOMEM : err;
		*registered = true;
	}
	err = weft__ready_wait_any(poll_fd, 1, until_ns);
	return err > 0 || err == -EAGAIN || err == -EINTR ? 0 : err;
}

/* Threads of the kernel's, of which no shim knows, look again this often. */
#define SLICE_MS 10

static int poll_for_a_while(struct pollfd *poll_fd, int64_t until_ns)
{
	int64_t left_ms =
		until_ns == WEFT_FOREVER ? SLICE_MS : (until_ns - weft_now()) / WEFT_MS + 1;
	int ready = (int)weft__raw(SYS_poll, poll_fd, 1,
				   left_ms < 0          ? 0
				   : left_ms < SLICE_MS ? left_ms
							: SLICE_MS);

	if (ready == 0 && weft_now() >= until_ns)
		return -ETIMEDOUT;
	return ready == -EINTR ? 0 : ready;
}

/* The same in a patched program, where another thread may end the wait meanwhile. */
static int wait_on_thread(struct pollfd *poll_fd, const struct weft__wait *wait)
{
	uint64_t until_ns = wait->until_ns == WEFT_FOREVER ? 0 : (uint64_t)wait->until_ns;
	int ready;

	wait->task->at_fd = weft__current;
	weft__leave();
	ready = weft__shim == NULL ? poll_for_a_while(poll_fd, wait->until_ns)
				   : weft__shim->wait_fd(poll_fd, until_ns, &wait->over);
	weft__enter();
	wait->task->at_fd = NULL;
	return ready > 0 ? 0 : ready;
}

static int wait_for(struct pollfd *poll_fd, int events, int64_t deadline_ns)
{
	struct weft__wait wait;
	bool registered = false;
	int err = weft__wait_begin(NULL, &wait, deadline_ns), result = 0;

	if (err != 0)
		return err;
	while (err == 0 && result == 0 && !wait.over) {
		err = weft__on_threads ? wait_on_thread(poll_fd, &wait)
				       : wait_for_event(poll_fd, &wait, &registered);
		result = err == 0 ? look(poll_fd, events) : 0;
	}
	if (err == -ETIMEDOUT && !wait.over)
		return weft__wait_finish(&wait);
	wait.task->wait = NULL;
	if (!wait.over)
		return result != 0 ? result : err;
	if (result == 0)
		return wait.result;
	weft__raise(wait.task, wait.result); /* at its next wait */
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
	result = weft__enter_wait(deadline_ns);
	if (result != 0)
		return result;
	result = look(&poll_fd, events);
	if (result == 0)
		result = wait_for(&poll_fd, events, deadline_ns);
	weft__leave();
	return result;
}
