/*
 * Iterative servers that poll their listeners before they accept, of which there may be several.
 *
 * The main thread is split where it polls: it polls on, and the copy goes on with one listener that is
 * ready, accepts there and serves. Until it has accepted, the main thread waits: the same connection
 * would have it split again.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/select.h>

#include "iterative.h"
#include "shim.h"

/* What select(2) and its like overwrite, and is to be as it was when the main thread calls again. */
struct given {
	fd_set sets[3];
	struct timespec timeout; /* or a timeval, of the same size */
	long timeout_at;
	size_t set_bytes;
};

static void keep(struct given *given, const struct weft__call *c, long timeout_at, size_t set_bytes)
{
	given->timeout_at = timeout_at;
	given->set_bytes = set_bytes;
	if (timeout_at != 0)
		weft__copy(&given->timeout, (void *)timeout_at, sizeof(given->timeout));
	for (int i = 0; i < 3 && set_bytes != 0; i++)
		if (c->arg[1 + i] != 0)
			weft__copy(&given->sets[i], (void *)c->arg[1 + i], set_bytes);
}

static void give_back(const struct given *given, const struct weft__call *c)
{
	if (given->timeout_at != 0)
		weft__copy((void *)given->timeout_at, &given->timeout, sizeof(given->timeout));
	for (int i = 0; i < 3 && given->set_bytes != 0; i++)
		if (c->arg[1 + i] != 0)
			weft__copy((void *)c->arg[1 + i], &given->sets[i], given->set_bytes);
}

/* The first that is ready and takes connections or datagrams; -1: none. */
static long find_polled(const struct pollfd *fds, nfds_t n)
{
	for (nfds_t i = 0; i < n; i++)
		if ((fds[i].revents & POLLIN) != 0 && weft__iterative_accepts(fds[i].fd))
			return fds[i].fd;
	return -1;
}

static long only_polled(struct pollfd *fds, nfds_t n, long number)
{
	for (nfds_t i = 0; i < n; i++)
		if (fds[i].fd != number)
			fds[i].revents = 0;
	return 1;
}

long weft__iterative_poll(struct weft__call *c, weft__handler *once)
{
	struct pollfd *fds = (struct pollfd *)c->arg[0];
	nfds_t n = (nfds_t)(unsigned int)c->arg[1];
	struct given given;
	long result, number;

	keep(&given, c, c->nr == SYS_ppoll ? c->arg[2] : 0, 0);
	for (;;) {
		result = once(c);
		number = result > 0 ? find_polled(fds, n) : -1;
		if (number < 0)
			return result;
		switch (weft__iterative_split_at(number)) {
		case WEFT__SPLIT_COPY:
			return only_polled(fds, n, number);
		case WEFT__SPLIT_NOT:
			return result;
		case WEFT__SPLIT_INTERRUPTED:
			return -EINTR;
		case WEFT__SPLIT_MAIN:
			give_back(&given, c);
		}
	}
}

static long find_selected(const fd_set *set, int n)
{
	for (int i = 0; i < n; i++)
		if (FD_ISSET(i, set) && weft__iterative_accepts(i))
			return i;
	return -1;
}

static long only_selected(const struct weft__call *c, long number, size_t set_bytes)
{
	for (int i = 0; i < 3; i++)
		if (c->arg[1 + i] != 0)
			memset((void *)c->arg[1 + i], 0, set_bytes);
	FD_SET((int)number, (fd_set *)c->arg[1]);
	return 1;
}

long weft__iterative_select(struct weft__call *c, weft__handler *once)
{
	int n = (int)c->arg[0];
	size_t set_bytes = (size_t)(n + 63) / 64 * 8;
	struct given given;
	long result, number;

	if (n < 0 || n > FD_SETSIZE || c->arg[1] == 0)
		return once(c);
	keep(&given, c, c->arg[4], set_bytes);
	for (;;) {
		result = once(c);
		number = result > 0 ? find_selected((fd_set *)c->arg[1], n) : -1;
		if (number < 0)
			return result;
		switch (weft__iterative_split_at(number)) {
		case WEFT__SPLIT_COPY:
			return only_selected(c, number, set_bytes);
		case WEFT__SPLIT_NOT:
			return result;
		case WEFT__SPLIT_INTERRUPTED:
			return -EINTR;
		case WEFT__SPLIT_MAIN:
			give_back(&given, c);
		}
	}
}
