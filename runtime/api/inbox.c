/*
 * See weft/executor.h: what other threads want to have called in a run.
 *
 * In own mode the hub calls it, as it does the callbacks of its loop: who puts something into an
 * empty inbox sets the carrier's `attention` and rings. A mutex is held for a few instructions, for
 * those who put are threads that are no tasks. In a patched program all are, and a task calls what is
 * in there until it is empty.
 */
#include <stdlib.h>

#include "crew.h"
#include "hub.h"
#include "native.h"

struct weft_inbox {
	pthread_mutex_t lock; /* own mode; else it is entered */
	struct weft__run *run;
	unsigned int refs;
	bool closed, drains; /* drains: patched, a task of it is about */
	struct weft__post *first, *last;
};

struct user_post {
	struct weft__post post;
	void (*fn)(void *arg);
	void *arg;
};

static void lock(weft_inbox *inbox)
{
	if (weft__on_threads)
		weft__enter();
	else
		pthread_mutex_lock(&inbox->lock);
}

static void unlock(weft_inbox *inbox)
{
	if (weft__on_threads)
		weft__leave();
	else
		pthread_mutex_unlock(&inbox->lock);
}

static void call_all(struct weft__post *post)
{
	while (post != NULL) {
		struct weft__post *next = post->next;

		post->call(post);
		post = next;
	}
}

static struct weft__post *take_all(weft_inbox *inbox)
{
	struct weft__post *first;

	lock(inbox);
	first = inbox->first;
	inbox->first = NULL;
	if (first == NULL)
		inbox->drains = false;
	unlock(inbox);
	return first;
}

/* The hub calls it. */
static void attend(struct weft__carrier *carrier)
{
	__atomic_store_n(&carrier->attention, 0, __ATOMIC_SEQ_CST);
	call_all(take_all(carrier->run->inbox));
}

/* A task of a patched program. */
static void *drain(void *arg)
{
	weft_inbox *inbox = arg;
	struct weft__post *post;

	while ((post = take_all(inbox)) != NULL)
		call_all(post);
	weft_inbox_free(inbox);
	return NULL;
}

weft_inbox *weft__inbox_of(struct weft__run *run)
{
	weft_inbox *inbox = run->inbox;

	if (inbox == NULL) {
		inbox = calloc(1, sizeof(*inbox));
		if (inbox == NULL)
			return NULL;
		pthread_mutex_init(&inbox->lock, NULL);
		inbox->run = run;
		inbox->refs = 1;
		run->inbox = inbox;
		if (!weft__on_threads)
			run->carrier->attend = attend;
	}
	__atomic_add_fetch(&inbox->refs, 1, __ATOMIC_RELAXED);
	return inbox;
}

int weft_inbox_new(weft_inbox **ret_inbox)
{
	weft_inbox *inbox;
	int err;

	if (ret_inbox == NULL)
		return -EINVAL;
	err = weft__enter_here(0);
	if (err != 0)
		return err;
	inbox = weft__inbox_of(weft__run_here());
	weft__leave();
	if (inbox == NULL)
		return -ENOMEM;
	*ret_inbox = inbox;
	return 0;
}

void weft_inbox_free(weft_inbox *inbox)
{
	if (inbox == NULL || __atomic_sub_fetch(&inbox->refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	pthread_mutex_destroy(&inbox->lock);
	free(inbox);
}

/* Locked. */
static int have_it_drained(weft_inbox *inbox)
{
	weft_task *task;
	int err;

	if (inbox->drains)
		return 0;
	__atomic_add_fetch(&inbox->refs, 1, __ATOMIC_RELAXED);
	err = weft__spawn_in(inbox->run, &task, drain, inbox);
	if (err != 0) {
		__atomic_sub_fetch(&inbox->refs, 1, __ATOMIC_RELAXED);
		return err;
	}
	weft__unlist(task);
	weft__unref(task);
	inbox->drains = true;
	return 0;
}

/* Until the carrier is told it does not end: weft__hub_close() waits. */
static void tell(struct weft__carrier *carrier)
{
	__atomic_store_n(&carrier->attention, 1, __ATOMIC_SEQ_CST);
	weft__hub_ring(carrier);
	__atomic_sub_fetch(&carrier->ringing, 1, __ATOMIC_RELEASE);
}

int weft__inbox_put(weft_inbox *inbox, struct weft__post *post)
{
	struct weft__carrier *carrier = NULL;
	int err;

	post->next = NULL;
	lock(inbox);
	err = inbox->closed ? -ESHUTDOWN : 0;
	if (err == 0 && weft__on_threads)
		err = have_it_drained(inbox);
	if (err == 0) {
		if (inbox->first != NULL)
			inbox->last->next = post;
		else
			inbox->first = post;
		if (inbox->first == post && !weft__on_threads) {
			carrier = inbox->run->carrier;
			__atomic_add_fetch(&carrier->ringing, 1, __ATOMIC_RELAXED);
		}
		inbox->last = post;
	}
	unlock(inbox);
	if (carrier != NULL)
		tell(carrier);
	return err;
}

static void call_for_user(struct weft__post *post)
{
	struct user_post *one = weft__container(post, struct user_post, post);

	one->fn(one->arg);
	free(one);
}

int weft_inbox_call(weft_inbox *inbox, void (*fn)(void *arg), void *arg)
{
	struct user_post *one;
	int err;

	if (inbox == NULL || fn == NULL)
		return -EINVAL;
	one = malloc(sizeof(*one));
	if (one == NULL)
		return -ENOMEM;
	*one = (struct user_post){.post.call = call_for_user, .fn = fn, .arg = arg};
	err = weft__inbox_put(inbox, &one->post);
	if (err != 0)
		free(one);
	return err;
}

/* Whether nothing was in it. Closed, it is not the run's any more. */
static bool close_if_idle(weft_inbox *inbox)
{
	bool idle;

	lock(inbox);
	idle = inbox->first == NULL && !inbox->drains;
	if (idle)
		inbox->closed = true;
	unlock(inbox);
	return idle;
}

bool weft__inbox_close(struct weft__run *run)
{
	weft_inbox *inbox = run->inbox;
	bool awaited;

	weft__enter();
	awaited = run->tasks != 0 || !weft__list_empty(&run->executors);
	weft__leave();
	if (awaited)
		return false;
	if (inbox == NULL)
		return true;
	if (!close_if_idle(inbox)) {
		if (!weft__on_threads)
			call_all(take_all(inbox));
		return false;
	}
	run->inbox = NULL;
	if (!weft__on_threads)
		run->carrier->attend = NULL;
	weft_inbox_free(inbox);
	return true;
}
