/*
 * Descriptors as calls need them: learnt, waited for, weft's own kept out of sight.
 */
#ifndef WEFT_DESCRIPTOR_H
#define WEFT_DESCRIPTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "call.h"
#include "crew.h"
#include "ready.h"

/**
 * Have the record of a call's first argument in c->fd, its kind known.
 *
 * A call that waits goes on with the open file it began with when another task closes the number
 * meanwhile: c->arg[0] and c->fd are then another number of the same file, which is closed as the
 * call ends. So both are to be looked at afresh after any wait.
 *
 * Switches   when the task has done a good deal without waiting (weft__spend())
 *
 * @return c->fd; NULL when weft can say nothing of it: it is not open, or out of range
 */
struct weft__fd *weft__fd_claim(struct weft__call *c);

/** Learn what is behind a descriptor (learn.c); false: it is not open. */
bool weft__fd_learn(struct weft__fd *fd, long number);

/** Whether a socket is a stream of bytes without marks, of which a short read has left nothing: TCP. */
bool weft__is_stream(long number);

/** Learn a claimed descriptor anew: the program has closed its number unseen. False: not open. */
bool weft__fd_relearn(struct weft__call *c);

/** A socket option of SOL_SOCKET that is an int; -1 when it cannot be had. */
int weft__socket_option(long number, int option);

/** Learn a socket that was just made by this process, or accepted from a listener, if not NULL. */
void weft__fd_new_socket(long number, bool nonblock, bool stream, const struct weft__fd *listener);

/** Learn a ring that was just made, from the flags of io_uring_setup(2). */
void weft__fd_new_ring(long number, uint32_t flags);

/** Whether descriptors may be closed and opened unseen: nothing that is known of one is sure then. */
extern bool weft__fd_unseen;

/** Whether a socket is known to have nothing to read, so that a try would be in vain. */
bool weft__fd_drained(const struct weft__fd *fd);

/** Note what a read of c->fd, a socket, for `wanted` bytes has come to: whether anything is left. */
void weft__fd_note_read(struct weft__call *c, long result, long wanted);

/**
 * weft__raw() for a try of a call on c->fd. The crew's lock is given back before, and is the caller's
 * to take again. An event that comes meanwhile is not missed: weft__fd_park() returns at once then.
 */
#define weft__fd_ask(c, ...) \
	((c)->events = weft__fd_events((c)->fd), weft__unlock(), weft__raw(__VA_ARGS__))

/** Whether O_NONBLOCK is set on a descriptor. */
bool weft__fd_nonblock(struct weft__fd *fd, long number);

/** Whether reads (POLLIN) or writes (POLLOUT) of a file wait for the disk: O_DIRECT, O_SYNC. */
bool weft__fd_synchronous(struct weft__fd *fd, long number, int way);

/**
 * Park until a try is worth it, or say how the call ends.
 *
 * @param deadline_ns  0 before the first wait of a call; keeps when SO_RCVTIMEO or SO_SNDTIMEO
 *                     ends it
 *
 * @return 0 to try again, or the call's result: -EAGAIN (not to wait, or waited long enough),
 * -EINTR, -EBADF, or WEFT__PASS when the descriptor cannot be waited for
 */
long weft__fd_park(struct weft__call *c, int events, uint64_t *deadline_ns);

/** Park until poll(2) with no timeout says that `events` are there; 0 or as weft__fd_park(). */
long weft__fd_park_ready(struct weft__call *c, int events);

/** Wait for readiness as weft__ready_wait() does, for c->fd, which may move. */
int weft__fd_wait(struct weft__call *c, int events, uint64_t deadline_ns);

/**
 * Before a number is given up (close(2), dup2(2)): who waits for it alone goes on under another one.
 * Who polls it with others is woken, and finds it closed.
 */
void weft__fd_give_up(long number);
void weft__fd_give_up_range(unsigned int first, unsigned int last);

/** The call of a task whose descriptor has moved is over, but for what the kernel is to do. */
long weft__fd_move_ends(struct weft__call *c, long result);

/** Make a call on a socket of this process's alone, with O_NONBLOCK set meanwhile. */
long weft__fd_call_nonblock(const struct weft__call *c);

/** Whether a socket has a timeout for calls that wait for POLLIN, or POLLOUT. */
bool weft__fd_times_out(long number, int events);

/** A try of a call that must not wait; -EAGAIN when it would have to. */
typedef long weft__try(struct weft__call *c);

/** Try until the call need not wait. A `skip` of true may leave out a try that must fail. */
long weft__fd_retry(struct weft__call *c, int events, weft__try *try, bool skip);

/** Forget what was learnt of all descriptors' O_NONBLOCK, or timeouts. */
void weft__fd_flags_changed(void);
void weft__fd_timeouts_changed(void);

/** open(2) of the name of a thread, /proc/self/task/TID/comm; WEFT__PASS for any other path. */
long weft__open_name(uintptr_t path, long flags);

/** write(2) to the name of a thread (call_name.c). */
long weft__write_name(const struct weft__call *c);

/** Move a new descriptor of weft's out of the program's way; its number there, or a negative errno. */
int weft__fd_hide(int number);

/** Whether a number is one of weft's own descriptors. */
bool weft__fd_is_own(long number);

/** The lowest of weft's own descriptors that is not below a number; -1 when there is none. */
long weft__fd_next_own(unsigned int number);

/** Forget and close weft's own descriptors: for a child after fork(2). */
void weft__fd_close_own(void);

/** A socket may be shared with another process from here on: for fork(2). */
void weft__fd_forked(void);

/** Whether only this process can hold a socket. */
bool weft__fd_private(const struct weft__fd *fd);

#endif
