/* Sleeping, and the arithmetic of deadlines (times.h). */
#include <errno.h>
#include <time.h>

#include "handlers.h"
#include "shim.h"
#include "thread.h"
#include "times.h"

#define SECOND UINT64_C(1000000000)

uint64_t weft__to_ns(const struct timespec *time)
{
	if (time->tv_sec >= (time_t)(INT64_MAX / SECOND))
		return INT64_MAX;
	return (uint64_t)time->tv_sec * SECOND + (uint64_t)time->tv_nsec;
}

struct timespec weft__to_timespec(uint64_t ns)
{
	return (struct timespec){(time_t)(ns / SECOND), (long)(ns % SECOND)};
}

long weft__read_time(const struct timespec *from, struct timespec *time)
{
	if (weft__copy(time, from, sizeof(*time)) != 0)
		return -EFAULT;
	return time->tv_sec < 0 || (uint64_t)time->tv_nsec >= SECOND ? -EINVAL : 0;
}

uint64_t weft__call_deadline(uint64_t fresh_ns)
{
	struct weft__thread *me = weft__thread_here();

	if (!me->task.restarted)
		me->deadline_ns = fresh_ns;
	return me->deadline_ns;
}

static uint64_t after(uint64_t ns)
{
	uint64_t now = weft__now_ns();

	return weft__call_deadline(ns > INT64_MAX - now ? INT64_MAX : now + ns);
}

long weft__deadline_after(const struct timespec *time, uint64_t *deadline_ns)
{
	struct timespec duration;
	long err = weft__read_time(time, &duration);

	if (err == 0)
		*deadline_ns = after(weft__to_ns(&duration));
	return err;
}

uint64_t weft__deadline_after_ms(int64_t ms)
{
	return after((uint64_t)ms * 1000000U);
}

struct timespec weft__left_until(uint64_t deadline_ns)
{
	uint64_t now = weft__now_ns(), left = deadline_ns > now ? deadline_ns - now : 0;

	return weft__to_timespec(left);
}

/* Sleep until a deadline; when interrupted, say what is left, if anybody asks. */
static long sleep_until(const struct weft__call *c, uint64_t deadline_ns, struct timespec *rest)
{
	struct timespec left;
	int result;

	weft__count_park(c->nr);
	result = weft__park(deadline_ns);
	if (result == -ETIMEDOUT)
		return 0;
	left = weft__left_until(deadline_ns);
	if (rest != NULL && weft__copy(rest, &left, sizeof(left)) != 0)
		return -EFAULT;
	return result;
}

long on_nanosleep(struct weft__call *c)
{
	uint64_t deadline_ns;
	long err = weft__deadline_after((void *)c->arg[0], &deadline_ns);

	return err != 0 ? err : sleep_until(c, deadline_ns, (void *)c->arg[1]);
}

/* The monotonic time at which a clock will show `until`, if nobody sets it meanwhile. */
static uint64_t translate(clockid_t clock, uint64_t until)
{
	struct timespec now;
	uint64_t now_ns;

	clock_gettime(clock, &now);
	now_ns = weft__to_ns(&now);
	return until > now_ns ? weft__now_ns() + (until - now_ns) : 0;
}

uint64_t weft__deadline_at(clockid_t clock, const struct timespec *time)
{
	uint64_t deadline_ns = translate(clock, weft__to_ns(time));

	return deadline_ns == 0 ? 1 : deadline_ns;
}

long on_clock_nanosleep(struct weft__call *c)
{
	clockid_t clock = (clockid_t)c->arg[0];
	struct timespec time;
	uint64_t deadline_ns;
	long err;

	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
		break;
	default:
		return weft__sleep_on_cpu_clock(c);
	}
	if ((c->arg[1] & TIMER_ABSTIME) == 0) {
		err = weft__deadline_after((void *)c->arg[2], &deadline_ns);
		return err != 0 ? err : sleep_until(c, deadline_ns, (void *)c->arg[3]);
	}
	err = weft__read_time((void *)c->arg[2], &time);
	if (err != 0)
		return err;
	/* A clock that was set back meanwhile makes it wait again. */
	while ((deadline_ns = translate(clock, weft__to_ns(&time))) != 0) {
		err = sleep_until(c, deadline_ns, NULL);
		if (err != 0)
			return err;
	}
	return 0;
}
