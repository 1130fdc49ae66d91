/*
 * See native.h.
 *
 * One result is decided for each wait, by who comes first: who grants it, who raises, or its deadline.
 * What comes later finds it `over` or out of the queue, so that nothing is granted to who has given
 * up, and no grant is lost.
 *
 * Timeouts need no timers: each wait ends when the innermost scope's, or an outer one's, time comes.
 */
#include "native.h"

#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void (*weft__on_wait)(weft_task *task);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* In a patched program: what belongs to the calling thread, made when first asked for. */
static __thread weft_task *of_thread;
static pthread_key_t at_thread_end;
static pthread_once_t begun = PTHREAD_ONCE_INIT;
static struct weft__run whole_program;

void weft__use_threads(void)
{
	weft__on_threads = true;
}

void weft__enter_threads(void)
{
	pthread_mutex_lock(&lock);
}

void weft__leave_threads(void)
{
	pthread_mutex_unlock(&lock);
}

static void end_with_thread(void *task)
{
	weft__thread_ends(task);
	of_thread = NULL; /* what is destroyed later makes another */
}

/*
 * A child of fork(2) has the lock as this thread left it, not as another did that it does not have. Nor
 * does it have the tasks that others run, the timekeeper and executors' threads among them: it does
 * not wait for them.
 */
static void begin_child(void)
{
	weft__run_forget(&whole_program);
	if (of_thread != NULL) {
		if (of_thread->run != &whole_program)
			weft__run_forget(of_thread->run);
		of_thread->run->tasks = of_thread->fn != NULL ? 1 : 0;
	}
	weft__leave_threads();
}

static void begin(void)
{
	weft__run_init(&whole_program);
	pthread_key_create(&at_thread_end, end_with_thread);
	pthread_atfork(weft__enter_threads, weft__leave_threads, begin_child);
}

weft_task *weft__adopt(weft_task *task)
{
	pthread_once(&begun, begin);
	of_thread = task;
	pthread_setspecific(at_thread_end, task);
	return task;
}

weft_task *weft__me_of_thread(void)
{
	weft_task *task;

	if (!weft__on_threads && !weft__patched())
		return NULL;
	if (weft__likely(of_thread != NULL))
		return of_thread;
	task = calloc(1, sizeof(*task));
	if (task == NULL)
		return NULL;
	pthread_once(&begun, begin);
	weft__record_init(task, &whole_program);
	task->started = true;
	return weft__adopt(task);
}

struct weft__run *weft__run_here(void)
{
	struct weft__carrier *carrier;
	weft_task *me;

	if (!weft__on_threads) {
		carrier = weft__carrier_here();
		if (carrier != NULL)
			return carrier->run;
	}
	me = weft__me();
	return me == NULL ? NULL : me->run;
}

bool weft__out_of_reach(const weft_task *task)
{
	return !weft__on_threads && !weft_ended(task) && task->run != weft__run_here();
}

int weft__enter_wait(int64_t deadline_ns)
{
	if (deadline_ns < 0)
		return -EINVAL;
	if (weft__me() == NULL)
		return -EPERM;
	weft__enter();
	return 0;
}

int weft__enter_here(int64_t deadline_ns)
{
	if (deadline_ns < 0)
		return -EINVAL;
	if (weft__run_here() == NULL)
		return -EPERM;
	weft__enter();
	return 0;
}

static void park_on_word(weft_task *me, const struct weft__wait *wait, int64_t deadline_ns)
{
	struct timespec until = {.tv_sec = (time_t)(deadline_ns / WEFT_S),
				 .tv_nsec = (long)(deadline_ns % WEFT_S)};

	while (!wait->over && (deadline_ns == WEFT_FOREVER || weft_now() < deadline_ns)) {
		__atomic_store_n(&me->woken, 0, __ATOMIC_RELAXED);
		weft__leave();
		weft__ask(SYS_futex, &me->woken, FUTEX_WAIT_BITSET_PRIVATE, 0,
			  deadline_ns == WEFT_FOREVER ? NULL : &until, NULL,
			  FUTEX_BITSET_MATCH_ANY);
		weft__enter();
	}
}

/* Until the wait is over, or its time. */
static void park(weft_task *me, const struct weft__wait *wait, int64_t deadline_ns)
{
	if (weft__unlikely(weft__on_threads)) {
		park_on_word(me, wait, deadline_ns);
		return;
	}
	while (!wait->over)
		if (weft__park(deadline_ns == WEFT_FOREVER ? 0 : (uint64_t)deadline_ns) ==
		    -ETIMEDOUT)
			return;
}

void weft__wait_end(struct weft__wait *wait, int result)
{
	weft_task *task = wait->task;

	weft__list_remove(&wait->link);
	wait->result = result;
	wait->over = true;
	if (weft__unlikely(wait->bell != NULL)) {
		weft__bell_ring(wait->bell);
	} else if (weft__unlikely(weft__on_threads)) {
		__atomic_store_n(&task->woken, 1, __ATOMIC_RELAXED);
		weft__ask(SYS_futex, &task->woken, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	} else {
		weft__wake(&task->task, 0);
	}
}

/* The scope whose time comes first, NULL: none has one that is still to come. */
static weft_timeout *soonest_timeout(const weft_task *me)
{
	weft_timeout *soonest = NULL;

	for (weft_timeout *scope = me->timeouts; scope != NULL; scope = scope->outer)
		if (!scope->raised &&
		    (soonest == NULL || scope->deadline_ns < soonest->deadline_ns))
			soonest = scope;
	return soonest;
}

static int expire(weft_timeout *scope)
{
	scope->raised = true;
	return scope->error;
}

static int time_out(struct weft__wait *wait)
{
	wait->timed_out = true;
	return -ETIMEDOUT;
}

/* What ends a wait before it begins; 0: nothing does. */
static int ends_at_once(weft_task *me, struct weft__wait *wait, weft_timeout *scope,
			int64_t deadline_ns)
{
	int error = me->raised;
	int64_t now;

	me->raised = 0;
	wait->timed_out = false;
	if (error != 0)
		return error;
	if (scope == NULL && deadline_ns == WEFT_FOREVER)
		return 0;
	if (deadline_ns == 0)
		return time_out(wait);
	now = weft_now();
	if (scope != NULL && scope->deadline_ns <= now)
		return expire(scope);
	return deadline_ns <= now ? time_out(wait) : 0;
}

static void stand_in(weft_task *me, struct weft__link *queue, struct weft__wait *wait)
{
	wait->task = me;
	wait->over = false;
	wait->bell = NULL;
	weft__list_init(&wait->link);
	if (queue != NULL)
		weft__list_append(queue, &wait->link);
	me->wait = wait;
}

int weft__wait_begin(struct weft__link *queue, struct weft__wait *wait, int64_t deadline_ns)
{
	weft_task *me = weft__me();
	weft_timeout *scope;
	int err;

	if (weft__unlikely(me == NULL))
		return deadline_ns == 0 ? -ETIMEDOUT : -EPERM;
	if (weft__unlikely(weft__on_wait != NULL))
		weft__on_wait(me);
	scope = me->timeouts == NULL ? NULL : soonest_timeout(me);
	err = ends_at_once(me, wait, scope, deadline_ns);
	if (err != 0)
		return err;
	if (scope != NULL && scope->deadline_ns >= deadline_ns)
		scope = NULL;
	wait->scope = scope;
	wait->until_ns = scope == NULL ? deadline_ns : scope->deadline_ns;
	wait->firm = false;
	stand_in(me, queue, wait);
	return 0;
}

int weft__wait_finish(struct weft__wait *wait)
{
	wait->task->wait = NULL;
	if (wait->over)
		return wait->result;
	weft__list_remove(&wait->link);
	return wait->scope == NULL ? time_out(wait) : expire(wait->scope);
}

int weft__wait_rest(struct weft__wait *wait)
{
	park(wait->task, wait, wait->until_ns);
	return weft__wait_finish(wait);
}

int weft__wait_in(struct weft__link *queue, struct weft__wait *wait, int64_t deadline_ns)
{
	int err = weft__wait_begin(queue, wait, deadline_ns);

	return err != 0 ? err : weft__wait_rest(wait);
}

int weft__wait_time(int64_t until_ns)
{
	struct weft__wait wait;
	int err = weft__wait_begin(NULL, &wait, until_ns);

	if (err == 0) {
		park(wait.task, &wait, wait.until_ns);
		err = weft__wait_finish(&wait);
	} else {
		weft__leave();
		weft_yield();
		weft__enter();
	}
	return wait.timed_out ? 0 : err;
}

int weft__wait_firmly(struct weft__link *queue, struct weft__wait *wait)
{
	weft_task *me = weft__me();

	wait->firm = true;
	stand_in(me, queue, wait);
	park(me, wait, WEFT_FOREVER);
	me->wait = NULL;
	return wait->result;
}

void weft__raise(weft_task *task, int error)
{
	if (task->wait != NULL && !task->wait->over && !task->wait->firm)
		weft__wait_end(task->wait, error);
	else
		task->raised = error;
}

void weft__object_init(struct weft_object *object)
{
	weft__list_init(&object->watchers);
	object->ready = false;
}

void weft__object_set(struct weft_object *object, bool ready)
{
	object->ready = ready;
	while (object->ready && !weft__list_empty(&object->watchers)) {
		struct weft__watcher *watcher =
			weft__container(object->watchers.next, struct weft__watcher, link);

		weft__list_remove(&watcher->link);
		watcher->ready(watcher);
	}
}

struct object_wait {
	struct weft__watcher watcher;
	struct weft__wait wait;
};

static void end_object_wait(struct weft__watcher *watcher)
{
	struct object_wait *one = weft__container(watcher, struct object_wait, watcher);

	if (!one->wait.over)
		weft__wait_end(&one->wait, 0);
}

int weft__object_wait(struct weft_object *object, int64_t deadline_ns)
{
	struct object_wait one;
	int err;

	if (object->ready)
		return 0;
	one.watcher.ready = end_object_wait;
	one.wait.over = false;
	weft__list_append(&object->watchers, &one.watcher.link);
	err = weft__wait_in(NULL, &one.wait, deadline_ns);
	weft__list_remove(&one.watcher.link);
	return err;
}

void weft__object_wait_firmly(struct weft_object *object)
{
	struct object_wait one;

	if (object->ready)
		return;
	one.watcher.ready = end_object_wait;
	one.wait.over = false;
	weft__list_append(&object->watchers, &one.watcher.link);
	weft__wait_firmly(NULL, &one.wait);
}
