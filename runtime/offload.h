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
#include <ucontext.h>

#include "denied.h"
#include "raw.h"

struct weft_task;

/** What a call may read while nobody waits for it any more. */
#define WEFT__JOB_DATA 128

/** The signal that offload threads admit: glibc's SIGSETXID, which programs cannot have. */
#define WEFT__OFFLOAD_SIGNAL 33

/**
 * A blocking system call to be made by an offload thread.
 *
 * Unless calls can be stopped (weft__offload_stops), one whose wait is interrupted goes on by
 * itself: an argument must not point into memory that goes away then. What is to be read may be
 * copied to `data`, and `data_arg` points there.
 */
struct weft__job {
	long nr, arg[6];
	int data_arg; /* which argument is to point to data; -1: none */
	char data[WEFT__JOB_DATA];
	long result;             /* written by the offload thread */
	volatile int stopped;    /* 1: it is to end with -EINTR */
	int tid;                 /* the offload thread that makes the call; 0: none; by the lock */
	unsigned int generation; /* of the threads that may make it */
	struct weft_task *task;  /* who waits for it; NULL: nobody any more, free it when done */
	struct weft__job *next;  /* in the pool's queue */
};

/**
 * Make a copy of a system call on an offload thread, and wait for it.
 *
 * When the wait is interrupted, a call that can be stopped is, and has ended when this returns; it
 * may have come to its end just before. Any other goes on, its result is -EINTR and nobody hears of
 * its own.
 *
 * Switches   yes
 * Context    a task
 *
 * @return 0 and the call's result, or
 *   -EAGAIN  no thread could be made, or the limit is reached and all are busy
 *   -ENOMEM
 */
WEFT__SHARED int weft__offload_call(const struct weft__job *call, long *ret_result);

/** As weft__offload_call(), result and error in one. */
WEFT__SHARED long weft__offload(const struct weft__job *call);

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
 * Have so many threads, or the most that may be, wait for jobs when this returns.
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
