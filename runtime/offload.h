/*
 * Offload: kernel threads for what can only be done by blocking one.
 *
 * They belong to weft and not to libuv's pool, which the program may use itself. They block all
 * signals, are not tasks, and are made when a job finds none idle.
 */
#ifndef WEFT_OFFLOAD_H
#define WEFT_OFFLOAD_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "raw.h"

struct weft_task;

/** What a call may read while nobody waits for it any more. */
#define WEFT__JOB_DATA 128

/**
 * A blocking system call to be made by an offload thread.
 *
 * When the wait is interrupted the call goes on by itself, so an argument must not point into
 * memory that goes away. What it reads is copied to `data`, and `data_arg` points there.
 */
struct weft__job {
	long nr, arg[6];
	int data_arg; /* which argument is to point to data; -1: none */
	char data[WEFT__JOB_DATA];
	uint32_t cancel;        /* for weft__offload_waitv() */
	long result;            /* written by the offload thread */
	struct weft_task *task; /* who waits for it; NULL: nobody any more, free it when done */
	struct weft__job *next; /* in the pool's queue */
};

/**
 * Make a copy of a system call on an offload thread, and wait for it.
 *
 * Switches   yes
 * Context    a task
 *
 * @return the call's result, or
 *   -EINTR   the wait was interrupted; the call goes on and nobody hears of it
 *   -EAGAIN  no thread could be made, or the limit is reached and all are busy
 *   -ENOMEM
 */
WEFT__SHARED long weft__offload(const struct weft__job *call);

/** What weft__offload_waitv() returns when there is no thread for it, nor can be. */
#define WEFT__NO_THREAD (-EBUSY)

/**
 * Make a futex_waitv(2) on an offload thread, and wait for it.
 *
 * The first word must be job->cancel, expected to be 0, private: it ends the call when the wait is
 * interrupted. So nothing waits in the kernel that could take a wake from somebody, and the call's
 * memory may be the caller's. The job is not copied.
 *
 * Switches   yes
 * Context    a task
 *
 * @return the call's result, or
 *   -EINTR            the wait was interrupted
 *   WEFT__NO_THREAD
 */
WEFT__SHARED long weft__offload_waitv(struct weft__job *job);

/** The most offload threads at once (WEFT_OFFLOAD_THREADS). */
extern WEFT__SHARED unsigned int weft__offload_most;

/** Whether jobs are queued. */
bool weft__offload_waits(void);

/** For the hub: make a thread when a job waits and none is idle. */
void weft__offload_serve(void);

/** Forget all threads and jobs: for a child after fork(2), where none of them is. */
WEFT__SHARED void weft__offload_clear(void);

#endif
