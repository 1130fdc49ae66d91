/*
 * See timers.h. timer_create(2) and its kin; alarm(2) and setitimer(2) are the process's.
 *
 * A timer on a task's processor time is in the kernel one on the kernel thread's, or with several
 * carriers the process's, which passes at least as fast. When that signals too early, it is set
 * again to what is left.
 */
#include "timers.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "cpu.h"
#include "handlers.h"
#include "list.h"
#include "memory.h"
#include "shim.h"
#include "signals.h"
#include "thread.h"
#include "times.h"

#define BUCKETS 64

struct timer {
	struct weft__link link;
	int id;            /* the kernel's */
	int for_tid;       /* whom it signals; 0: the process */
	int time_tid;      /* whose processor time it runs on; 0: the kernel knows the clock */
	bool silent;       /* SIGEV_NONE: it only shows what is left */
	int overrun;       /* of the signal that was last delivered */
	uint64_t next_ns;  /* with time_tid: when it expires, in that thread's time; 0: disarmed */
	uint64_t again_ns; /* with time_tid: its interval */
};

static struct weft__link timers[BUCKETS];

static struct weft__link *bucket_of(int id)
{
	struct weft__link *bucket = &timers[(unsigned int)id % BUCKETS];

	if (bucket->next == NULL)
		weft__list_init(bucket);
	return bucket;
}

static struct timer *find(int id)
{
	struct weft__link *bucket = bucket_of(id);

	for (struct weft__link *link = bucket->next; link != bucket; link = link->next)
		if (weft__container(link, struct timer, link)->id == id)
			return weft__container(link, struct timer, link);
	return NULL;
}

static void forget(struct timer *timer)
{
	weft__list_remove(&timer->link);
	weft__free(timer, sizeof(*timer));
}

void weft__timers_clear(void)
{
	for (size_t i = 0; i < BUCKETS; i++)
		while (timers[i].next != NULL && !weft__list_empty(&timers[i]))
			forget(weft__container(timers[i].next, struct timer, link));
}

/* Have the kernel look again once its thread has had what the task lacks. */
static long arm(const struct timer *timer, uint64_t now)
{
	struct itimerspec left = {{0, 0}, {0, 0}};

	if (timer->next_ns != 0)
		left.it_value = weft__to_timespec(timer->next_ns > now ? timer->next_ns - now : 1);
	return weft__raw(SYS_timer_settime, timer->id, 0, &left, NULL);
}

/* Whether the time of the thread it runs on has come; it is set for the next time. */
static bool is_due(struct timer *timer)
{
	struct weft__thread *thread = weft__thread_by_tid(timer->time_tid);
	uint64_t now;
	bool due;

	if (thread == NULL || timer->next_ns == 0)
		return false;
	now = weft__cpu_time(&thread->task);
	due = now >= timer->next_ns;
	if (due && timer->again_ns == 0)
		timer->next_ns = 0;
	else if (due)
		timer->next_ns += (1 + (now - timer->next_ns) / timer->again_ns) * timer->again_ns;
	arm(timer, now);
	return due;
}

enum weft__timer_for weft__timer_signal(const siginfo_t *info, struct weft__thread **thread)
{
	struct timer *timer = find(info->si_timerid);

	if (timer == NULL)
		return WEFT__FOR_PROCESS;
	if (timer->time_tid != 0 && !is_due(timer))
		return WEFT__FOR_NOBODY;
	if (timer->for_tid == 0)
		return WEFT__FOR_PROCESS;
	*thread = weft__thread_by_tid(timer->for_tid);
	return *thread == NULL ? WEFT__FOR_NOBODY : WEFT__FOR_THREAD;
}

void weft__timer_delivered(const siginfo_t *info)
{
	struct timer *timer = find(info->si_timerid);

	if (timer != NULL)
		timer->overrun = info->si_overrun;
}

/* Turn what the program asks for into what the kernel can do, and note the difference. */
static long translate(struct timer *timer, long *clock, struct sigevent *event)
{
	struct weft__thread *of = weft__thread_of_clock((clockid_t)*clock), *target;

	if (of != NULL) {
		timer->time_tid = of->tid;
		*clock = weft__parallel ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_THREAD_CPUTIME_ID;
		weft__cpu_time(&of->task); /* from here on it is counted exactly */
	}
	if ((event->sigev_notify & SIGEV_THREAD_ID) == 0)
		return 0;
	target = weft__thread_by_tid(event->_sigev_un._tid);
	if (target == NULL)
		return event->_sigev_un._tid >= WEFT__FIRST_TID ? -EINVAL : 0;
	timer->for_tid = target->tid;
	/* The others' kernel threads take no signals but their own. */
	event->_sigev_un._tid = weft__process.kernel_thread;
	return 0;
}

long on_timer_create(struct weft__call *c)
{
	/* What the kernel takes NULL for, but for the value, which is the timer's id. */
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
	struct timer *timer, noted = {.for_tid = 0};
	long clock = c->arg[0], err;
	int id;

	if (c->arg[1] != 0 && weft__copy(&event, (void *)c->arg[1], sizeof(event)) != 0)
		return -EFAULT;
	err = translate(&noted, &clock, &event);
	if (err != 0)
		return err;
	timer = weft__alloc(sizeof(*timer));
	if (timer == NULL)
		return -EAGAIN;
	err = weft__raw(SYS_timer_create, clock, c->arg[1] == 0 ? NULL : &event, &id);
	if (err == 0 && weft__copy((void *)c->arg[2], &id, sizeof(id)) != 0) {
		weft__raw(SYS_timer_delete, id);
		err = -EFAULT;
	}
	if (err != 0) {
		weft__free(timer, sizeof(*timer));
		return err;
	}
	/* The kernel thread may not block it where the task does. */
	if (noted.for_tid != 0 || noted.time_tid != 0)
		weft__signal_claim(event.sigev_signo);
	*timer = noted;
	timer->id = id;
	timer->silent = event.sigev_notify == SIGEV_NONE;
	weft__list_append(bucket_of(id), &timer->link);
	return 0;
}

/* What is left of a timer on a thread's time. */
static struct itimerspec left_of(const struct timer *timer, uint64_t now)
{
	struct itimerspec left = {weft__to_timespec(timer->again_ns), {0, 0}};

	uint64_t next = timer->next_ns;

	if (timer->silent && next != 0 && next <= now)
		next = timer->again_ns == 0
			       ? 0
			       : next + (1 + (now - next) / timer->again_ns) * timer->again_ns;
	if (next != 0)
		left.it_value = weft__to_timespec(next > now ? next - now : 1);
	return left;
}

/* The timer of a call if it runs on a thread's time, and that thread; else NULL. */
static struct timer *timer_of(const struct weft__call *c, struct weft__thread **thread)
{
	struct timer *timer = find((int)c->arg[0]);

	if (timer == NULL || timer->time_tid == 0)
		return NULL;
	*thread = weft__thread_by_tid(timer->time_tid);
	return *thread == NULL ? NULL : timer;
}

long on_timer_settime(struct weft__call *c)
{
	struct weft__thread *thread;
	struct timer *timer = timer_of(c, &thread);
	struct itimerspec wanted, before;
	uint64_t now, value;

	if (timer == NULL)
		return WEFT__PASS;
	if (c->arg[2] == 0)
		return -EINVAL;
	if (weft__copy(&wanted, (void *)c->arg[2], sizeof(wanted)) != 0)
		return -EFAULT;
	if (weft__read_time(&wanted.it_value, &wanted.it_value) != 0 ||
	    weft__read_time(&wanted.it_interval, &wanted.it_interval) != 0)
		return -EINVAL;
	now = weft__cpu_time(&thread->task);
	before = left_of(timer, now);
	value = weft__to_ns(&wanted.it_value);
	timer->next_ns = value == 0 || ((int)c->arg[1] & TIMER_ABSTIME) != 0 ? value : now + value;
	timer->again_ns = weft__to_ns(&wanted.it_interval);
	arm(timer, now);
	return c->arg[3] == 0 ? 0 : weft__copy((void *)c->arg[3], &before, sizeof(before));
}

long on_timer_gettime(struct weft__call *c)
{
	struct weft__thread *thread;
	struct timer *timer = timer_of(c, &thread);
	struct itimerspec left;

	if (timer == NULL)
		return WEFT__PASS;
	left = left_of(timer, weft__cpu_time(&thread->task));
	return weft__copy((void *)c->arg[1], &left, sizeof(left));
}

long on_timer_getoverrun(struct weft__call *c)
{
	const struct timer *timer = find((int)c->arg[0]);

	return timer == NULL ? WEFT__PASS : timer->overrun;
}

long on_timer_delete(struct weft__call *c)
{
	struct timer *timer = find((int)c->arg[0]);
	long err;

	if (timer == NULL)
		return WEFT__PASS;
	err = weft__raw(SYS_timer_delete, c->arg[0]);
	/* What it has sent by now goes to whom it was for. */
	weft__signals_attend(&weft__process);
	forget(timer);
	return err;
}
