/*
 * Coroutines as the runtime has them: weft/greenlet.h, and generators on top.
 *
 * Each thread, and each task that shares its thread's pointer, has a tree of them. Its root is the
 * thread or task itself, on the stack that it has anyway, and is made with the first coroutine.
 */
#ifndef WEFT_COROUTINE_H
#define WEFT_COROUTINE_H

#include <stdbool.h>

#include "context.h"
#include "list.h"
#include "scheduler.h"
#include "weft/greenlet.h"

/* One that was made stands at the upper end of its stack; a root is allocated. */
struct weft_co {
	struct weft__context context;
	struct weft_co *root; /* itself: a root; NULL: its task or thread has ended */
	int refusal;          /* 0, or the error of who would switch to it */
	bool started;
	bool is_generator;
	struct weft_co *parent; /* who goes on when it ends; NULL: a root, or it has no root */
	struct weft_co *heir;   /* who goes on instead, and waits for that; NULL: nobody */
	struct weft__link children;
	struct weft__link sibling;
	weft_func *fn;
	void *stack;
	size_t stack_bytes;
};

/** Where the current coroutine of the calling thread or task is kept; NULL is kept before any. */
extern __thread struct weft_co *weft__co_of_thread __attribute__((tls_model("initial-exec")));

static inline struct weft_co **weft__co_place(void)
{
	struct weft__task *task = weft__current;

	if (task == NULL || task->context.fs_base != 0)
		return &weft__co_of_thread;
	return &task->co;
}

/** The current coroutine, with its root made if need be; NULL: there is no room. */
struct weft_co *weft__co_here(void);

/**
 * Make a coroutine whose record is the first member of a larger one, of record_bytes. The rest of
 * that is undefined.
 *
 * @param fn  runs with what is first passed
 */
int weft__co_make(struct weft_co **ret_co, weft_func *fn, size_t stack_bytes, size_t record_bytes);

/** Have one end that has not started; returns who goes on. */
struct weft_co *weft__co_cancel(struct weft_co *co);

/** Free one that has ended, or has not started. */
void weft__co_free(struct weft_co *co);

/** Go on in `to`, from `me`, which is kept in `place`. Contract: weft__context_pass(). */
static inline int weft__co_pass(struct weft_co **place, struct weft_co *me, struct weft_co *to,
				void *value, void **ret_value, int error);

/** A task that shares its thread's pointer ends: nobody can run its coroutines any more. */
void weft__co_task_ends(struct weft__task *task);

/** The same for the calling thread. */
void weft__co_thread_ends(void);

/** The calling thread, with the coroutines it has, is a task from now on; and no longer. */
void weft__co_lend(struct weft__task *task);
void weft__co_take_back(struct weft__task *task);

/*
 * A task that waits does so on whichever stack it is on, but its context is told of one: what the
 * tools have to know of the other is what is found when that has been left (context.c).
 */
static inline int weft__co_pass(struct weft_co **place, struct weft_co *me, struct weft_co *to,
				void *value, void **ret_value, int error)
{
	*place = to;
	return weft__context_pass(&me->context, &to->context, value, ret_value, error);
}

#endif
