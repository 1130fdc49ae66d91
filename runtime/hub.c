/*
 * See hub.h.
 *
 * A turn of the hub waits (or only looks, when tasks are ready), wakes whom the events concern,
 * and runs ready tasks until it is its turn again. It never switches from inside a libuv
 * callback: callbacks make tasks ready, and the loop is whole whenever a task runs.
 *
 * A task may have been stopped while it holds a lock of libc's. So the hub calls nothing that
 * takes one, and to ring takes one system call: it is done by threads that libc does not know, and
 * in signal handlers.
 */
#include "hub.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <uv.h>

#include "crew.h"
#include "denied.h"
#include "memory.h"
#include "ready.h"
#include "stats.h"

/*
 * As many as have a turn before the next look (LOOK_EVERY of scheduler.c). Of more, what was just
 * fetched has left the caches by their turn: the sockets, which epoll_wait(2) asks, and the stacks
 * and page tables, which are looked up at a wake. With 256 a request on one of 1000 connections took
 * 7 % more processor time.
 */
#define EVENTS_AT_ONCE 64

/* After so many the other carriers may have the lock: each comes from far, and takes 0.1 us. */
#define BETWEEN_BREATHS 16

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

struct weft__hub {
	uv_loop_t loop;
	int set, bell;
	int wait_call;       /* epoll_wait, or epoll_pwait where that is denied */
	bool no_nanoseconds; /* the kernel has no epoll_pwait2 (before Linux 5.11) */
	bool shared;         /* the program has the loop */
	bool deaf;           /* it can ask epoll nothing any more: it sleeps on `rung` */
	uint32_t rung;       /* counts rings; only the deaf look at it */
	struct epoll_event events[EVENTS_AT_ONCE];
};

static int add(int set, int number, uint32_t events, void *ptr)
{
	struct epoll_event event = {.events = events, .data.ptr = ptr};

	return (int)weft__raw(SYS_epoll_ctl, set, EPOLL_CTL_ADD, number, &event);
}

/*
 * The set and what is always in it. They are made by libc, not raw: the shim moves descriptors of
 * weft's out of the program's way.
 */
static int make_set(struct weft__hub *hub)
{
	int err;

	hub->set = epoll_create1(EPOLL_CLOEXEC);
	if (hub->set < 0)
		return -errno;
	hub->bell = eventfd(0, EFD_CLOEXEC);
	if (hub->bell < 0) {
		err = -errno;
		goto close_set;
	}
	/* data.ptr NULL stands for the loop, level-triggered: it is run until it is quiet. */
	err = add(hub->set, uv_backend_fd(&hub->loop), EPOLLIN, NULL);
	if (err != 0)
		goto close_bell;
	/* Each ring is an edge, so the bell is never read. */
	err = add(hub->set, hub->bell, (uint32_t)EPOLLIN | (uint32_t)EPOLLET, hub);
	if (err == 0)
		return 0;
close_bell:
	weft__raw(SYS_close, hub->bell);
close_set:
	weft__raw(SYS_close, hub->set);
	return err;
}

int weft__hub_open(struct weft__carrier *carrier)
{
	struct weft__hub *hub = weft__alloc(sizeof(*hub));
	int err;

	if (hub == NULL)
		return -ENOMEM;
	memset(hub, 0, sizeof(*hub));
	hub->loop.backend_fd = -1;
	hub->wait_call = SYS_epoll_wait;
	err = uv_loop_init(&hub->loop);
	if (err != 0) {
		/* libuv 1.44 leaves it open when what comes after it fails. */
		if (hub->loop.backend_fd != -1)
			weft__raw(SYS_close, hub->loop.backend_fd);
		goto free_hub;
	}
	err = make_set(hub);
	if (err != 0)
		goto close_loop;
	carrier->hub = hub;
	return 0;

close_loop:
	uv_loop_close(&hub->loop);
free_hub:
	weft__free(hub, sizeof(*hub));
	return err;
}

static void close_handle(uv_handle_t *handle, void *unused)
{
	(void)unused;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

/*
 * What the program has left open. Its requests come to their end, and may open more; so may what it
 * has called back when its own handles are closed.
 */
static void close_handles(uv_loop_t *loop)
{
	do {
		uv_walk(loop, close_handle, NULL);
		uv_run(loop, UV_RUN_ONCE);
	} while (uv_loop_close(loop) == UV_EBUSY);
}

void weft__hub_close(struct weft__carrier *carrier)
{
	struct weft__hub *hub = carrier->hub;

	while (__atomic_load_n(&carrier->ringing, __ATOMIC_ACQUIRE) != 0)
		__builtin_ia32_pause();
	if (hub->shared)
		close_handles(&hub->loop);
	else
		weft__check(uv_loop_close(&hub->loop) == 0);
	weft__raw(SYS_close, hub->bell);
	weft__raw(SYS_close, hub->set);
	weft__fd_forget_all(carrier->crew);
	weft__free(hub, sizeof(*hub));
	carrier->hub = NULL;
}

void weft__hub_ring(struct weft__carrier *carrier)
{
	struct weft__hub *hub = carrier->hub;
	uint64_t one = 1;

	if (weft__likely(!hub->deaf)) {
		weft__raw(SYS_write, hub->bell, &one, sizeof(one));
		return;
	}
	__atomic_add_fetch(&hub->rung, 1, __ATOMIC_RELEASE);
	if (!weft__denied[SYS_futex])
		weft__raw(SYS_futex, &hub->rung, FUTEX_WAKE_PRIVATE, INT_MAX);
}

bool weft__hub_restrict(struct weft__carrier *carrier)
{
	struct weft__hub *hub = carrier->hub;

	if (weft__denied[SYS_epoll_wait])
		hub->wait_call = SYS_epoll_pwait;
	if (weft__denied[SYS_epoll_pwait2])
		hub->no_nanoseconds = true;
	if (weft__denied[hub->wait_call] || weft__denied[SYS_epoll_ctl] || weft__denied[SYS_write])
		hub->deaf = true;
	return !hub->deaf;
}

int weft__hub_bell(const struct weft__carrier *carrier)
{
	return carrier->hub->bell;
}

int weft__hub_set(const struct weft__carrier *carrier)
{
	return carrier->hub->set;
}

bool weft__hub_called(const struct weft__carrier *carrier)
{
	uint64_t soonest_ns = __atomic_load_n(&carrier->timers.soonest_ns, __ATOMIC_RELAXED);
	struct pollfd set = {.fd = carrier->hub->set, .events = POLLIN};

	if (weft__wants_attention(carrier) ||
	    __atomic_load_n(&carrier->remote, __ATOMIC_RELAXED) != NULL ||
	    (soonest_ns != 0 && soonest_ns <= weft__now_ns()))
		return true;
	/* What an edge has told is not taken by this, as it would be by epoll_wait(2). */
	return weft__denied[SYS_poll] ? carrier->registered != 0 : weft__poll_now(&set, 1) > 0;
}

/* Until when the loop has nothing to do, in milliseconds; -1: until a descriptor of it is ready. */
static int loop_timeout(const struct weft__hub *hub)
{
	return uv_loop_alive(&hub->loop) ? uv_backend_timeout(&hub->loop) : -1;
}

/* Until when the hub may sleep: 0 for now, UINT64_MAX for ever. */
static uint64_t sleep_until(struct weft__carrier *carrier)
{
	uint64_t until = UINT64_MAX;
	int loop_ms = loop_timeout(carrier->hub);

	if (weft__others_wait(carrier) || carrier->behind != NULL ||
	    weft__wants_attention(carrier) || loop_ms == 0 || carrier->at_rest != NULL)
		return 0;
	if (carrier->timers.first != NULL)
		until = carrier->timers.first->deadline_ns;
	if (weft__unlikely(carrier == carrier->crew->spare)) {
		uint64_t watch = weft__crew_watches_until(carrier);

		if (watch < until)
			until = watch;
	}
	if (loop_ms > 0) {
		uint64_t loop_until = weft__now_ns() + (uint64_t)loop_ms * 1000000U;

		if (loop_until < until)
			until = loop_until;
	}
	return until;
}

/*
 * Say that the hub is about to sleep: from now on who wakes somebody rings. False when something has
 * come before.
 */
static bool fall_asleep(struct weft__carrier *carrier)
{
	weft__crew_fall_asleep(carrier);
	return __atomic_load_n(&carrier->remote, __ATOMIC_SEQ_CST) == NULL &&
	       !(weft__parallel && weft__crew_has_work(carrier));
}

/* With no mask epoll_pwait is epoll_wait. */
static long wait_ms(struct weft__hub *hub, long ms)
{
	return weft__raw_free(hub->wait_call, hub->set, hub->events, EVENTS_AT_ONCE, ms, NULL, 0);
}

static long wait_by_milliseconds(struct weft__hub *hub, const struct timespec *timeout)
{
	long ms = -1;

	if (timeout != NULL)
		ms = timeout->tv_sec > 1000000
			     ? 1000000000
			     : timeout->tv_sec * 1000 + (timeout->tv_nsec + 999999) / 1000000;
	return wait_ms(hub, ms);
}

/* How long the deaf sleep at a time when nobody can wake them. */
#define DOZE_NS 1000000

/*
 * Sleep until a time, NULL is never, or a ring. Who rings after the caller's last look has counted
 * on `rung` by then, or its task is in `remote`.
 */
static long wait_for_ring(struct weft__carrier *carrier, const struct timespec *timeout)
{
	struct weft__hub *hub = carrier->hub;
	uint32_t rung = __atomic_load_n(&hub->rung, __ATOMIC_ACQUIRE);
	struct timespec doze = {0, DOZE_NS};

	if (__atomic_load_n(&carrier->remote, __ATOMIC_ACQUIRE) != NULL ||
	    weft__wants_attention(carrier))
		return 0;
	if (!weft__denied[SYS_futex])
		weft__raw_free(SYS_futex, &hub->rung, FUTEX_WAIT_PRIVATE, rung, timeout);
	else if (!weft__denied[SYS_nanosleep])
		weft__raw_free(SYS_nanosleep, &doze, NULL);
	else if (!weft__denied[SYS_clock_nanosleep])
		weft__raw_free(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &doze, NULL);
	return 0;
}

static long sleep_for_events(struct weft__carrier *carrier, uint64_t until)
{
	struct weft__hub *hub = carrier->hub;
	struct timespec timeout = {0, 0};
	uint64_t now = 0;
	long n;

	weft__count(weft__stats.idle_waits);
	carrier->age += WEFT__IDLE_AGE;
	if (until != UINT64_MAX) {
		now = weft__now_ns();
		if (until > now) {
			timeout.tv_sec = (time_t)((until - now) / 1000000000U);
			timeout.tv_nsec = (long)((until - now) % 1000000000U);
		}
	}
	if (weft__unlikely(hub->deaf))
		return wait_for_ring(carrier, until == UINT64_MAX ? NULL : &timeout);
	if (!hub->no_nanoseconds) {
		n = weft__raw_free(SYS_epoll_pwait2, hub->set, hub->events, EVENTS_AT_ONCE,
				   until == UINT64_MAX ? NULL : &timeout, NULL, 0);
		if (n != -ENOSYS)
			return n;
		hub->no_nanoseconds = true;
	}
	return wait_by_milliseconds(hub, until == UINT64_MAX ? NULL : &timeout);
}

static long wait_for_events(struct weft__carrier *carrier)
{
	uint64_t until = sleep_until(carrier);
	long n = 0;

	carrier->asked = carrier->crew->polls;
	if (until != 0 && fall_asleep(carrier))
		n = sleep_for_events(carrier, until);
	else if (weft__likely(!carrier->hub->deaf))
		n = wait_ms(carrier->hub, 0);
	if (until != 0)
		weft__crew_awake(carrier);
	return n;
}

static void expire_timers(struct weft__carrier *carrier)
{
	struct weft__timer *timer = carrier->timers.first;
	uint64_t now;

	if (timer == NULL)
		return;
	now = weft__now_ns();
	while ((timer = carrier->timers.first) != NULL && timer->deadline_ns <= now) {
		weft__timer_disarm(timer);
		weft__wake(weft__container(timer, struct weft__task, timer), -ETIMEDOUT);
	}
}

/* With many descriptors their records, and those of who waits, come from far. */
static inline __attribute__((always_inline)) void fetch_ahead(const struct weft__hub *hub, long i,
							      long n)
{
	if (i + 8 < n && hub->events[i + 8].data.ptr != NULL)
		__builtin_prefetch(hub->events[i + 8].data.ptr);
	if (i + 4 < n && hub->events[i + 4].data.ptr != NULL && hub->events[i + 4].data.ptr != hub)
		__builtin_prefetch(((struct weft__fd *)hub->events[i + 4].data.ptr)->readers.next);
}

static void look_around(struct weft__carrier *carrier)
{
	struct weft__hub *hub = carrier->hub;
	bool run_loop = loop_timeout(hub) == 0;
	long n;

	/* What a program has begun in the loop is not in its set before the loop has run. */
	if (weft__unlikely(hub->shared))
		uv_run(&hub->loop, UV_RUN_NOWAIT);
	n = wait_for_events(carrier);
	weft__crew_do_errand(carrier);
	carrier->looks++;
	carrier->age++;
	for (long i = 0; i < n; i++) {
		void *ptr = hub->events[i].data.ptr;

		fetch_ahead(hub, i, n);
		if (i % BETWEEN_BREATHS == BETWEEN_BREATHS - 1)
			weft__breathe();
		if (ptr == NULL)
			run_loop = true;
		else if (ptr != hub) /* nothing is done for the bell: having woken is all */
			weft__ready_event(ptr, hub->events[i].events, carrier->asked);
	}
	if (run_loop)
		uv_run(&hub->loop, UV_RUN_NOWAIT);
	weft__drain_remote(carrier);
	expire_timers(carrier);
	if (weft__wants_attention(carrier) && carrier->attend != NULL)
		carrier->attend(carrier);
	if (weft__unlikely(carrier->at_rest != NULL) && !weft__others_wait(carrier))
		carrier->at_rest(carrier);
}

struct uv_loop_s *weft__hub_loop(struct weft__carrier *carrier)
{
	/* Counts as a descriptor: the hub is to have its turn though tasks keep each other busy. */
	if (!carrier->hub->shared)
		carrier->registered++;
	carrier->hub->shared = true;
	return &carrier->hub->loop;
}

void weft__hub_run(struct weft__carrier *carrier)
{
	weft__hub_of = carrier;
	weft__lock();
	for (;;) {
		look_around(carrier);
		if (weft__unlikely(carrier == carrier->crew->spare))
			weft__crew_watch(carrier);
		else
			weft__run_ready(carrier);
	}
}
