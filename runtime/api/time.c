/* See weft/base.h and weft/task.h: time, turns, and scopes with a limit of time. */
#include <sched.h>

#include "hub.h"
#include "native.h"

int64_t weft_now(void)
{
	return (int64_t)weft__now_ns();
}

int64_t weft_after(int64_t duration_ns)
{
	int64_t deadline_ns;

	if (duration_ns < 0)
		return -EINVAL;
	return __builtin_add_overflow(weft_now(), duration_ns, &deadline_ns) ? WEFT_FOREVER
									     : deadline_ns;
}

int weft_sleep(int64_t duration_ns)
{
	int64_t until_ns = weft_after(duration_ns);
	int err = weft__enter_wait(until_ns);

	if (err != 0)
		return err;
	err = weft__wait_time(until_ns);
	weft__leave();
	return err;
}

void weft_yield(void)
{
	if (weft__unlikely(weft__on_threads))
		sched_yield();
	else if (weft__current != NULL)
		weft__yield();
}

/* Those who wait for rest have it one after the other. */
static void rest(struct weft__carrier *carrier)
{
	struct weft__wait *first = weft__wait_first(&carrier->run->idlers);

	if (first != NULL)
		weft__wait_end(first, 0);
	if (weft__list_empty(&carrier->run->idlers))
		carrier->at_rest = NULL;
}

int weft_idle(int64_t deadline_ns)
{
	struct weft__run *run = weft__run_here();
	struct weft__wait wait;
	int err = weft__enter_wait(deadline_ns);

	if (err != 0)
		return err;
	if (weft__on_threads) {
		err = weft__wait_time(weft_now());
	} else {
		run->carrier->at_rest = rest;
		err = weft__wait_in(&run->idlers, &wait, deadline_ns);
	}
	weft__leave();
	return err;
}

int weft_timeout_begin(weft_timeout *timeout, int64_t duration_ns, int error)
{
	weft_task *me = weft__me();
	int64_t deadline_ns = weft_after(duration_ns);

	if (timeout == NULL || deadline_ns < 0 || error > 0)
		return -EINVAL;
	if (me == NULL)
		return -EPERM;
	*timeout = (weft_timeout){.outer = me->timeouts,
				  .task = me,
				  .deadline_ns = deadline_ns,
				  .error = error == 0 ? -ETIMEDOUT : error};
	me->timeouts = timeout;
	return 0;
}

int weft_timeout_end(weft_timeout *timeout)
{
	weft_task *me = weft__me();
	const weft_timeout *scope;

	if (me == NULL)
		return -EPERM;
	for (scope = me->timeouts; scope != NULL && scope != timeout; scope = scope->outer)
		;
	if (scope == NULL)
		return -EINVAL;
	me->timeouts = scope->outer;
	return scope->raised ? 1 : 0;
}

struct uv_loop_s *weft_loop(void)
{
	struct weft__run *run = weft__on_threads ? NULL : weft__run_here();

	return run == NULL ? NULL : weft__hub_loop(run->carrier);
}
