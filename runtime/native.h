/*
 * What the families of weft.h are made of: who calls, how tasks wait, how what they wait for ends that.
 *
 *	int weft_semaphore_acquire(weft_semaphore *semaphore, int64_t deadline_ns)
 *	{
 *		struct weft__wait wait;
 *		int err = semaphore == NULL ? -EINVAL : weft__enter_wait(deadline_ns);
 *
 *		if (err != 0)
 *			return err;
 *		if (semaphore->units > 0)
 *			semaphore->units--;
 *		else
 *			err = weft__wait_in(&semaphore->waiters, &wait, deadline_ns);
 *		weft__leave();
 *		return err;
 *	}
 *
 * A program that runs tasks by weft_run() has one kernel thread for them, and between weft__enter()
 * and weft__leave() nobody else runs because nobody else can. In a patched program, where tasks are
 * threads, one lock does that, and a wait is one for a futex word. What is not in here need not know.
 */
#ifndef WEFT_NATIVE_H
#define WEFT_NATIVE_H

#include <errno.h>
#include <poll.h>
#include <pthread.h>

#include "list.h"
#include "monkey.h"
#include "scheduler.h"
#include "weft.h"

/** A wait in progress, on the stack of who waits. */
struct weft__wait {
	struct weft__link link; /* in the queue of those who wait for the same; or with itself */
	weft_task *task;
	void *item;          /* what the waiter brings or is given; the family's */
	int64_t until_ns;    /* when it ends at the latest */
	weft_timeout *scope; /* whose time that is; NULL: the caller's */
	int result;
	bool over;
	bool firm;      /* nothing is raised in it */
	bool timed_out; /* valid in the end: it was the caller's deadline that came */
	struct weft__bell
		*bell; /* patched: what ends its poll(2); NULL: it is one for a futex word */
};

/** Who is told that an object is ready, once. */
struct weft__watcher {
	struct weft__link link;
	void (*ready)(struct weft__watcher *watcher); /* entered; the watcher is out of the list */
};

/** The first member of whatever weft_wait() takes. */
struct weft_object {
	struct weft__link watchers;
	bool ready; /* written by weft__object_set() only */
};

/** What a task has to call: of links and of what is deferred. */
struct weft__call_later;

/** The values of a task's variables (local.c). */
struct weft__local_value;

/** One weft_run(), or all tasks of a patched program that are in none. */
struct weft__run {
	struct weft__carrier *carrier; /* own mode */
	unsigned int tasks;            /* that have not ended, but for its first; and what else
					  weft_run() waits for: weft__run_hold() */
	struct weft__link waiters;     /* its first task, in the end */
	struct weft__link idlers;      /* weft_idle() */
	struct weft__link all;         /* its tasks, while `lists` */
	bool lists;                    /* since before the first of them was made */
	struct weft__timers timers;    /* weft_timer */
	weft_task *timekeeper;         /* who waits for them; NULL: there are none */
	weft_inbox *inbox;             /* NULL: it has none yet */
	struct weft__link executors;   /* that have not been freed */
	weft_executor *executor;       /* its own, NULL: none yet */
};

/*
 * In own mode it stands at the upper end of its stack, and `task` is what the scheduler has of it. In
 * a patched program it is allocated, and belongs to a thread.
 */
struct weft_task {
	struct weft_object object; /* ready: it has ended */
	struct weft__task task;
	struct weft__run *run;
	struct weft__link of_run; /* in the run's list; valid if that lists */
	struct weft__wait *wait;  /* NULL: it is in none */
	weft_timeout *timeouts;   /* the innermost scope */
	weft_func *fn;
	void *arg;
	void *value;
	int64_t starts_ns; /* not before; 0: at once */
	int error;
	int raised; /* at its next wait; 0: nothing */
	unsigned int refs;
	bool started, killed; /* atomic, for who has not entered */
	uint8_t ended;        /* the same */
	weft_task *outer;     /* patched: the thread's, outside of the weft_run()
						      whose first task this is */
	struct weft__call_later *deferred, *links; /* the last one; the first one */
	struct weft__local_value *locals;
	void *stack; /* own mode, NULL for that of a thread */
	size_t stack_bytes;
	uint32_t woken; /* patched: a futex word */
};

/** Have tasks be threads, without the shim; for tests. */
WEFT__SHARED void weft__use_threads(void);

/** Called at the beginning of each wait that can be raised in; for tests. Entered. */
extern WEFT__SHARED void (*weft__on_wait)(weft_task *task);

/* What the next three do where tasks are threads; the first is NULL in a thread that is none. */
weft_task *weft__me_of_thread(void);
WEFT__SHARED void weft__enter_threads(void);
WEFT__SHARED void weft__leave_threads(void);

/** The task that calls; NULL: the thread runs none. Makes one of a thread of a patched program. */
static inline weft_task *weft__me(void)
{
	if (weft__likely(weft__current != NULL && !weft__on_threads))
		return weft__container(weft__current, weft_task, task);
	return weft__me_of_thread();
}

/** Keep the other tasks out, for a few instructions. Context: a task, or the loop. */
static inline void weft__enter(void)
{
	if (weft__unlikely(weft__on_threads))
		weft__enter_threads();
}

static inline void weft__leave(void)
{
	if (weft__unlikely(weft__on_threads))
		weft__leave_threads();
}

/** weft__enter() for what may wait: 0, -EINVAL for a bad deadline, -EPERM: the caller is no task. */
int weft__enter_wait(int64_t deadline_ns);

/**
 * weft__enter() for what wakes others, or does not always wait, so that callbacks of the loop may
 * call it: 0, -EINVAL for a bad deadline, -EPERM: the thread runs no tasks.
 */
int weft__enter_here(int64_t deadline_ns);

/**
 * Wait until weft__wait_end(), in a queue of the caller's or (NULL) in none. Entered; in the meantime
 * it is left.
 *
 * Switches   yes, unless it fails at once
 *
 * @return what it was ended with, or
 *   -ETIMEDOUT  the deadline has come
 *   -EPERM      the caller is no task, and the deadline not 0
 *   what was raised
 */
int weft__wait_in(struct weft__link *queue, struct weft__wait *wait, int64_t deadline_ns);

/**
 * The two halves of weft__wait_in(), for who parks by other means until `over`, or `until_ns`: there
 * weft__wait_end() wakes the scheduler's task, or the futex word. Entered.
 *
 * @return of the first: 0, or what ends the wait before it begins
 */
int weft__wait_begin(struct weft__link *queue, struct weft__wait *wait, int64_t deadline_ns);
int weft__wait_finish(struct weft__wait *wait);

/** What weft__wait_in() does after weft__wait_begin(), for who has to say something in between. */
int weft__wait_rest(struct weft__wait *wait);

/**
 * Wait until a time has come. Entered; in the meantime it is left.
 *
 * Switches   yes, if another task is ready, however soon it comes
 *
 * @return 0, or what was raised; that may be -ETIMEDOUT
 */
int weft__wait_time(int64_t until_ns);

/** weft__wait_in(), but only weft__wait_end() ends it. */
int weft__wait_firmly(struct weft__link *queue, struct weft__wait *wait);

/** End a wait that is not over, and take it out of its queue. Entered. */
void weft__wait_end(struct weft__wait *wait, int result);

/**
 * weft_poll() in a wait of the caller's that weft__wait_end() may end, too. Entered; in the meantime it
 * is left.
 *
 * Switches   yes, unless one is ready
 *
 * @return as weft_poll(), or what the wait was ended with
 */
int weft__poll_in(struct weft__link *queue, struct weft__wait *wait, struct pollfd *fds, nfds_t n,
		  int64_t deadline_ns);

/**
 * What ends a poll(2) of a patched program's threads beside what it is for: a descriptor that is ready
 * once it has been rung (bell.c). Several waits share one; when that rings, each looks whether it is
 * over, and those that are not take another. All entered.
 */
struct weft__bell *weft__bell_take(void); /* NULL: there is no descriptor left */
void weft__bell_ring(struct weft__bell *bell);
bool weft__bell_rung(const struct weft__bell *bell);
int weft__bell_fd(const struct weft__bell *bell);
void weft__bell_give(struct weft__bell *bell);

/** Ask the kernel; in a patched program, by way of the shim. A result or -errno; errno stays. */
long weft__ask6(long nr, long a, long b, long c, long d, long e, long f);
#define WEFT__ASK7(nr, a, b, c, d, e, f, ...) \
	weft__ask6((long)(nr), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define weft__ask(...) WEFT__ASK7(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

/** What each call with a deadline may be refused for: 0, -EINVAL, or -EPERM. Not entered. */
int weft__may_wait(int64_t deadline_ns);

/**
 * Wait for a descriptor on which a call has found nothing to do; `tries` counts those, from 0. Who finds
 * nothing although it was ready, time and again, gives the others their turns in between.
 *
 * @return 0: try again, or what weft_wait_fd() returns
 */
int weft__await_fd(int fd, int events, int64_t deadline_ns, unsigned int *tries);

/**
 * Read or write a file, at its position: by a chore that is waited for to its end, because the position
 * moves. As weft_read().
 */
long weft__file_io(int fd, bool writes, const struct iovec *places, int n, int64_t deadline_ns);

/**
 * Read or write what can be without waiting, a socket or not: how much, or -EAGAIN. Of a file the call
 * itself. size_bytes is not 0.
 */
long weft__try_io(int fd, bool is_socket, bool writes, void *bytes, size_t size_bytes);

/** Let the others have their turn now and then: for who has done something without waiting. */
static inline void weft__spend_turn(void)
{
	if (weft__likely(!weft__on_threads))
		weft__spend(1);
}

/** The first wait in a queue, NULL if it is empty. Entered. */
static inline struct weft__wait *weft__wait_first(struct weft__link *queue)
{
	return weft__list_empty(queue) ? NULL
				       : weft__container(queue->next, struct weft__wait, link);
}

/** Begin an object that is not ready. */
void weft__object_init(struct weft_object *object);

/** Say whether an object is ready; who watches is told. Entered. */
WEFT__SHARED void weft__object_set(struct weft_object *object, bool ready);

/** Wait until an object is ready. Entered; as weft__wait_in(). */
int weft__object_wait(struct weft_object *object, int64_t deadline_ns);

/** The same, whatever is raised meanwhile. By a task. */
void weft__object_wait_firmly(struct weft_object *object);

/** Whether nobody waits for an object, or watches it. Entered. */
static inline bool weft__object_unused(const struct weft_object *object)
{
	return weft__list_empty(&object->watchers);
}

/** End a task's wait with an error, or its next one. Entered. */
void weft__raise(weft_task *task, int error);

/** The caller's run; in a patched program there is always one. NULL: the thread runs no tasks. */
struct weft__run *weft__run_here(void);

/** Begin a run that has no tasks. */
void weft__run_init(struct weft__run *run);

/** Have a run be without all that threads do which a child of fork(2) has not got. Entered. */
void weft__run_forget(struct weft__run *run);

/** Have weft_run() wait for something more, and no more. Entered. */
static inline void weft__run_hold(struct weft__run *run)
{
	run->tasks++;
}
void weft__run_let_go(struct weft__run *run);

/**
 * weft_spawn() in a run that may be another's, for what must be known of the task before it can
 * end. Entered.
 */
int weft__spawn_in(struct weft__run *run, weft_task **ret_task, weft_func *fn, void *arg);

/** Have a task not be among those that weft_run_until_complete() kills. Entered. */
static inline void weft__unlist(weft_task *task)
{
	if (task->run->lists)
		weft__list_remove(&task->of_run);
}

/** weft_release(). Entered. */
void weft__release(weft_task *task);

/** Give a reference back that is not the last one. Entered. */
static inline void weft__unref(weft_task *task)
{
	task->refs--;
}

/** weft_kill() without a wait. Entered. */
void weft__kill(weft_task *task);

/** What weft_set_error() sets, where a function runs for an executor; NULL: the task's. */
extern __thread int *weft__job_error;

/** Stop the timers of a run. Entered. */
void weft__timers_stop(struct weft__run *run);

/** What is put into a run's inbox: called there, in a callback of its loop or by a task. */
struct weft__post {
	struct weft__post *next;
	void (*call)(struct weft__post *post); /* not entered */
};

/** The inbox of a run, with a reference; NULL: no room. Entered. */
weft_inbox *weft__inbox_of(struct weft__run *run);

/** 0, or as weft_inbox_call(). Context: any thread, not entered. */
int weft__inbox_put(weft_inbox *inbox, struct weft__post *post);

/**
 * Have the inbox of a run admit nothing any more, and give the run's reference back; or call what is
 * in it. Not entered.
 *
 * @return whether it is closed, and nothing else is to be waited for
 */
bool weft__inbox_close(struct weft__run *run);

/** Shut down the executors of a run, and wait until their threads have gone. By its first task. */
void weft__executors_close(struct weft__run *run);

/** Whether a task that has not ended is another thread's: in own mode each run is one thread's. */
bool weft__out_of_reach(const weft_task *task);

/** pthread_create(3), of a thread that is a task if the process is patched. */
int weft__thread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
			void *arg);

/** Fill in the record of a task that has not started, with one reference. */
void weft__record_init(weft_task *task, struct weft__run *run);

/** A task's function has returned, or never runs: clean up, and tell who waits. Not entered. */
void weft__say_ended(weft_task *self);

/** Call what a task has deferred, and destroy its variables. Not entered. */
void weft__clean_up(weft_task *self);

/** Call the links of a task that has ended. Not entered. */
void weft__call_links(weft_task *self);

/** In a patched program: have the calling thread be this task; returns it. */
weft_task *weft__adopt(weft_task *task);

/** In a patched program: the thread of a task ends. */
void weft__thread_ends(weft_task *task);

/** Call what a task's values are to be destroyed by. Not entered. */
void weft__locals_destroy(weft_task *task);

#endif
