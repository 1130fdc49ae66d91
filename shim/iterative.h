/*
 * Iterative servers: a loop of accept, serve, close on one thread serves everybody at once.
 *
 * At an accept(2) the main thread is split. It goes on waiting for connections; for each, a *copy* of it
 * goes on from that very call with the new descriptor, on the same stack: on a copy of what the stack
 * held, at the same addresses. When a copy comes back to that listener it has served, and ends. Copies are
 * the same thread to libc, with the same thread pointer: what is theirs alone is the stack, the registers,
 * errno and the C++ exceptions in progress.
 *
 *	stack    | main(), accept() |           resident: the one whose frames are there
 *	slices   | main(), serve(), read() |    of each other member, what it had there
 *
 * Only one member's frames are at the addresses, and its turn comes like that of any other task. When
 * the turn is another's, its place in the scheduler's record leads to the exchange: on a stack of its own,
 * what is there is moved to the one's slice and the other's is moved in. So nothing is paid where
 * nothing is exchanged, by other tasks or by a member that is resident already.
 *
 * While another kernel thread may use what is on the stack (offload.h) the resident stays, and the others
 * wait; likewise while it has more there than a slice may have.
 */
#ifndef WEFT_ITERATIVE_H
#define WEFT_ITERATIVE_H

#include <stdbool.h>

#include "call.h"

struct weft__thread;

/** Which calls of the main thread have it split (WEFT_ITERATIVE). */
enum weft__iterative {
	WEFT__ITERATIVE_NO,
	WEFT__ITERATIVE_ALL,
	WEFT__ITERATIVE_CHECK, /* and say what two connections write to (statics.h) */
	WEFT__ITERATIVE_PORTS, /* of listeners at some ports */
};

/** Read what is set. */
void weft__iterative_set(unsigned int mode, const char *ports, unsigned int slice_kb);

/** Whether a call that is about to wait for connections or datagrams is to wake weft up. */
bool weft__iterative_wakes(void);

/** Whether the main thread may be split. */
extern bool weft__iterative_on;

/** Weft sleeps. */
void weft__iterative_end(void);

/** Begin: weft is awake, and who calls is the main thread. */
void weft__iterative_begin(void);

/**
 * A listener has a connection or a datagram for the running task: split it, if it is to be.
 *
 * Switches   no, but it returns once more in the copy
 *
 * @param result  of the call
 *
 * @return WEFT__AGAIN in the main thread, which is to wait for the next one; else result
 */
long weft__iterative_split(struct weft__call *c, long result);

enum weft__split {
	WEFT__SPLIT_NOT,  /* it goes on as plain */
	WEFT__SPLIT_COPY, /* it is the copy */
	WEFT__SPLIT_MAIN, /* the copy has accepted what it was made for */
	WEFT__SPLIT_INTERRUPTED,
};

/** Whether connections or datagrams of a descriptor have the running task split. */
bool weft__iterative_accepts(long number);

/**
 * A descriptor that weft__iterative_accepts() is ready: split the running task, and wait until the copy
 * has accepted there. Switches.
 */
enum weft__split weft__iterative_split_at(long number);

/** poll(2) and ppoll(2), select(2) and pselect6(2), while weft__iterative_on, by what does them once. */
long weft__iterative_poll(struct weft__call *c, weft__handler *once);
long weft__iterative_select(struct weft__call *c, weft__handler *once);

/**
 * Whether a copy that waits at its listener waits for the connection that it has accepted, too: then it
 * serves several by itself, is the program from here on, and told so.
 */
bool weft__iterative_takes_over(void);

/** What a copy has accepted last; -1: nothing, or it is none. */
int weft__iterative_accepted(void);

/**
 * A call for a listener or a datagram socket begins, or one that polls it. A copy that has come back
 * to its own ends here.
 */
void weft__iterative_comes_back(long number, bool polls);

/** The listener that the running task comes from and ends at; -1: it is no copy. */
int weft__iterative_listener(void);

/** The number of the copy that runs, which no other has had; 0: it is none. */
unsigned long weft__iterative_copy(void);

/** Whether static data is watched (statics.h). */
bool weft__iterative_checks(void);

/**
 * Another thread is given the address of an object. If that is on the stack, its connection is served
 * alone until it ends, all other ones in turn if it is the main thread's.
 */
void weft__iterative_shares(const void *object);

/** Statistics. */
struct weft__iterative_counts {
	unsigned long copies, now, most; /* made; that there are, and were at once */
	unsigned long exchanges, bytes;  /* of frames, and what was moved in by them */
};
extern struct weft__iterative_counts weft__iterative_counts;

#endif
