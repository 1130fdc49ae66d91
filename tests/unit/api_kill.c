/* weft/task.h: raises, in each kind of wait. */
#include <errno.h>
#include <unistd.h>

#include "unit.h"

static void *wait_for_ever(void *arg)
{
	while (weft_sleep(WEFT_FOREVER) == 0)
		;
	return arg;
}

static weft_task *start(weft_func *fn, void *arg)
{
	weft_task *task = NULL;

	cr_assert_eq(weft_spawn(&task, fn, arg), 0);
	return task;
}

/* --- each kind of wait --- */

struct waiting {
	int (*wait)(struct waiting *waiting);
	int64_t deadline_ns;
	weft_task *other;
	weft_iwait *iwait;
	int ends[2];
	int result, next;
};

static int join_it(struct waiting *w)
{
	return weft_join(w->other, w->deadline_ns);
}

static int join_all(struct waiting *w)
{
	return weft_joinall(&w->other, 1, 0, w->deadline_ns);
}

static int get_it(struct waiting *w)
{
	return weft_get(w->other, w->deadline_ns, NULL);
}

static int wait_for_it(struct waiting *w)
{
	weft_object *object = weft_object(w->other);
	bool ready = true;
	int n = weft_wait(&object, 1, 1, w->deadline_ns, &ready);

	cr_expect(ready);
	return n;
}

static int take_next(struct waiting *w)
{
	weft_object *object = NULL;
	int n = weft_iwait_next(w->iwait, w->deadline_ns, &object);

	cr_expect_null(object);
	return n;
}

static int sleep_long(struct waiting *w)
{
	return weft_sleep(w->deadline_ns == WEFT_FOREVER ? WEFT_FOREVER : 3600 * WEFT_S);
}

static int wait_for_bytes(struct waiting *w)
{
	return weft_wait_fd(w->ends[0], WEFT_IN, w->deadline_ns);
}

static int kill_it(struct waiting *w)
{
	return weft_kill(w->other, w->deadline_ns);
}

static int kill_all(struct waiting *w)
{
	return weft_killall(&w->other, 1, w->deadline_ns);
}

static void *wait_once(void *arg)
{
	struct waiting *waiting = arg;

	waiting->result = waiting->wait(waiting);
	waiting->next = weft_sleep(1);
	return arg;
}

static void *refuse_to_die(void *stop)
{
	while (!__atomic_load_n((bool *)stop, __ATOMIC_RELAXED))
		weft_sleep(WEFT_FOREVER);
	return NULL;
}

static void raise_in(int (*wait)(struct waiting *waiting), int64_t deadline_ns)
{
	bool stop = false;
	struct waiting waiting = {.wait = wait, .deadline_ns = deadline_ns};
	weft_object *object;
	weft_task *task;

	make_pipe(waiting.ends);
	waiting.other = start(refuse_to_die, &stop);
	until_waits(waiting.other);
	object = weft_object(waiting.other);
	cr_assert_eq(weft_iwait_new(&waiting.iwait, &object, 1), 0);
	task = start(wait_once, &waiting);
	until_waits(task);
	cr_assert_eq(weft_raise(task, -EPROTO), 0);
	cr_assert_eq(weft_join(task, WEFT_FOREVER), 0);
	cr_assert_eq(waiting.result, -EPROTO);
	cr_assert_eq(waiting.next, 0, "one raise ends one wait");
	cr_assert_eq(weft_error(task), 0);
	weft_release(task);

	waiting.result = 1;
	task = start(wait_once, &waiting);
	until_waits(task);
	cr_assert_eq(weft_kill(task, WEFT_FOREVER), 0);
	cr_assert_eq(waiting.result, -ECANCELED);
	cr_assert_eq(waiting.next, 0);
	cr_assert_eq(weft_error(task), -ECANCELED);
	weft_release(task);

	cr_assert_eq(weft_iwait_free(waiting.iwait), 0);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	weft_kill(waiting.other, WEFT_FOREVER);
	cr_assert(weft__object_unused(&waiting.other->object));
	weft_release(waiting.other);
	close(waiting.ends[0]);
	close(waiting.ends[1]);
}

#define RaisedIn(name, wait) \
	BothWays(api_kill, name) \
	{ \
		raise_in(wait, WEFT_FOREVER); \
		raise_in(wait, weft_after(3600 * WEFT_S)); \
	}

RaisedIn(a_join_ends_with_what_is_raised,
	 join_it) RaisedIn(a_joinall_ends_with_what_is_raised,
			   join_all) RaisedIn(a_get_ends_with_what_is_raised, get_it)
	RaisedIn(a_wait_ends_with_what_is_raised,
		 wait_for_it) RaisedIn(an_iwait_ends_with_what_is_raised, take_next)
		RaisedIn(a_sleep_ends_with_what_is_raised, sleep_long)
			RaisedIn(a_kill_that_waits_ends_with_what_is_raised, kill_it)
				RaisedIn(a_killall_that_waits_ends_with_what_is_raised, kill_all)

					RaisedIn(a_wait_for_a_descriptor_ends_with_what_is_raised,
						 wait_for_bytes)

						static bool busy = true;

static void *be_busy(void *arg)
{
	while (busy)
		weft_yield();
	return arg;
}

static void *idle_once(void *ret_result)
{
	*(int *)ret_result = weft_idle(WEFT_FOREVER);
	return NULL;
}

TaskTest(api_kill, an_idle_ends_with_what_is_raised)
{
	weft_task *other = start(be_busy, NULL);
	int result = 0;
	weft_task *task = start(idle_once, &result);

	yield(5);
	cr_assert_eq(weft_raise(task, -EPROTO), 0);
	join(task);

	cr_assert_eq(result, -EPROTO);
	busy = false;
	join(other);
}

/* --- what raises promise --- */

BothWays(api_kill, only_errors_are_raised)
{
	cr_assert_eq(weft_raise(weft_self(), 0), -EINVAL);
	cr_assert_eq(weft_raise(weft_self(), EIO), -EINVAL);
	cr_assert_eq(weft_sleep(0), 0);
}

BothWays(api_kill, a_raise_waits_for_the_next_wait)
{
	cr_assert_eq(weft_raise(weft_self(), -EIO), 0);
	cr_assert_eq(weft_sleep(0), -EIO);
	cr_assert_eq(weft_sleep(0), 0);

	cr_assert_eq(weft_raise(weft_self(), -EIO), 0);
	cr_assert_eq(weft_raise(weft_self(), -EPROTO), 0);
	cr_assert_eq(weft_idle(WEFT_FOREVER), -EPROTO);
	cr_assert_eq(weft_idle(WEFT_FOREVER), 0);
}

/* A sleep's own end is told by that error, inside. */
BothWays(api_kill, a_sleep_does_not_take_what_is_raised_for_its_time)
{
	weft_task *task = start(wait_for_ever, NULL);

	cr_assert_eq(weft_raise(weft_self(), -ETIMEDOUT), 0);
	cr_assert_eq(weft_sleep(WEFT_MS), -ETIMEDOUT);
	until_waits(task);
	cr_assert_eq(weft_raise(task, -ETIMEDOUT), 0);
	join(task);
}

/* What need not wait is no wait. */
BothWays(api_kill, a_raise_leaves_alone_what_need_not_wait)
{
	weft_task *task = start(wait_for_ever, NULL);

	weft_kill(task, WEFT_FOREVER);
	cr_assert_eq(weft_raise(weft_self(), -EIO), 0);
	cr_assert_eq(weft_join(task, WEFT_FOREVER), 0);
	cr_assert_eq(weft_sleep(0), -EIO);
	weft_release(task);
}

BothWays(api_kill, what_has_ended_is_left_alone)
{
	weft_task *task = start(wait_for_ever, NULL);

	until_waits(task);
	cr_assert_eq(weft_raise(task, -EIO), 0);
	cr_assert_eq(weft_join(task, WEFT_FOREVER), 0);

	cr_assert_eq(weft_raise(task, -EIO), -ESRCH);
	cr_assert_eq(weft_kill(task, WEFT_FOREVER), 0);
	cr_assert_eq(weft_error(task), 0);
	weft_release(task);
}

BothWays(api_kill, a_kill_with_no_time_does_not_wait)
{
	bool stop = false;
	weft_task *task = start(refuse_to_die, &stop);

	until_waits(task);
	cr_assert_eq(weft_kill(task, 0), 0);
	cr_assert_not(weft_ended(task));
	cr_assert_eq(weft_kill(task, 1), -ETIMEDOUT);
	cr_assert_eq(weft_kill(task, weft_after(WEFT_MS)), -ETIMEDOUT);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	cr_assert_eq(weft_kill(task, WEFT_FOREVER), 0);
	cr_assert(weft_ended(task));
	cr_assert_eq(weft_error(task), -ECANCELED);
	weft_release(task);
}

static void *say_why(void *arg)
{
	cr_expect_not(weft_killed());
	cr_expect_eq(weft_sleep(WEFT_FOREVER), -ECANCELED);
	cr_expect(weft_killed());
	cr_expect_eq(weft_sleep(0), 0);
	cr_expect(weft_killed());
	weft_set_error(-EPIPE);
	return arg;
}

BothWays(api_kill, a_killed_task_cleans_up_and_says_how_it_ended)
{
	weft_task *task = start(say_why, NULL);

	until_waits(task);
	cr_assert_eq(weft_kill(task, WEFT_FOREVER), 0);

	cr_assert_eq(weft_error(task), -EPIPE);
	weft_release(task);
}

static void *kill_oneself(void *arg)
{
	cr_expect_eq(weft_kill(weft_self(), WEFT_FOREVER), 0);
	cr_expect(weft_killed());
	cr_expect_eq(weft_sleep(WEFT_FOREVER), -ECANCELED);
	return arg;
}

BothWays(api_kill, who_kills_itself_goes_on_to_its_next_wait)
{
	weft_task *task = start(kill_oneself, NULL);

	cr_assert_eq(weft_get(task, WEFT_FOREVER, NULL), -ECANCELED);
	weft_release(task);
}

BothWays(api_kill, killall_kills_all)
{
	weft_task *tasks[20];

	for (size_t i = 0; i < COUNT(tasks); i++)
		tasks[i] = start(wait_for_ever, NULL);
	cr_assert_eq(weft_killall(tasks, COUNT(tasks), WEFT_FOREVER), 0);

	for (size_t i = 0; i < COUNT(tasks); i++) {
		cr_assert_eq(weft_error(tasks[i]), -ECANCELED);
		weft_release(tasks[i]);
	}
	cr_assert_eq(weft_killall(NULL, 0, WEFT_FOREVER), 0);
}

static void *kill_both(void *other)
{
	weft_task *both[] = {weft_self(), other};

	cr_expect_eq(weft_killall(both, 2, WEFT_FOREVER), -ECANCELED);
	cr_expect_eq(weft_join(other, WEFT_FOREVER), 0);
	return NULL;
}

BothWays(api_kill, who_is_among_those_it_kills_does_not_wait)
{
	bool stop = false;
	weft_task *other = start(refuse_to_die, &stop), *task;

	until_waits(other);
	task = start(kill_both, other);
	/* Killed, but it goes on; then it ends, and the join of who killed it. */
	until_waits(task);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	weft_raise(other, -EINTR);
	join(task);

	cr_assert_eq(weft_get(other, WEFT_FOREVER, NULL), -ECANCELED);
	weft_release(other);
}

static void *give(void *arg)
{
	return arg;
}

struct late {
	weft_task *other;
	int result, next;
};

static void *join_and_sleep(void *arg)
{
	struct late *late = arg;

	late->result = weft_join(late->other, WEFT_FOREVER);
	late->next = weft_sleep(WEFT_FOREVER);
	return NULL;
}

/* Both come before it runs again: who comes first has it, and the other is not lost. */
TaskTest(api_kill, a_raise_after_the_end_of_a_wait_is_for_the_next)
{
	struct late late = {.other = start(wait_for_ever, NULL)};
	weft_task *task = start(join_and_sleep, &late);

	until_waits(task);
	weft__enter();
	weft__object_set(&late.other->object, true);
	weft__leave();
	cr_assert_eq(weft_raise(task, -EPROTO), 0);
	join(task);

	cr_assert_eq(late.result, 0);
	cr_assert_eq(late.next, -EPROTO);
	late.other->object.ready = false;
	weft_kill(late.other, WEFT_FOREVER);
	weft_release(late.other);
}

BothWays(api_kill, who_waits_for_the_end_of_what_it_kills_is_told_of_it_once)
{
	for (int i = 0; i < 200; i++) {
		weft_task *task = start(i % 2 == 0 ? give : wait_for_ever, NULL);

		if (i % 3 == 0)
			weft_yield();
		cr_assert_eq(weft_kill(task, WEFT_FOREVER), 0);
		cr_assert(weft_ended(task));
		cr_assert(weft_error(task) == -ECANCELED || i % 2 == 0);
		weft_release(task);
	}
}

/* In threads it is the kernel that tells of the end of a wait, by errno too. */
BothWays(api_kill, a_wait_leaves_errno_alone)
{
	errno = ELNRNG;
	cr_assert_eq(weft_sleep(WEFT_MS), 0);

	cr_assert_eq(errno, ELNRNG);
}
