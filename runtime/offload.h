/*
 * Offload: kernel threads for what can only be done by blocking one.
 *
 * They belong to weft and not to libuv's pool, which the program may use itself, nor does libc know
 * them. They are not tasks, are made when a job finds none idle, and block all signals but
 * the one that stops their calls, which is glibc's for changing the user of all threads (setuid(2)).
 */
#ifndef WEFT_OFFLOAD_H
#define WEFT_OFFLOAD_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

#include "denied.h"
#include "raw.h"

struct weft__task;

/** What a call may read while nobody waits for it any more. */
#define WEFT__JOB_DATA 128

/** The signal that offload threads admit: glibc's SIGSETXID, which programs cannot have. */
#define WEFT__OFFLOAD_SIGNAL 33

/** How a call is to end with -EINTR (stoppable_x86_64.S knows the second). */
enum weft__stop {
	WEFT__GO_ON,
	WEFT__STOP,       /* begun or not */
	WEFT__STOP_BEGUN, /* when the kernel has begun it and lets itself be interrupted */
};

/**
 * A blocking system call to be made by an offload thread.
 *
 * Unless calls can be stopped (weft__offload_stops), one whose wait is interrupted goes on by
 * itself: an argument must not point into memory that goes away then. What is to be read may be
 * copied to `data`, and `data_arg` points there.
 */
struct weft__job {
	long nr, arg[6];
	/* Instead of the call; nothing ends the wait for it. NULL: the call. */
	long (*run)(struct weft__job *job);
	int data_arg;   /* which argument is to point to data; -1: none */
	bool ends;      /* by itself, soon: a disk's work, not somebody's turn; it may be queued */
	uint32_t order; /* calls of one order come one after the other, as made; 0: none; `ends` */
	char data[WEFT__JOB_DATA];
	long result;          /* written by the offload thread; valid when the wait is over */
	int signal;           /* SIGPIPE or SIGXFSZ, which the call has sent; 0: none; as result */
	volatile int stopped; /* enum weft__stop */
	int tid;              /* the offload thread that makes the call; 0: none; by the lock */
	unsigned int generation; /* of the threads that may make it */
	struct weft__task *task; /* who waits for it; NULL: nobody any more, free it when done */
	struct weft__job *next;  /* in the pool's queue, or behind the first of its order */
	struct weft__job *next_first;    /* of another order; the first's only, like these */
	struct weft__job *behind, *last; /* the others of its order; last is valid if behind is */
};

/**
 * Make a copy of a system call on an offload thread, and wait for it.
 *
 * When the wait is interrupted, a call that can be stopped is, and has ended when this returns; it
 * may have come to its end just before. Any other goes on, its result is -EINTR and nobody hears of
 * its own.
 *
 * Calls that end by themselves share the threads, and find one that is not kept by any other: of
 * those a quarter of the limit stays free. A call that may last has a thread to itself: one before
 * it may wait for what this one's caller does.
 *
 * Switches   yes
 * Context    a task
 *
 * @return 0 and the call's `result` and `signal`, or
 *   -EAGAIN  no thread could be made, or the limit is reached and all are busy
 *   -ENOMEM
 */
WEFT__SHARED int weft__offload_call(struct weft__job *call);

/**
 * Told when a task begins to wait for such a call and, if the answer was true, when it is over, by NULL;
 * itself NULL: nobody asks.
 */
extern WEFT__SHARED bool (*weft__offload_waits)(const struct weft__job *call);

/** As weft__offload_call(), result and error in one. */
WEFT__SHARED long weft__offload(struct weft__job *call);

/**
 * For a job's `run` that has made a process: its thread is that one's parent, and does not end before
 * the process (PR_SET_PDEATHSIG of prctl(2)).
 *
 * Context    an offload thread
 */
WEFT__SHARED void weft__offload_is_parent(void);

/** Whether calls of an order are queued or being made. Context: a task. */
WEFT__SHARED bool weft__offload_in_order(uint32_t order);

/**
 * Whether calls can be stopped: who owns the process's signals has WEFT__OFFLOAD_SIGNAL handled, and
 * asks weft__offload_stop() in the handler first.
 */
extern WEFT__SHARED bool weft__offload_stops;

/**
 * Whether a signal was weft's own, to stop a call; then that has been done.
 *
 * Context    a signal handler
 */
WEFT__SHARED bool weft__offload_stop(const siginfo_t *info, ucontext_t *ucontext);

/** The most offload threads at once (WEFT_OFFLOAD_THREADS). */
extern WEFT__SHARED unsigned int weft__offload_most;

/**
 * Have calls from now on made by threads that have what the calling one has: user and group ids,
 * capabilities, namespaces, system call filters.
 *
 * One that is in a call keeps what it has until that ends, and does not count as one of the most
 * that may be.
 *
 * Switches   no
 * Context    a task
 */
WEFT__SHARED void weft__offload_retire(void);

/** Whether threads can be made where these calls are denied. */
WEFT__SHARED bool weft__offload_makes(const bool denied[WEFT__DENIABLE]);

/**
 * Have so many threads wait for jobs when this returns, be it more than the most that may be. They
 * do not end when idle: no others can be made soon.
 *
 * Switches   no
 * Context    a task
 */
WEFT__SHARED void weft__offload_reserve(unsigned int threads);

/**
 * Make no thread any more if calls are denied that it takes (denied.h): weft__offload_most is then
 * how many there are, which is 0 when they could not even wait for jobs.
 */
WEFT__SHARED void weft__offload_restrict(void);

/** Forget all threads and jobs: for a child after fork(2), where none of them is. */
WEFT__SHARED void weft__offload_clear(void);

#endif
