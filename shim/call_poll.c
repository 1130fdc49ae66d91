/*
 * poll(2), select(2), epoll_wait(2) and their kin.
 *
 * Each is asked with no timeout first. When nothing is ready the task parks on all the descriptors
 * and asks again: what a descriptor's readiness means stays the kernel's to say.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "blocking.h"
#include "descriptor.h"
#include "handlers.h"
#include "iterative.h"
#include "mask.h"
#include "memory.h"
#include "shim.h"
#include "signals.h"
#include "thread.h"
#include "times.h"

#define NEVER UINT64_C(0)
#define FEW 4

/* A set of up to FD_SETSIZE descriptors stands on the stack, a larger one in the heap. */
#define SET_WORDS (FD_SETSIZE / 64)
#define BITS_A_WORD 64

/*
 * ppoll and pselect with nothing ready look for a signal even when no time is left (the kernel's
 * do_poll() and core_sys_select()); epoll_pwait does not.
 */
static long restore_mask_or_interrupt(long result)
{
	struct weft__thread *me = weft__thread_here();

	if (result == 0 && me->task.attention) {
		weft__signals_attend(&weft__process);
		if (weft__signal_waits(me))
			result = -EINTR;
	}
	return weft__mask_restore(result);
}

/* What a look costs; the result is passed on. */
static long spend(long ready)
{
	weft__spend(ready == 0 ? WEFT__EMPTY_HANDED : 1);
	return ready;
}

/* A wait for what cannot be in the carrier's own set, by an offload thread. */
static long wait_elsewhere(const struct weft__call *wait, int timeout_arg, uint64_t deadline_ns)
{
	long result = weft__blocking_until(wait, NULL, timeout_arg, deadline_ns);

	if (result != WEFT__PASS)
		return result == -EAGAIN ? 0
					 : result; /* no thread was to be had in all that time */
	return weft__raw(wait->nr, wait->arg[0], wait->arg[1], wait->arg[2], wait->arg[3],
			 wait->arg[4]);
}

static long poll_elsewhere(struct pollfd *fds, nfds_t n, uint64_t deadline_ns)
{
	struct weft__call poll = {.nr = SYS_ppoll, .arg = {(long)fds, (long)n}};

	return wait_elsewhere(&poll, 2, deadline_ns);
}

/*
 * Wait for descriptors until a deadline; `expired` when it is over at once, `none` when none is known
 * to be ready.
 */
static long look_and_wait(const struct weft__call *c, struct pollfd *fds, nfds_t n,
			  uint64_t deadline_ns, bool expired, bool none)
{
	int result;
	long ready;

	for (;; none = false) {
		ready = none ? 0 : weft__poll_now(fds, n);
		if (ready != 0 || expired)
			return spend(ready);
		weft__count_park(c->nr);
		result = weft__ready_wait_any(fds, n, deadline_ns);
		if (result > 0)
			return spend(result);
		if (result == -ETIMEDOUT)
			expired = true;
		else if (result == -EINTR || result == -ENOMEM)
			return result;
		else if (result < 0 && result != -EAGAIN)
			return poll_elsewhere(fds, n, deadline_ns);
	}
}

/*
 * A few descriptors are worked on in a copy, for the kernel may never come to look at the program's
 * own, and they may not be there.
 */
static long poll_few(const struct weft__call *c, struct pollfd *user, nfds_t n,
		     uint64_t deadline_ns, bool expired)
{
	struct pollfd fds[FEW];
	long ready, err = weft__copy(fds, user, n * sizeof(*fds));

	if (err != 0)
		return err;
	ready = look_and_wait(c, fds, n, deadline_ns, expired,
			      !expired && !weft__fd_unseen && weft__ready_none(fds, n));
	for (nfds_t i = 0; i < n && ready >= 0 && err == 0; i++)
		err = weft__copy(&user[i].revents, &fds[i].revents, sizeof(fds[i].revents));
	return err != 0 ? err : ready;
}

static bool is_polled(const struct pollfd *fds, nfds_t n, int number)
{
	struct pollfd one;

	for (nfds_t i = 0; i < n && weft__copy(&one, &fds[i], sizeof(one)) == 0; i++)
		if (one.fd == number && (one.events & POLLIN) != 0)
			return true;
	return false;
}

/* A copy of the main thread is back at its listener when it polls that, and not what it accepted. */
static void come_back_to_polled(const struct pollfd *fds, nfds_t n)
{
	int listener = weft__iterative_listener(), accepted = weft__iterative_accepted();

	if (listener < 0 || !is_polled(fds, n, listener))
		return;
	if (accepted < 0 || !is_polled(fds, n, accepted) || !weft__iterative_takes_over())
		weft__iterative_comes_back(listener, true);
}

static long poll_until(const struct weft__call *c, struct pollfd *fds, nfds_t n,
		       uint64_t deadline_ns, bool expired)
{
	long ready;

	if (weft__unlikely(weft__iterative_on))
		come_back_to_polled(fds, n);
	weft__signalfd_watch(true);
	ready = n <= FEW ? poll_few(c, fds, n, deadline_ns, expired)
			 : look_and_wait(c, fds, n, deadline_ns, expired, false);
	weft__signalfd_watch(false);
	return ready;
}

static long poll_once(struct weft__call *c)
{
	int ms = (int)c->arg[2];
	uint64_t deadline_ns = ms > 0 ? weft__deadline_after_ms(ms) : NEVER;

	return poll_until(c, (struct pollfd *)c->arg[0], (nfds_t)(unsigned int)c->arg[1],
			  deadline_ns, ms == 0);
}

long on_poll(struct weft__call *c)
{
	return weft__unlikely(weft__iterative_on) ? weft__iterative_poll(c, poll_once)
						  : poll_once(c);
}

/* A timeout as a timespec, NULL for ever. */
static long read_timeout(long pointer, uint64_t *deadline_ns, bool *expired)
{
	struct timespec time;
	long err;

	*deadline_ns = NEVER;
	*expired = false;
	if (pointer == 0)
		return 0;
	err = weft__deadline_after((const struct timespec *)pointer, deadline_ns);
	if (err == 0 && weft__copy(&time, (void *)pointer, sizeof(time)) == 0)
		*expired = time.tv_sec == 0 && time.tv_nsec == 0;
	return err;
}

static long ppoll_once(struct weft__call *c)
{
	uint64_t deadline_ns;
	struct timespec left;
	bool expired;
	long result = read_timeout(c->arg[2], &deadline_ns, &expired);

	if (result == 0)
		result = weft__mask_swap(c->arg[3], c->arg[4]);
	if (result != 0)
		return result;
	result = restore_mask_or_interrupt(poll_until(c, (struct pollfd *)c->arg[0],
						      (nfds_t)(unsigned int)c->arg[1], deadline_ns,
						      expired));
	if (deadline_ns != NEVER) { /* the system call says what is left, ppoll(2) */
		left = weft__left_until(deadline_ns);
		weft__copy((void *)c->arg[2], &left, sizeof(left));
	}
	return result;
}

long on_ppoll(struct weft__call *c)
{
	return weft__unlikely(weft__iterative_on) ? weft__iterative_poll(c, ppoll_once)
						  : ppoll_once(c);
}

/* The three sets of a select(2): the program's, and what they held when it called. */
struct sets {
	uint64_t *user[3]; /* NULL: not given */
	uint64_t *asked[3];
	size_t words;
	int n;
	uint64_t room[3][SET_WORDS];
	uint64_t *heap;
};

static long read_sets(struct sets *sets, const struct weft__call *c)
{
	sets->heap = NULL;
	sets->words = 0;
	sets->n = (int)c->arg[0];
	if (sets->n < 0)
		return -EINVAL;
	sets->words = ((size_t)sets->n + BITS_A_WORD - 1) / BITS_A_WORD;
	if (sets->words > SET_WORDS) {
		sets->heap = weft__alloc(3 * sets->words * sizeof(uint64_t));
		if (sets->heap == NULL)
			return -ENOMEM;
	}
	for (size_t i = 0; i < 3; i++) {
		sets->user[i] = (uint64_t *)c->arg[i + 1];
		sets->asked[i] = sets->heap != NULL ? sets->heap + i * sets->words : sets->room[i];
		if (sets->user[i] == NULL)
			memset(sets->asked[i], 0, sets->words * sizeof(uint64_t));
		else if (weft__copy(sets->asked[i], sets->user[i],
				    sets->words * sizeof(uint64_t)) != 0)
			return -EFAULT;
	}
	return 0;
}

static bool has(const uint64_t *set, int number)
{
	return (set[number / BITS_A_WORD] >> number % BITS_A_WORD & 1) != 0;
}

static size_t pollfds_bytes(const struct sets *sets)
{
	return ((size_t)sets->n + 1) * sizeof(struct pollfd);
}

/* The descriptors of the sets as poll(2) takes them; NULL when there is no memory. */
static struct pollfd *poll_set(const struct sets *sets, nfds_t *n)
{
	struct pollfd *fds = weft__alloc(pollfds_bytes(sets));

	*n = 0;
	for (int i = 0; fds != NULL && i < sets->n; i++) {
		int events = (has(sets->asked[0], i) ? POLLIN : 0) |
			     (has(sets->asked[1], i) ? POLLOUT : 0) |
			     (has(sets->asked[2], i) ? POLLPRI : 0);

		if (events != 0)
			fds[(*n)++] = (struct pollfd){.fd = i, .events = (short)events};
	}
	return fds;
}

/* Give the program's sets what they held when it called; 0 or -EFAULT. */
static long refill(const struct sets *sets)
{
	long err = 0;

	for (int i = 0; i < 3 && err == 0; i++)
		if (sets->user[i] != NULL)
			err = weft__copy(sets->user[i], sets->asked[i],
					 sets->words * sizeof(uint64_t));
	return err;
}

/* Ask the kernel now, about what was asked at first: it has written its answer over that. */
static long select_now(const struct sets *sets)
{
	struct timespec zero = {0, 0};
	long result;

	do {
		result = refill(sets);
		if (result == 0)
			result = weft__raw(SYS_pselect6, sets->n, sets->user[0], sets->user[1],
					   sets->user[2], &zero, NULL);
	} while (result == -EINTR); /* as weft__poll_now() */
	return result;
}

static long select_waiting(const struct weft__call *c, const struct sets *sets,
			   uint64_t deadline_ns)
{
	nfds_t n;
	struct pollfd *fds = poll_set(sets, &n);
	long ready = -ENOMEM;
	int result = 0;

	while (fds != NULL) {
		weft__count_park(c->nr);
		result = weft__ready_wait_any(fds, n, deadline_ns);
		if (result < 0 && result != -EAGAIN && result != -EINTR && result != -ENOMEM &&
		    result != -ETIMEDOUT)
			result = (int)poll_elsewhere(fds, n, deadline_ns) < 0 ? -EINTR : 0;
		ready = result == -EINTR || result == -ENOMEM ? result : select_now(sets);
		if (ready != 0 || result == -ETIMEDOUT)
			break;
	}
	weft__free(fds, pollfds_bytes(sets));
	if (result == -EINTR)
		refill(sets); /* interrupted, it leaves them as they were given */
	return ready;
}

static void come_back_to_selected(const struct sets *sets)
{
	int listener = weft__iterative_listener(), accepted = weft__iterative_accepted();

	if (listener < 0 || listener >= sets->n || !has(sets->asked[0], listener))
		return;
	if (accepted >= 0 && accepted < sets->n && has(sets->asked[0], accepted) &&
	    weft__iterative_takes_over())
		return;
	weft__free(sets->heap, 3 * sets->words * sizeof(uint64_t));
	weft__iterative_comes_back(listener, true);
}

static long select_until(const struct weft__call *c, uint64_t deadline_ns, bool expired)
{
	struct sets sets;
	long ready = read_sets(&sets, c);

	if (weft__unlikely(weft__iterative_on) && ready == 0)
		come_back_to_selected(&sets);
	weft__signalfd_watch(true);
	if (ready == 0)
		ready = select_now(&sets);
	if (ready == 0 && !expired)
		ready = select_waiting(c, &sets, deadline_ns);
	weft__signalfd_watch(false);
	weft__free(sets.heap, 3 * sets.words * sizeof(uint64_t));
	return spend(ready);
}

static long select_once(struct weft__call *c)
{
	struct timeval time, *user = (struct timeval *)c->arg[4];
	uint64_t deadline_ns = NEVER;
	struct timespec left;
	bool expired = false;
	long result;

	if (user != NULL) {
		if (weft__copy(&time, user, sizeof(time)) != 0)
			return -EFAULT;
		if (time.tv_sec < 0 || time.tv_usec < 0)
			return -EINVAL;
		expired = time.tv_sec == 0 && time.tv_usec == 0;
		left = (struct timespec){time.tv_sec + time.tv_usec / 1000000,
					 time.tv_usec % 1000000 * 1000};
		weft__deadline_after(&left, &deadline_ns);
	}
	result = select_until(c, deadline_ns, expired);
	if (user != NULL) {
		left = weft__left_until(deadline_ns);
		time = (struct timeval){left.tv_sec, left.tv_nsec / 1000};
		weft__copy(user, &time, sizeof(time));
	}
	return result;
}

long on_select(struct weft__call *c)
{
	return weft__unlikely(weft__iterative_on) ? weft__iterative_select(c, select_once)
						  : select_once(c);
}

static long pselect6_once(struct weft__call *c)
{
	struct {
		long pointer, bytes;
	} mask = {0, 0};
	uint64_t deadline_ns;
	struct timespec left;
	bool expired;
	long result = read_timeout(c->arg[4], &deadline_ns, &expired);

	if (result == 0 && c->arg[5] != 0)
		result = weft__copy(&mask, (void *)c->arg[5], sizeof(mask));
	if (result == 0)
		result = weft__mask_swap(mask.pointer, mask.bytes);
	if (result != 0)
		return result;
	result = restore_mask_or_interrupt(select_until(c, deadline_ns, expired));
	if (deadline_ns != NEVER) {
		left = weft__left_until(deadline_ns);
		weft__copy((void *)c->arg[4], &left, sizeof(left));
	}
	return result;
}

long on_pselect6(struct weft__call *c)
{
	return weft__unlikely(weft__iterative_on) ? weft__iterative_select(c, pselect6_once)
						  : pselect6_once(c);
}

static long epoll_elsewhere(const struct weft__call *c, uint64_t deadline_ns)
{
	struct weft__call wait = {.nr = SYS_epoll_pwait2, .arg = {c->arg[0], c->arg[1], c->arg[2]}};

	return wait_elsewhere(&wait, 3, deadline_ns);
}

static long epoll_look_and_wait(struct weft__call *c, uint64_t deadline_ns, bool expired)
{
	long ready;
	int result;

	if (weft__fd_claim(c) == NULL)
		return -EBADF;
	for (;;) {
		ready = weft__raw(SYS_epoll_wait, c->arg[0], c->arg[1], c->arg[2], 0);
		if (ready != 0 || expired)
			return spend(ready);
		weft__count_park(c->nr);
		result = weft__fd_wait(c, POLLIN, deadline_ns);
		if (result == -ETIMEDOUT)
			expired = true;
		else if (result == -EINTR || result == -EBADF)
			return result;
		else if (result != 0)
			return epoll_elsewhere(c, deadline_ns);
	}
}

static long epoll_until(struct weft__call *c, uint64_t deadline_ns, bool expired)
{
	long ready;

	weft__signalfd_watch(true);
	ready = epoll_look_and_wait(c, deadline_ns, expired);
	weft__signalfd_watch(false);
	return ready;
}

static uint64_t ms_deadline(int ms)
{
	return ms > 0 ? weft__deadline_after_ms(ms) : NEVER;
}

long on_epoll_wait(struct weft__call *c)
{
	return epoll_until(c, ms_deadline((int)c->arg[3]), (int)c->arg[3] == 0);
}

long on_epoll_pwait(struct weft__call *c)
{
	long err = weft__mask_swap(c->arg[4], c->arg[5]);

	return err != 0 ? err
			: weft__mask_restore(
				  epoll_until(c, ms_deadline((int)c->arg[3]), (int)c->arg[3] == 0));
}

long on_epoll_pwait2(struct weft__call *c)
{
	uint64_t deadline_ns;
	bool expired;
	long err = read_timeout(c->arg[3], &deadline_ns, &expired);

	if (err == 0)
		err = weft__mask_swap(c->arg[4], c->arg[5]);
	return err != 0 ? err : weft__mask_restore(epoll_until(c, deadline_ns, expired));
}
