/*
 * See weft/sync.h: locks, conditions and locks for readers and writers.
 *
 * A lock is handed to the first who waits for it as it is released, so it is free only if nobody
 * waits. Whoever owns one is referred to by it: an owner that has ended without releasing it is not
 * taken for another task, which has been given its place.
 */
#include <limits.h>
#include <stdlib.h>

#include "native.h"

struct weft_lock {
	struct weft__link waiters;
	weft_task *owner; /* NULL: it is free */
	size_t depth;     /* how often the owner has taken it */
	size_t users; /* conditions that are made of it, and waits for those that are not over */
};

struct weft_condition {
	struct weft__link waiters;
	weft_lock *lock;
};

struct weft_rwlock {
	struct weft__link waiters; /* item: whether they write */
	weft_task *writer;         /* NULL: nobody writes */
	size_t readers;
	size_t users; /* waits that have not been granted: they look at it once more */
};

/* Entered. */
static void own(weft_task **owner, weft_task *task)
{
	task->refs++;
	*owner = task;
}

/* By the owner, which is a reference to itself. Entered. */
static void disown(weft_task **owner)
{
	(*owner)->refs--;
	*owner = NULL;
}

/* Whether nobody would miss what this one owns. Entered. */
static bool is_idle(const weft_task *owner)
{
	return owner == NULL || owner == weft__me() || owner->object.ready;
}

int weft_lock_new(weft_lock **ret_lock)
{
	weft_lock *lock;

	if (ret_lock == NULL)
		return -EINVAL;
	lock = calloc(1, sizeof(*lock));
	if (lock == NULL)
		return -ENOMEM;
	weft__list_init(&lock->waiters);
	*ret_lock = lock;
	return 0;
}

int weft_lock_free(weft_lock *lock)
{
	bool unused;

	if (lock == NULL)
		return 0;
	weft__enter();
	unused = weft__list_empty(&lock->waiters) && lock->users == 0 && is_idle(lock->owner);
	weft__leave();
	if (!unused)
		return -EBUSY;
	weft_release(lock->owner);
	free(lock);
	return 0;
}

int weft_lock_acquire(weft_lock *lock, int64_t deadline_ns)
{
	weft_task *me = weft__me();
	struct weft__wait wait;
	int err = lock == NULL ? -EINVAL : weft__enter_wait(deadline_ns);

	if (err != 0)
		return err;
	if (lock->owner == NULL) {
		own(&lock->owner, me);
		lock->depth = 1;
	} else if (lock->owner != me) {
		err = weft__wait_in(&lock->waiters, &wait, deadline_ns);
	} else if (lock->depth == SIZE_MAX) {
		err = -EOVERFLOW;
	} else {
		lock->depth++;
	}
	weft__leave();
	return err;
}

/* By its owner. Entered. */
static void hand_on(weft_lock *lock)
{
	struct weft__wait *first = weft__wait_first(&lock->waiters);

	disown(&lock->owner);
	lock->depth = 0;
	if (first == NULL)
		return;
	own(&lock->owner, first->task);
	lock->depth = 1;
	weft__wait_end(first, 0);
}

int weft_lock_release(weft_lock *lock)
{
	int err = lock == NULL ? -EINVAL : weft__enter_wait(0);

	if (err != 0)
		return err;
	if (lock->owner != weft__me())
		err = -EPERM;
	else if (lock->depth > 1)
		lock->depth--;
	else
		hand_on(lock);
	weft__leave();
	return err;
}

bool weft_lock_is_held(const weft_lock *lock)
{
	const weft_task *me = weft__me();
	bool held;

	if (lock == NULL || me == NULL)
		return false;
	weft__enter();
	held = lock->owner == me;
	weft__leave();
	return held;
}

int weft_condition_new(weft_condition **ret_condition, weft_lock *lock)
{
	weft_condition *condition;

	if (ret_condition == NULL || lock == NULL)
		return -EINVAL;
	condition = malloc(sizeof(*condition));
	if (condition == NULL)
		return -ENOMEM;
	weft__list_init(&condition->waiters);
	condition->lock = lock;
	weft__enter();
	lock->users++;
	weft__leave();
	*ret_condition = condition;
	return 0;
}

int weft_condition_free(weft_condition *condition)
{
	bool unused;

	if (condition == NULL)
		return 0;
	weft__enter();
	unused = weft__list_empty(&condition->waiters);
	if (unused)
		condition->lock->users--;
	weft__leave();
	if (!unused)
		return -EBUSY;
	free(condition);
	return 0;
}

/* The caller's, which it has given up for a wait; as often as before. Entered. */
static void take_back(weft_lock *lock, weft_task *me, size_t depth)
{
	struct weft__wait wait;

	if (lock->owner == NULL)
		own(&lock->owner, me);
	else
		weft__wait_firmly(&lock->waiters, &wait);
	lock->depth = depth;
}

int weft_condition_wait(weft_condition *condition, int64_t deadline_ns)
{
	weft_task *me = weft__me();
	struct weft__wait wait;
	weft_lock *lock;
	size_t depth;
	int err = condition == NULL ? -EINVAL : weft__enter_wait(deadline_ns);

	if (err != 0)
		return err;
	lock = condition->lock;
	if (lock->owner != me) {
		weft__leave();
		return -EPERM;
	}
	depth = lock->depth;
	lock->users++;
	hand_on(lock);
	/* When that is over, the condition may be gone; the lock cannot. */
	err = weft__wait_in(&condition->waiters, &wait, deadline_ns);
	take_back(lock, me, depth);
	lock->users--;
	weft__leave();
	return err;
}

int weft_condition_notify(weft_condition *condition, size_t n)
{
	int err = condition == NULL ? -EINVAL : weft__enter_wait(0);
	int notified = 0;

	if (err != 0)
		return err;
	if (condition->lock->owner != weft__me()) {
		weft__leave();
		return -EPERM;
	}
	for (; n > 0 && notified < INT_MAX && !weft__list_empty(&condition->waiters); n--) {
		weft__wait_end(weft__wait_first(&condition->waiters), 0);
		notified++;
	}
	weft__leave();
	return notified;
}

int weft_condition_notify_all(weft_condition *condition)
{
	return weft_condition_notify(condition, SIZE_MAX);
}

int weft_rwlock_new(weft_rwlock **ret_rwlock)
{
	weft_rwlock *rwlock;

	if (ret_rwlock == NULL)
		return -EINVAL;
	rwlock = calloc(1, sizeof(*rwlock));
	if (rwlock == NULL)
		return -ENOMEM;
	weft__list_init(&rwlock->waiters);
	*ret_rwlock = rwlock;
	return 0;
}

int weft_rwlock_free(weft_rwlock *rwlock)
{
	bool unused;

	if (rwlock == NULL)
		return 0;
	weft__enter();
	unused = rwlock->users == 0 && rwlock->readers == 0 && is_idle(rwlock->writer);
	weft__leave();
	if (!unused)
		return -EBUSY;
	weft_release(rwlock->writer);
	free(rwlock);
	return 0;
}

/* Whether the lock has been taken. Entered. */
static bool try_take(weft_rwlock *rwlock, weft_task *task, bool writes)
{
	if (rwlock->writer != NULL || (writes && rwlock->readers != 0))
		return false;
	if (writes)
		own(&rwlock->writer, task);
	else
		rwlock->readers++;
	return true;
}

/* Those who come first, as far as they can have it together. Entered. */
static void serve(weft_rwlock *rwlock)
{
	struct weft__wait *first;

	while ((first = weft__wait_first(&rwlock->waiters)) != NULL &&
	       try_take(rwlock, first->task, first->item != NULL)) {
		rwlock->users--;
		weft__wait_end(first, 0);
	}
}

static int acquire(weft_rwlock *rwlock, bool writes, int64_t deadline_ns)
{
	weft_task *me = weft__me();
	struct weft__wait wait = {.item = writes ? me : NULL};
	int err = rwlock == NULL ? -EINVAL : weft__enter_wait(deadline_ns);

	if (err != 0)
		return err;
	if (rwlock->writer == me) {
		err = -EDEADLK;
	} else if (!weft__list_empty(&rwlock->waiters) || !try_take(rwlock, me, writes)) {
		rwlock->users++;
		err = weft__wait_in(&rwlock->waiters, &wait, deadline_ns);
		/* Readers may have waited behind a writer that has given up. */
		if (err != 0) {
			rwlock->users--;
			serve(rwlock);
		}
	}
	weft__leave();
	return err;
}

int weft_rwlock_acquire_read(weft_rwlock *rwlock, int64_t deadline_ns)
{
	return acquire(rwlock, false, deadline_ns);
}

int weft_rwlock_acquire_write(weft_rwlock *rwlock, int64_t deadline_ns)
{
	return acquire(rwlock, true, deadline_ns);
}

int weft_rwlock_release_read(weft_rwlock *rwlock)
{
	int err = rwlock == NULL ? -EINVAL : weft__enter_here(0);

	if (err != 0)
		return err;
	if (rwlock->readers == 0) {
		err = -EPERM;
	} else {
		rwlock->readers--;
		serve(rwlock);
	}
	weft__leave();
	return err;
}

int weft_rwlock_release_write(weft_rwlock *rwlock)
{
	int err = rwlock == NULL ? -EINVAL : weft__enter_wait(0);

	if (err != 0)
		return err;
	if (rwlock->writer != weft__me()) {
		err = -EPERM;
	} else {
		disown(&rwlock->writer);
		serve(rwlock);
	}
	weft__leave();
	return err;
}
