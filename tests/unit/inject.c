/* See inject.h. */
#include "inject.h"

#include <errno.h>

/* What is raised. */
enum way {
	KILL,
	RAISE,
	SCOPE, /* of a timeout */
	WAYS,
};

/*
 * When. A wait may be granted before its turn comes: then what is raised is for the next one, and
 * what a timeout has ended is what was granted.
 */
enum moment {
	AT_ONCE,        /* as it begins */
	PARKED,         /* before anybody else runs */
	AFTER_OTHERS,   /* when those who are ready have run */
	AFTER_OTHERS_2, /* twice */
	MOMENTS,
};

#define RAISED_ERROR (-EPROTO)
#define SCOPE_ERROR (-ETIME)

/* More than any scenario has. */
#define MOST_WAITS 500

/* Nobody waits that long but who is stuck. */
#define STUCK_NS (60 * WEFT_S)

static struct injection {
	const struct scenario *scenario;
	enum way way;
	enum moment moment;
	unsigned int at; /* which wait, from 1 */
	unsigned int waits;
	bool done, over;
	weft_task *injector, *target;
	weft_timeout scope;
} now;

/* Entered, by the target. */
static void inject_here(weft_task *me)
{
	if (now.way == SCOPE) {
		now.scope = (weft_timeout){
			.outer = me->timeouts, .task = me, .deadline_ns = 1, .error = SCOPE_ERROR};
		me->timeouts = &now.scope;
		return;
	}
	__atomic_store_n(&me->killed, me->killed || now.way == KILL, __ATOMIC_RELAXED);
	me->raised = now.way == KILL ? -ECANCELED : RAISED_ERROR;
}

bool is_injected(int err)
{
	return err == -ECANCELED || err == RAISED_ERROR || err == SCOPE_ERROR;
}

static bool is_actor(const weft_task *task)
{
	const struct scenario *scenario = now.scenario;

	for (size_t i = 0; i < INJECT_ACTORS; i++)
		if (task->fn == scenario->bodies[i] && task->fn != NULL)
			return true;
	return task->fn != NULL && task->fn == scenario->also;
}

static void on_wait(weft_task *me)
{
	if (!is_actor(me) || ++now.waits != now.at)
		return;
	now.done = true;
	if (now.moment == AT_ONCE) {
		inject_here(me);
		return;
	}
	me->refs++;
	now.target = me;
	weft__wake(&now.injector->task, 0);
}

/* As the hub ends a park whose time has come; the wait is in its queue until it runs. */
static void expire_target(void)
{
	struct weft__wait *wait = now.target->wait;

	if (wait == NULL || wait->over || wait->firm)
		return;
	now.scope = (weft_timeout){.task = now.target, .deadline_ns = 1, .error = SCOPE_ERROR};
	if (weft__wake(&now.target->task, -ETIMEDOUT))
		wait->scope = &now.scope;
}

static void *inject_when_asked(void *unused)
{
	weft_task *me = weft_self();

	me->task.priority = now.moment == PARKED ? 1 : 0;
	while (!now.over) {
		weft__park_firmly();
		if (now.target == NULL) /* it is over */
			break;
		if (now.moment == AFTER_OTHERS_2)
			weft_yield();
		if (now.way == KILL)
			weft_kill(now.target, 0);
		else if (now.way == RAISE)
			weft_raise(now.target, RAISED_ERROR);
		else
			expire_target();
		weft_release(now.target);
		now.target = NULL;
	}
	return unused;
}

/* Where it happens, as far as it has come: a run with a task that is stuck does not end. */
static void must_be(bool well, const char *wrong)
{
	static const char *const ways[] = {"kill", "error", "timeout"};

	cr_assert(well, "%s (%s at wait %u, moment %d)", wrong, ways[now.way], now.at,
		  (int)now.moment);
}

static void must_end(weft_task *const tasks[], size_t n)
{
	must_be(weft_joinall(tasks, n, 0, weft_after(STUCK_NS)) == (int)n, "a task is stuck");
}

static void act(struct stage *stage)
{
	const struct scenario *scenario = now.scenario;
	size_t n = 0, leaders = scenario->leaders;
	const char *wrong;

	for (; n < INJECT_ACTORS && scenario->bodies[n] != NULL; n++)
		must_be(weft_spawn(&stage->actors[n], scenario->bodies[n], stage) == 0, "spawn");
	must_end(stage->actors, leaders == 0 ? n : leaders);
	if (scenario->close != NULL)
		scenario->close(stage);
	must_end(stage->actors, n);
	wrong = scenario->check(stage);
	must_be(wrong == NULL, wrong);
	for (size_t i = 0; i < n; i++)
		weft_release(stage->actors[i]);
}

static void *direct(void *unused)
{
	struct stage stage = {0};

	if (!weft__on_threads)
		weft_spawn(&now.injector, inject_when_asked, NULL);
	weft_yield();
	now.scenario->make(&stage);
	act(&stage);
	now.over = true;
	if (now.injector != NULL) {
		weft__wake(&now.injector->task, 0);
		weft_release(now.injector);
	}
	return unused;
}

/* Whether there was a wait to inject into. */
static bool run_once(const struct scenario *scenario, enum way way, enum moment moment,
		     unsigned int at)
{
	int err;

	now = (struct injection){.scenario = scenario, .way = way, .moment = moment, .at = at};
	weft__on_wait = on_wait;
	err = weft_run(direct, NULL, NULL);
	weft__on_wait = NULL;
	cr_assert_eq(err, 0);
	return now.done;
}

static void inject_at(const struct scenario *scenario, enum moment moment)
{
	for (enum way way = 0; way < WAYS; way++) {
		unsigned int at = 1;

		while (run_once(scenario, way, moment, at))
			cr_assert_lt(at++, MOST_WAITS);
		/* Threads may find all done by the others before they wait. */
		cr_assert(at > 1 || weft__on_threads, "nobody waits");
	}
}

void inject(const struct scenario *scenario)
{
	for (enum moment moment = 0; moment < MOMENTS; moment++)
		inject_at(scenario, moment);
}

void inject_on_threads(const struct scenario *scenario)
{
	weft__use_threads();
	inject_at(scenario, AT_ONCE);
}
