/*
 * See weft/timer.h. The timers of a run are in a heap, and one task waits for the first of them: the
 * timekeeper, which is there while any is armed, so that it keeps the run alive. What is due has a
 * task of its own.
 */
#include <stdlib.h>

#include "native.h"

struct weft_timer {
	weft_object object;
	struct weft__timer entry;
	struct weft__run *run; /* in whose heap it is; valid while it is armed */
	void (*fn)(void *arg);
	void *arg;
	int64_t duration_ns, interval_ns; /* as it was started last */
	struct weft__watcher call_ends;   /* valid while `called` */
	bool started, called, freed;      /* ever; its function is being; its owner has gone */
	bool owed; /* it was due while it was called, and does not repeat: called again */
};

static bool is_armed(const weft_timer *timer)
{
	return timer->entry.armed != NULL || timer->owed;
}

static void spawn_call(weft_timer *timer);

/* Entered. */
static void disarm(weft_timer *timer)
{
	weft__timer_disarm(&timer->entry);
	timer->owed = false;
	if (!timer->called)
		weft__object_set(&timer->object, true);
}

static void poke(weft_task *keeper)
{
	if (keeper->wait != NULL && !keeper->wait->over)
		weft__wait_end(keeper->wait, 0);
}

/* When it is due next: as often as it must be after its last time, to come. */
static uint64_t next_time(const weft_timer *timer, int64_t now)
{
	int64_t last = (int64_t)timer->entry.deadline_ns, next;
	int64_t times = (now - last) / timer->interval_ns + 1;

	if (__builtin_mul_overflow(times, timer->interval_ns, &next) ||
	    __builtin_add_overflow(next, last, &next))
		return WEFT_FOREVER;
	return (uint64_t)next;
}

static void end_call(weft_timer *timer)
{
	timer->called = false;
	if (timer->freed) {
		free(timer);
	} else if (timer->owed) {
		timer->owed = false;
		spawn_call(timer);
	} else if (!is_armed(timer)) {
		weft__object_set(&timer->object, true);
	}
}

/* The task has ended, or was killed before it began. */
static void end_task(struct weft__watcher *watcher)
{
	end_call(weft__container(watcher, weft_timer, call_ends));
}

static void *call(void *arg)
{
	weft_timer *timer = arg;

	timer->fn(timer->arg);
	return NULL;
}

/* Have its function called. Entered. */
static void spawn_call(weft_timer *timer)
{
	weft_task *task;

	timer->called = true;
	if (weft__spawn_in(timer->run, &task, call, timer) != 0) {
		/* No room: better by the timekeeper, while the others are late, than not. */
		weft__leave();
		call(timer);
		weft__enter();
		end_call(timer);
		return;
	}
	timer->call_ends.ready = end_task;
	weft__list_append(&task->object.watchers, &timer->call_ends.link);
	weft__unref(task);
}

/* Entered. */
static void expire(struct weft__timers *timers, weft_timer *timer, int64_t now)
{
	weft__timer_disarm(&timer->entry);
	if (timer->interval_ns != 0)
		weft__timer_arm(timers, &timer->entry, next_time(timer, now));
	if (!timer->called)
		spawn_call(timer);
	else
		timer->owed = timer->interval_ns == 0;
}

static void *keep_time(void *arg)
{
	struct weft__run *run = arg;
	struct weft__timer *first;
	struct weft__wait wait;

	weft__enter();
	while ((first = run->timers.first) != NULL) {
		int64_t now = weft_now(), due = (int64_t)first->deadline_ns;

		if (due <= now)
			expire(&run->timers, weft__container(first, weft_timer, entry), now);
		else
			weft__wait_in(NULL, &wait, due);
	}
	run->timekeeper = NULL;
	weft__leave();
	return NULL;
}

int weft_timer_new(weft_timer **ret_timer, void (*fn)(void *arg), void *arg)
{
	weft_timer *timer;

	if (ret_timer == NULL || fn == NULL)
		return -EINVAL;
	timer = calloc(1, sizeof(*timer));
	if (timer == NULL)
		return -ENOMEM;
	weft__object_init(&timer->object);
	timer->object.ready = true;
	timer->fn = fn;
	timer->arg = arg;
	*ret_timer = timer;
	return 0;
}

/* Entered, if it is 0: who has an armed timer is of its run. */
static int enter_timer(weft_timer *timer, bool needs_run)
{
	struct weft__run *here = weft__run_here();

	if (timer == NULL)
		return -EINVAL;
	if (needs_run && here == NULL)
		return -EPERM;
	weft__enter();
	if (!is_armed(timer) || timer->run == here || weft__on_threads)
		return 0;
	weft__leave();
	return -EPERM;
}

/* Entered. */
static int start(weft_timer *timer, int64_t deadline_ns)
{
	struct weft__run *run = weft__run_here();
	int err;

	if (run->timekeeper == NULL) {
		err = weft__spawn_in(run, &run->timekeeper, keep_time, run);
		if (err != 0)
			return err;
		weft__unlist(run->timekeeper);
		weft__unref(run->timekeeper);
	}
	weft__timer_disarm(&timer->entry);
	timer->owed = false;
	timer->run = run;
	timer->started = true;
	weft__object_set(&timer->object, false);
	weft__timer_arm(&run->timers, &timer->entry, (uint64_t)deadline_ns);
	if (run->timers.first == &timer->entry)
		poke(run->timekeeper);
	return 0;
}

int weft_timer_start(weft_timer *timer, int64_t duration_ns, int64_t interval_ns)
{
	int64_t deadline_ns = weft_after(duration_ns);
	int err = deadline_ns < 0 || interval_ns < 0 ? -EINVAL : enter_timer(timer, true);

	if (err != 0)
		return err;
	err = start(timer, deadline_ns);
	if (err == 0) {
		timer->duration_ns = duration_ns;
		timer->interval_ns = interval_ns;
	}
	weft__leave();
	return err;
}

int weft_timer_reset(weft_timer *timer)
{
	int err = enter_timer(timer, true);

	if (err != 0)
		return err;
	err = timer->started ? start(timer, weft_after(timer->duration_ns)) : -ENOENT;
	weft__leave();
	return err;
}

/* Entered. */
static void cancel(weft_timer *timer)
{
	struct weft__run *run = timer->run;

	disarm(timer);
	if (run->timers.first == NULL && run->timekeeper != NULL)
		poke(run->timekeeper); /* it ends, and may the run */
}

int weft_timer_cancel(weft_timer *timer)
{
	int result = enter_timer(timer, false);

	if (result != 0)
		return result;
	result = is_armed(timer);
	if (result)
		cancel(timer);
	weft__leave();
	return result;
}

bool weft_timer_armed(const weft_timer *timer)
{
	bool armed;

	if (timer == NULL)
		return false;
	weft__enter();
	armed = is_armed(timer);
	weft__leave();
	return armed;
}

int weft_timer_join(weft_timer *timer, int64_t deadline_ns)
{
	int err = timer == NULL ? -EINVAL : weft__enter_wait(deadline_ns);

	if (err != 0)
		return err;
	err = weft__object_wait(&timer->object, deadline_ns);
	weft__leave();
	return err;
}

int weft_timer_free(weft_timer *timer)
{
	int err;

	if (timer == NULL)
		return 0;
	err = enter_timer(timer, false);
	if (err != 0)
		return err;
	if (!weft__object_unused(&timer->object)) {
		weft__leave();
		return -EBUSY;
	}
	if (is_armed(timer))
		cancel(timer);
	timer->freed = timer->called;
	if (!timer->called)
		free(timer);
	weft__leave();
	return 0;
}

void weft__timers_stop(struct weft__run *run)
{
	while (run->timers.first != NULL)
		cancel(weft__container(run->timers.first, weft_timer, entry));
}
