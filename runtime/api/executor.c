/*
 * See weft/executor.h and future.h: the threads, and what they have to do.
 *
 * What threads and tasks share is the queue and who is in it, by the executor's lock, which is held
 * for a few instructions and taken last. All else is the run's. In own mode a thread that has come to
 * the end of a function puts the future into the run's inbox; in a patched program threads are tasks,
 * and enter.
 *
 * A thread is made when more is queued than threads wait for it: each that waits takes one.
 */
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "future.h"

#define MOST_THREADS 10000U
#define DEFAULT_MOST 32L

struct weft_executor {
	weft_object object;
	struct weft__link in_run; /* among the run's executors */
	struct weft__run *run;
	weft_inbox *inbox;       /* own mode: the run's */
	struct weft__post gone;  /* tells it that the last thread ends */
	bool pinned;             /* the end of the run waits for it */
	pthread_mutex_t lock;    /* of all that follows, but ids */
	pthread_cond_t more;     /* something is queued, or it is closed */
	struct weft__link queue; /* of futures */
	unsigned int queued, idle, threads, most;
	bool closed;
	unsigned int made; /* threads, ever: of which ids are valid; entered */
	pthread_t ids[];
};

static void set_gone(struct weft__post *post)
{
	weft_executor *executor = weft__container(post, weft_executor, gone);

	weft__enter();
	weft__object_set(&executor->object, true);
	weft__leave();
}

static void call_complete(struct weft__post *post)
{
	weft__enter();
	weft__future_complete(weft__container(post, weft_future, post));
	weft__leave();
}

/* The inbox of a run that is waited in does not close. */
static void tell(weft_executor *executor, struct weft__post *post)
{
	if (executor->inbox == NULL)
		post->call(post);
	else
		weft__check(weft__inbox_put(executor->inbox, post) == 0);
}

static void run(weft_future *future)
{
	int error = 0, *before = weft__job_error;

	weft__job_error = &error;
	future->value = future->fn(future->arg);
	weft__job_error = before;
	future->error = error;
}

/* The first in the queue, when there is one; NULL: it is closed. Locked. */
static weft_future *next_future(weft_executor *executor)
{
	weft_future *future;

	while (weft__list_empty(&executor->queue)) {
		if (executor->closed)
			return NULL;
		executor->idle++;
		pthread_cond_wait(&executor->more, &executor->lock);
		executor->idle--;
	}
	future = weft__container(executor->queue.next, weft_future, link);
	weft__list_remove(&future->link);
	executor->queued--;
	__atomic_store_n(&future->state, WEFT__FUTURE_RUNNING, __ATOMIC_RELAXED);
	return future;
}

static void *thread_main(void *arg)
{
	weft_executor *executor = arg;
	weft_future *future;
	bool last;

	pthread_mutex_lock(&executor->lock);
	while ((future = next_future(executor)) != NULL) {
		pthread_mutex_unlock(&executor->lock);
		run(future);
		tell(executor, &future->post);
		pthread_mutex_lock(&executor->lock);
	}
	last = --executor->threads == 0;
	pthread_mutex_unlock(&executor->lock);
	if (last)
		tell(executor, &executor->gone);
	return NULL;
}

/* Locked. */
static int make_thread(weft_executor *executor)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = weft__thread_create(&executor->ids[executor->made], NULL, thread_main, executor);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err != 0)
		return -EAGAIN;
	executor->made++;
	executor->threads++;
	return 0;
}

static unsigned int default_most(void)
{
	long most = sysconf(_SC_NPROCESSORS_ONLN) + 4;

	return (unsigned int)(most > DEFAULT_MOST ? DEFAULT_MOST : most);
}

/* Entered. */
static int make(weft_executor **ret_executor, unsigned int most)
{
	struct weft__run *here = weft__run_here();
	weft_executor *executor = calloc(1, sizeof(*executor) + most * sizeof(*executor->ids));

	if (executor == NULL)
		return -ENOMEM;
	if (!weft__on_threads) {
		executor->inbox = weft__inbox_of(here);
		if (executor->inbox == NULL) {
			free(executor);
			return -ENOMEM;
		}
	}
	weft__object_init(&executor->object);
	weft__list_append(&here->executors, &executor->in_run);
	weft__list_init(&executor->queue);
	executor->run = here;
	executor->gone.call = set_gone;
	executor->most = most;
	pthread_mutex_init(&executor->lock, NULL);
	pthread_cond_init(&executor->more, NULL);
	*ret_executor = executor;
	return 0;
}

int weft_executor_new(weft_executor **ret_executor, unsigned int most)
{
	int err;

	if (ret_executor == NULL || most > MOST_THREADS)
		return -EINVAL;
	err = weft__enter_here(0);
	if (err != 0)
		return err;
	err = make(ret_executor, most == 0 ? default_most() : most);
	weft__leave();
	return err;
}

int weft_executor_default(weft_executor **ret_executor)
{
	struct weft__run *here;
	int err;

	if (ret_executor == NULL)
		return -EINVAL;
	err = weft__enter_here(0);
	if (err != 0)
		return err;
	here = weft__run_here();
	if (here->executor == NULL)
		err = make(&here->executor, default_most());
	if (err == 0)
		*ret_executor = here->executor;
	weft__leave();
	return err;
}

/* Entered, if it is 0. */
static int enter_executor(weft_executor *executor, int64_t deadline_ns)
{
	int err = executor == NULL ? -EINVAL : weft__enter_here(deadline_ns);

	if (err != 0)
		return err;
	if (weft__on_threads || weft__run_here() == executor->run)
		return 0;
	weft__leave();
	return -EPERM;
}

/* Locked and entered. */
static int enqueue(weft_executor *executor, weft_future *future)
{
	int err = 0;

	if (executor->closed)
		return -ESHUTDOWN;
	if (executor->queued >= executor->idle && executor->made < executor->most)
		err = make_thread(executor);
	if (err != 0 && executor->threads == 0)
		return err;
	weft__list_append(&executor->queue, &future->link);
	executor->queued++;
	weft__run_hold(future->run);
	pthread_cond_signal(&executor->more);
	return 0;
}

static weft_future *make_future(weft_executor *executor, weft_func *fn, void *arg)
{
	weft_future *future = calloc(1, sizeof(*future));

	if (future == NULL)
		return NULL;
	weft__object_init(&future->object);
	future->executor = executor;
	future->run = weft__run_here();
	future->post.call = call_complete;
	future->fn = fn;
	future->arg = arg;
	future->refs = 1;
	return future;
}

int weft_executor_submit(weft_executor *executor, weft_future **ret_future, weft_func *fn,
			 void *arg)
{
	weft_future *future;
	int err = fn == NULL ? -EINVAL : enter_executor(executor, 0);

	if (err != 0)
		return err;
	future = make_future(executor, fn, arg);
	if (future == NULL) {
		weft__leave();
		return -ENOMEM;
	}
	if (ret_future != NULL)
		future->refs++;
	pthread_mutex_lock(&executor->lock);
	err = enqueue(executor, future);
	pthread_mutex_unlock(&executor->lock);
	weft__leave();
	if (err != 0)
		free(future);
	else if (ret_future != NULL)
		*ret_future = future;
	return err;
}

/* Locked. */
static void withdraw(weft_executor *executor, weft_future *future)
{
	weft__list_remove(&future->link);
	executor->queued--;
	future->state = WEFT__FUTURE_ENDED;
	future->error = -ECANCELED;
}

bool weft__executor_withdraw(weft_future *future)
{
	weft_executor *executor = future->executor;
	bool queued;

	pthread_mutex_lock(&executor->lock);
	queued = future->state == WEFT__FUTURE_QUEUED;
	if (queued)
		withdraw(executor, future);
	pthread_mutex_unlock(&executor->lock);
	return queued;
}

/* Entered. */
static void cancel_queued(weft_executor *executor)
{
	weft_future *future;

	do {
		pthread_mutex_lock(&executor->lock);
		future = NULL;
		if (!weft__list_empty(&executor->queue)) {
			future = weft__container(executor->queue.next, weft_future, link);
			withdraw(executor, future);
		}
		pthread_mutex_unlock(&executor->lock);
		if (future != NULL)
			weft__future_complete(future);
	} while (future != NULL);
}

/* Entered. */
static void close_it(weft_executor *executor)
{
	bool gone;

	pthread_mutex_lock(&executor->lock);
	gone = !executor->closed && executor->threads == 0;
	executor->closed = true;
	pthread_cond_broadcast(&executor->more);
	pthread_mutex_unlock(&executor->lock);
	if (gone)
		weft__object_set(&executor->object, true);
}

int weft_executor_shutdown(weft_executor *executor, bool cancel, int64_t deadline_ns)
{
	int err = enter_executor(executor, deadline_ns);

	if (err != 0)
		return err;
	close_it(executor);
	if (cancel)
		cancel_queued(executor);
	if (deadline_ns != 0)
		err = weft__object_wait(&executor->object, deadline_ns);
	weft__leave();
	return err;
}

int weft_executor_free(weft_executor *executor)
{
	bool busy;

	if (executor == NULL)
		return 0;
	weft__enter();
	busy = !executor->object.ready || executor->pinned;
	if (!busy)
		weft__list_remove(&executor->in_run);
	weft__leave();
	if (busy)
		return -EBUSY;
	/* They have said that they end. */
	for (unsigned int i = 0; i < executor->made; i++)
		pthread_join(executor->ids[i], NULL);
	weft_inbox_free(executor->inbox);
	pthread_cond_destroy(&executor->more);
	pthread_mutex_destroy(&executor->lock);
	free(executor);
	return 0;
}

void weft__executors_close(struct weft__run *run)
{
	weft__enter();
	while (!weft__list_empty(&run->executors)) {
		weft_executor *executor =
			weft__container(run->executors.next, weft_executor, in_run);

		executor->pinned = true;
		close_it(executor);
		weft__object_wait_firmly(&executor->object);
		executor->pinned = false;
		weft__list_remove(&executor->in_run);
		if (executor == run->executor) {
			run->executor = NULL;
			weft__leave();
			weft_executor_free(executor);
			weft__enter();
		}
	}
	weft__leave();
}
