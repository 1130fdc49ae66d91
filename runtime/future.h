/*
 * Futures as the executor has them (api/executor.c), which queues and runs them, and as tasks do
 * (api/future.c).
 *
 *   queued --a thread takes it--> running --its function returns--> ended --told of--> ready
 *      |                                                                                 |
 *      +--weft_future_cancel(), weft_executor_shutdown()--> canceled --------------------+
 */
#ifndef WEFT_FUTURE_H
#define WEFT_FUTURE_H

#include "native.h"

enum weft__future_state {
	WEFT__FUTURE_QUEUED,
	WEFT__FUTURE_RUNNING,
	WEFT__FUTURE_ENDED, /* or canceled */
};

/** What is to be called when it is done. */
struct weft__done_call;

struct weft_future {
	weft_object object;
	struct weft__link link;  /* among the executor's; by its lock */
	weft_executor *executor; /* valid until it is ready */
	struct weft__run *run;   /* that waits for it; valid until it is ready */
	struct weft__post post;  /* own mode: tells the run that it has ended */
	weft_func *fn;
	void *arg, *value; /* value and error: by the thread until it is told of */
	int error;
	uint8_t state;     /* enum weft__future_state; by the executor's lock */
	unsigned int refs; /* entered; one is the executor's until it is ready */
	bool has_caller;   /* a task that calls them */
	struct weft__done_call *first, *last;
};

/** Have its run know that a future has ended; it may be freed by that. Entered. */
void weft__future_complete(weft_future *future);

/** Take a reference back. Entered. */
void weft__future_unref(weft_future *future);

/** Take a future out of its executor's queue; false: it has begun. Entered, and it is not ready. */
bool weft__executor_withdraw(weft_future *future);

/** Wait until a future is ready, whatever is raised meanwhile. Entered. By a task. */
void weft__future_wait_firmly(weft_future *future);

#endif
