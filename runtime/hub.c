/*
 * See hub.h.
 *
 * A turn of the hub waits (or only looks, when tasks are ready), wakes whom the events concern,
 * and runs ready tasks until it is its turn again. It never switches from inside a libuv
 * callback: callbacks make tasks ready, and the loop is whole whenever a task runs.
 */
#include "hub.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <uv.h>

#include "memory.h"
#include "offload.h"
#include "ready.h"
#include "stats.h"

#define EVENTS_AT_ONCE 256

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

struct weft__hub {
	uv_loop_t loop;
	uv_async_t bell;
	int set;
	bool no_nanoseconds; /* the kernel has no epoll_pwait2 (before Linux 5.11) */
	struct epoll_event events[EVENTS_AT_ONCE];
};

static void on_bell(uv_async_t *bell)
{
	(void)bell; /* having woken is all */
}

int weft__hub_open(struct weft__carrier *carrier)
{
	struct weft__hub *hub = weft__alloc(sizeof(*hub));
	/* data.ptr NULL stands for the loop, level-triggered: it is run until it is quiet. */
	struct epoll_event event = {.events = EPOLLIN};
	long set;
	int err;

	if (hub == NULL)
		return -ENOMEM;
	memset(hub, 0, sizeof(*hub));
	hub->loop.backend_fd = -1;
	err = uv_loop_init(&hub->loop);
	if (err != 0) {
		/* libuv 1.44 leaves it open when what comes after it fails. */
		if (hub->loop.backend_fd != -1)
			weft__raw(SYS_close, hub->loop.backend_fd);
		goto free_hub;
	}
	err = uv_async_init(&hub->loop, &hub->bell, on_bell);
	if (err != 0)
		goto close_loop;
	/* By libc, not raw: the shim moves descriptors of weft's out of the program's way. */
	set = epoll_create1(EPOLL_CLOEXEC);
	if (set < 0) {
		err = -errno;
		goto close_bell;
	}
	hub->set = (int)set;
	err = (int)weft__raw(SYS_epoll_ctl, set, EPOLL_CTL_ADD, uv_backend_fd(&hub->loop), &event);
	if (err != 0)
		goto close_set;
	uv_run(&hub->loop, UV_RUN_NOWAIT); /* libuv registers its descriptors when it runs */
	carrier->hub = hub;
	return 0;

close_set:
	weft__raw(SYS_close, set);
close_bell:
	uv_close((uv_handle_t *)&hub->bell, NULL);
	uv_run(&hub->loop, UV_RUN_DEFAULT);
close_loop:
	uv_loop_close(&hub->loop);
free_hub:
	weft__free(hub, sizeof(*hub));
	return err;
}

void weft__hub_close(struct weft__carrier *carrier)
{
	struct weft__hub *hub = carrier->hub;

	while (__atomic_load_n(&carrier->ringing, __ATOMIC_ACQUIRE) != 0)
		__builtin_ia32_pause();
	uv_close((uv_handle_t *)&hub->bell, NULL);
	uv_run(&hub->loop, UV_RUN_DEFAULT);
	weft__check(uv_loop_close(&hub->loop) == 0);
	weft__raw(SYS_close, hub->set);
	weft__fd_forget_all(carrier);
	weft__free(hub, sizeof(*hub));
	carrier->hub = NULL;
}

void weft__hub_ring(struct weft__carrier *carrier)
{
	uv_async_send(&carrier->hub->bell);
}

int weft__hub_set(const struct weft__carrier *carrier)
{
	return carrier->hub->set;
}

/* Until when the hub may sleep: 0 for now, UINT64_MAX for ever. */
static uint64_t sleep_until(struct weft__carrier *carrier)
{
	uint64_t until = UINT64_MAX;
	int loop_ms = uv_backend_timeout(&carrier->hub->loop);

	if (carrier->ready.first != NULL || carrier->stopped != NULL || carrier->attention ||
	    loop_ms == 0)
		return 0;
	if (carrier->timers.first != NULL)
		until = carrier->timers.first->deadline_ns;
	if (loop_ms > 0) {
		uint64_t loop_until = weft__now_ns() + (uint64_t)loop_ms * 1000000U;

		if (loop_until < until)
			until = loop_until;
	}
	return until;
}

static long wait_by_milliseconds(struct weft__hub *hub, const struct timespec *timeout)
{
	long ms = -1;

	if (timeout != NULL)
		ms = timeout->tv_sec > 1000000
			     ? 1000000000
			     : timeout->tv_sec * 1000 + (timeout->tv_nsec + 999999) / 1000000;
	return weft__raw(SYS_epoll_wait, hub->set, hub->events, EVENTS_AT_ONCE, ms);
}

static long wait_for_events(struct weft__carrier *carrier)
{
	struct weft__hub *hub = carrier->hub;
	uint64_t until = sleep_until(carrier), now = 0;
	struct timespec timeout = {0, 0};
	long n;

	if (until == 0)
		return weft__raw(SYS_epoll_wait, hub->set, hub->events, EVENTS_AT_ONCE, 0);
	weft__count(weft__stats.idle_waits);
	if (until != UINT64_MAX) {
		now = weft__now_ns();
		if (until > now) {
			timeout.tv_sec = (time_t)((until - now) / 1000000000U);
			timeout.tv_nsec = (long)((until - now) % 1000000000U);
		}
	}
	if (!hub->no_nanoseconds) {
		n = weft__raw(SYS_epoll_pwait2, hub->set, hub->events, EVENTS_AT_ONCE,
			      until == UINT64_MAX ? NULL : &timeout, NULL, 0);
		if (n != -ENOSYS)
			return n;
		hub->no_nanoseconds = true;
	}
	return wait_by_milliseconds(hub, until == UINT64_MAX ? NULL : &timeout);
}

static void expire_timers(struct weft__carrier *carrier)
{
	struct weft__timer *timer = carrier->timers.first;
	uint64_t now;

	if (timer == NULL)
		return;
	now = weft__now_ns();
	while ((timer = carrier->timers.first) != NULL && timer->deadline_ns <= now) {
		weft__timer_disarm(&carrier->timers, timer);
		weft__wake(weft__container(timer, struct weft_task, timer), -ETIMEDOUT);
	}
}

/* With many descriptors their records, and those of who waits, come from far. */
static inline __attribute__((always_inline)) void fetch_ahead(const struct epoll_event *event,
							      long left)
{
	if (left > 8 && event[8].data.ptr != NULL)
		__builtin_prefetch(event[8].data.ptr);
	if (left > 4 && event[4].data.ptr != NULL)
		__builtin_prefetch(((struct weft__fd *)event[4].data.ptr)->readers.next);
}

static void look_around(struct weft__carrier *carrier)
{
	struct weft__hub *hub = carrier->hub;
	bool run_loop = uv_backend_timeout(&hub->loop) == 0;
	long n;

	weft__offload_serve();
	n = wait_for_events(carrier);
	weft__count(weft__stats.looks);
	for (long i = 0; i < n; i++) {
		fetch_ahead(hub->events + i, n - i);
		if (hub->events[i].data.ptr == NULL)
			run_loop = true;
		else
			weft__ready_event(hub->events[i].data.ptr, hub->events[i].events);
	}
	if (run_loop)
		uv_run(&hub->loop, UV_RUN_NOWAIT);
	weft__drain_remote(carrier);
	expire_timers(carrier);
	if (carrier->attention && carrier->attend != NULL)
		carrier->attend(carrier);
}

void weft__hub_run(struct weft__carrier *carrier)
{
	weft__hub_of = carrier;
	for (;;) {
		look_around(carrier);
		weft__run_ready(carrier);
	}
}
