/*
 * Descriptors: what weft knows of each, and who waits for it.
 *
 * A descriptor is registered in the carrier's readiness set when somebody first has to wait for
 * it, and stays there, edge-triggered, until it is closed. Nothing is asked of the kernel at a
 * wait or a wake. An event wakes everybody who waits in its direction; they try again.
 */
#ifndef WEFT_READY_H
#define WEFT_READY_H

#include <errno.h>
#include <poll.h>

#include "scheduler.h"

/** What is behind a descriptor, as far as it decides how a call on it is tried. */
enum weft__kind {
	WEFT__UNKNOWN, /* not learnt yet */
	WEFT__SOCKET,  /* MSG_DONTWAIT tries */
	WEFT__PIPE,    /* RWF_NOWAIT tries */
	WEFT__FILE,   /* waits for a disk or a network: regular files, directories, block devices */
	WEFT__MEMORY, /* never waits long: files in memory, and what epoll does not take */
	WEFT__OTHER,  /* readiness first, then the call */
	WEFT__NAME,   /* what is written becomes a thread's name */
	WEFT__RING,   /* of io_uring(7) */
	WEFT__SIGNALFD, /* signalfd(2): a thread's own are weft's */
	WEFT__UNPOLLED, /* its readiness says nothing: an offload thread reads */
};

/** What is known of the page cache behind a file (call_file.c). It may be wrong. */
struct weft__cached {
	uint64_t position; /* of the open file */
	uint32_t region;   /* where the last reads were */
	uint32_t age;      /* of the carrier, when that was */
	uint8_t hits;      /* how many of them the cache had, one after the other */
	uint8_t left;      /* how many more are sure to be cached */
	bool placed;       /* position is known */
	bool cold;         /* a read has missed, and what is ahead was not all there since */
};

/** The record of one descriptor number. Zero-filled means: nothing known. */
struct weft__fd {
	union {
		struct {
			struct weft__link readers, writers; /* weft__waiter; valid once `linked` */
		};
		struct weft__cached cached; /* WEFT__FILE: nobody waits for it */
	};
	bool linked;
	uint8_t kind;        /* enum weft__kind */
	bool stream;         /* TCP, so a short read means that nothing is left */
	bool hung_up;        /* an event spoke of an end or an error: never skip a try again */
	bool nonblock;       /* O_NONBLOCK as last seen; valid in nonblock_epoch */
	bool listening : 1;  /* accept(2) is known to make sense */
	bool lowat : 1;      /* SO_RCVLOWAT was set: wait for readiness before each try */
	bool unwritten : 1;  /* WEFT__OTHER: a write fails at once */
	bool timeouts : 1;   /* SO_RCVTIMEO or SO_SNDTIMEO is set; valid in timeouts_epoch */
	uint8_t no_nowait;   /* POLLIN, POLLOUT: this way it takes no RWF_NOWAIT */
	uint8_t synchronous; /* POLLIN, POLLOUT: this way a disk is waited for; in nonblock_epoch */
	uint32_t armed;      /* the epoll events it is registered for; 0: not registered */
	uint8_t home;        /* the number of the carrier in whose set, if it is */
	uint16_t generation; /* counts closes, so that a waiter sees that its file is gone */
	uint16_t events;     /* counts those that have come, and closes; never 0xffff */
	uint16_t drained_at; /* 1 + `events` when there was nothing left to read; 0: never */
	uint32_t nonblock_epoch;
	uint32_t timeouts_epoch;
	union {
		uint32_t fork_epoch; /* when it was made here; older: others may have it */
		uint32_t tid;        /* WEFT__NAME: whose */
		uint32_t ring;       /* WEFT__RING: the flags it was set up with */
		uint32_t order;      /* of calls that move its position: WEFT__FILE, WEFT__MEMORY */
	};
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct weft__fd) == 64, "a descriptor is one line of the cache");

/** How many events there were: read before a try, it tells afterwards whether one has come since. */
static inline uint16_t weft__fd_events(const struct weft__fd *fd)
{
	return __atomic_load_n(&fd->events, __ATOMIC_ACQUIRE);
}

/** Whether there was nothing left to read, and has been no event since. */
static inline bool weft__fd_is_drained(const struct weft__fd *fd)
{
	return fd->drained_at == weft__fd_events(fd) + 1;
}

/** The record of a number; NULL for one that is negative, out of range, or has no room. */
WEFT__SHARED struct weft__fd *weft__fd_at(long number);

/** The record of a number when it was ever looked at, else NULL. */
WEFT__SHARED struct weft__fd *weft__fd_peek(long number);

/**
 * Forget a descriptor whose number is being given up: close(2) or dup2(2) onto it comes next.
 *
 * Takes it out of the readiness set and wakes all who wait for it.
 */
WEFT__SHARED void weft__fd_forget(struct weft__fd *fd, int number);

/** The lowest number from one to another of which anything is known; -1: there is none. */
WEFT__SHARED long weft__fd_next_used(long first, long last);

/** A task that waits for a descriptor and nothing else; NULL when there is none. */
WEFT__SHARED struct weft__task *weft__fd_lone_waiter(const struct weft__fd *fd);

/**
 * Have a lone waiter go on waiting for the same open file under another number. It finds that in
 * `moved`.
 *
 * @return 0; a negative errno when it cannot, and waits as before
 */
WEFT__SHARED int weft__fd_move(struct weft__task *task, struct weft__fd *fd, int number);

/**
 * Forget every descriptor without telling kernel or waiters: for a crew's end, and for a child
 * after fork(2).
 */
WEFT__SHARED void weft__fd_forget_all(struct weft__crew *crew);

/**
 * Wait until `events` (POLLIN or POLLOUT) may be true of a descriptor.
 *
 * Switches   yes
 * Context    a task
 *
 * @return 0 when it is worth a try, or
 *   -ETIMEDOUT, -EINTR  as weft__park()
 *   -EBADF   it was closed meanwhile, and nobody has moved the wait (weft__fd_move())
 *   -EPERM   it cannot be waited for (epoll_ctl(2)): regular files
 *   -ENOMEM, -ENOSPC  the kernel had no room
 *   -ENOSYS  a filter denies it (denied.h)
 */
WEFT__SHARED int weft__ready_wait(struct weft__fd *fd, int number, int events,
				  uint64_t deadline_ns);

/**
 * Wait until something may have happened to one of several descriptors.
 *
 * The caller has asked poll(2) with a timeout of 0 before, unless weft__ready_none(), and found
 * nothing; descriptors that cannot be waited for are left out. The first call of a wait only
 * registers and returns -EAGAIN when anything had to be, so that no event is missed between the
 * caller's look and the wait.
 *
 * @return how many are ready, with their revents set as poll(2) would have when the events came; 0:
 * poll(2) has to be asked; -EAGAIN, -ETIMEDOUT, -EINTR, -ENOMEM, or another error of epoll_ctl(2)
 * when one of them cannot be registered: an epoll set that has as many within each other as there
 * may be. revents mean nothing but after a number of ready ones.
 */
WEFT__SHARED int weft__ready_wait_any(struct pollfd *fds, nfds_t n, uint64_t deadline_ns);

/**
 * Ask poll(2) without waiting. It looks for a signal all the same when nothing is ready, and one of
 * weft's own timers (the shim's) is no answer.
 */
static inline long weft__poll_now(struct pollfd *fds, nfds_t n)
{
	long ready;

	do
		ready = weft__raw(SYS_poll, fds, n, 0);
	while (weft__unlikely(ready == -EINTR));
	return ready;
}

/** Whether poll(2) would find none ready, by what has been read and no event since. */
WEFT__SHARED bool weft__ready_none(const struct pollfd *fds, nfds_t n);

/** Free the room that a task's weft__ready_wait_any() has made. */
void weft__ready_release(struct weft__task *task);

/**
 * Register a descriptor afresh: whatever is behind its number now. For programs that do not tell
 * weft what they close.
 *
 * @return 0, -ENOMEM no room for its record, or a negative errno of epoll_ctl(2)
 */
int weft__ready_renew(int number, int events);

/**
 * For the hub: act on an event that epoll reported of a descriptor. It tells nothing to polls that
 * have begun since the hub asked for it (`asked`): on another carrier what came may have been taken
 * before, or the number be another file's.
 */
WEFT__SHARED void weft__ready_event(struct weft__fd *fd, uint32_t events, uint32_t asked);

#endif
