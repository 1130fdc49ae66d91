/* Injection (inject.h) into the waits of weft/task.h, weft/wait.h and weft_wait_fd(). */
#include <errno.h>
#include <unistd.h>

#include "inject.h"

enum {
	DONE,
	ENDED,
	MADE,
	ODD, /* what must not happen */
};

static void make_nothing(struct stage *stage)
{
	(void)stage;
}

static void expect(struct stage *stage, bool well)
{
	if (!well)
		count_in(stage, ODD, 1);
}

static void *take_a_while(void *stage)
{
	for (int i = 0; i < 3; i++)
		weft_sleep(0);
	return stage;
}

/* --- join, get, joinall, wait for tasks --- */

static void *join_actor(void *arg)
{
	struct stage *stage = arg;
	int err;

	UNTIL_DONE(err, weft_join(stage->actors[0], WEFT_FOREVER));
	expect(stage, err == 0 && weft_ended(stage->actors[0]));
	count_in(stage, DONE, 1);
	return NULL;
}

static void *join_actor_for_a_while(void *arg)
{
	struct stage *stage = arg;
	int err;

	do
		UNTIL_DONE(err, weft_join(stage->actors[0], weft_after(20 * WEFT_US)));
	while (err == -ETIMEDOUT);
	expect(stage, err == 0);
	count_in(stage, DONE, 1);
	return NULL;
}

static void *join_both(void *arg)
{
	struct stage *stage = arg;
	int n;

	UNTIL_DONE(n, weft_joinall(stage->actors, 2, 0, WEFT_FOREVER));
	expect(stage, n == 2);
	count_in(stage, DONE, 1);
	return NULL;
}

static void *wait_for_one(void *arg)
{
	struct stage *stage = arg;
	weft_object *objects[] = {weft_object(stage->actors[0]), weft_object(stage->actors[1])};
	bool ready[2];
	int n;

	UNTIL_DONE(n, weft_wait(objects, 2, 1, WEFT_FOREVER, ready));
	expect(stage, n == ready[0] + ready[1] && n >= 1);
	count_in(stage, DONE, 1);
	return NULL;
}

static const char *check_joins(struct stage *stage)
{
	MUST(stage->counts[ODD] == 0);
	MUST(stage->counts[DONE] == 4);
	MUST(weft__object_unused(&stage->actors[0]->object));
	MUST(weft__object_unused(&stage->actors[1]->object));
	return NULL;
}

Injected(joins, .make = make_nothing,
	 .bodies = {take_a_while, take_a_while, join_actor, join_actor_for_a_while, join_both,
		    wait_for_one},
	 .check = check_joins)

	/* --- iwait --- */

	static void make_iwait(struct stage *stage)
{
	weft_event *events[3];

	for (size_t i = 0; i < COUNT(events); i++)
		weft_event_new(&events[i]);
	stage->x = events[0];
	stage->y = events[1];
	stage->z = events[2];
	weft_iwait_new(&stage->iwait, (weft_object *const *)events, 3);
}

static void *set_events(void *arg)
{
	struct stage *stage = arg;

	weft_event_set(stage->x);
	weft_sleep(0);
	weft_event_set(stage->y);
	weft_event_set(stage->z);
	return NULL;
}

static void *take_events(void *arg)
{
	struct stage *stage = arg;
	weft_object *given;
	int n;

	for (;;) {
		UNTIL_DONE(n, weft_iwait_next(stage->iwait, WEFT_FOREVER, &given));
		if (n != 1)
			break;
		count_in(stage, DONE, given == stage->x ? 1 : given == stage->y ? 16 : 256);
	}
	expect(stage, n == 0);
	return NULL;
}

static const char *check_iwait(struct stage *stage)
{
	MUST(stage->counts[ODD] == 0);
	MUST(stage->counts[DONE] == 0x111);
	MUST(weft_iwait_free(stage->iwait) == 0);
	MUST(weft_event_free(stage->x) == 0);
	MUST(weft_event_free(stage->y) == 0);
	MUST(weft_event_free(stage->z) == 0);
	return NULL;
}

Injected(iwait, .make = make_iwait, .bodies = {take_events, set_events, take_events, take_events},
	 .check = check_iwait)

	/* --- time --- */

	static void *sleep_some(void *arg)
{
	struct stage *stage = arg;
	int64_t until_ns = weft_after(30 * WEFT_US), left_ns;
	int err;

	do {
		left_ns = until_ns - weft_now();
		err = weft_sleep(left_ns > 0 ? left_ns : 0);
	} while (is_injected(err));
	expect(stage, err == 0 && weft_now() >= until_ns);
	count_in(stage, DONE, 1);
	return NULL;
}

static void *idle_some(void *arg)
{
	struct stage *stage = arg;
	int err;

	UNTIL_DONE(err, weft_idle(WEFT_FOREVER));
	expect(stage, err == 0);
	UNTIL_DONE(err, weft_idle(weft_after(50 * WEFT_US)));
	expect(stage, err == 0 || err == -ETIMEDOUT);
	count_in(stage, DONE, 1);
	return NULL;
}

static void *nest_scopes(void *arg)
{
	struct stage *stage = arg;
	weft_timeout outer, inner;
	int err;

	weft_timeout_begin(&outer, 60 * WEFT_US, -EIO);
	weft_timeout_begin(&inner, 30 * WEFT_US, -EPIPE);
	inner.deadline_ns = outer.deadline_ns - 1;
	UNTIL_DONE(err, weft_sleep(WEFT_FOREVER));
	expect(stage, err == -EPIPE);
	expect(stage, weft_timeout_end(&inner) == 1);
	UNTIL_DONE(err, weft_sleep(WEFT_FOREVER));
	expect(stage, err == -EIO);
	expect(stage, weft_timeout_end(&outer) == 1);
	UNTIL_DONE(err, weft_sleep(0));
	expect(stage, err == 0);
	count_in(stage, DONE, 1);
	return NULL;
}

static const char *check_times(struct stage *stage)
{
	MUST(stage->counts[ODD] == 0);
	MUST(stage->counts[DONE] == 5);
	return NULL;
}

Injected(times, .make = make_nothing,
	 .bodies = {sleep_some, idle_some, nest_scopes, idle_some, sleep_some},
	 .check = check_times)

	/* --- later starts, deferred calls, links --- */

	static void count_deferred(void *arg)
{
	weft_sleep(0);
	count_in(arg, ENDED, 1);
}

static void *start_late(void *arg)
{
	weft_defer(count_deferred, arg);
	count_in(arg, MADE, 1);
	weft_sleep(0);
	return arg;
}

static void *spawn_late(void *arg)
{
	struct stage *stage = arg;
	weft_task *late;
	int err;

	expect(stage, weft_spawn_later(&late, 20 * WEFT_US, start_late, stage) == 0);
	UNTIL_DONE(err, weft_join(late, WEFT_FOREVER));
	expect(stage, err == 0);
	if (weft_started(late)) {
		expect(stage, weft_value(late) == stage);
		count_in(stage, DONE, 1);
	} else {
		expect(stage, is_injected(weft_error(late)));
	}
	weft_release(late);
	return NULL;
}

static const char *check_late(struct stage *stage)
{
	MUST(stage->counts[ODD] == 0);
	MUST(stage->counts[MADE] == stage->counts[DONE]);
	MUST(stage->counts[ENDED] == stage->counts[DONE]);
	MUST(stage->counts[DONE] >= 1);
	return NULL;
}

Injected(later_starts, .make = make_nothing, .bodies = {spawn_late, spawn_late}, .also = start_late,
	 .check = check_late)

	static void count_link(weft_task *task, void *arg)
{
	expect(arg, weft_ended(task));
	weft_sleep(0);
	count_in(arg, ENDED, 1);
}

static void *link_actor(void *arg)
{
	struct stage *stage = arg;
	int err;

	expect(stage, weft_link(stage->actors[0], count_link, stage) == 0);
	UNTIL_DONE(err, weft_join(stage->actors[0], WEFT_FOREVER));
	expect(stage, weft_link(stage->actors[0], count_link, stage) == 0);
	while (__atomic_load_n(&stage->counts[ENDED], __ATOMIC_SEQ_CST) < 4)
		weft_sleep(WEFT_US);
	return NULL;
}

static const char *check_links(struct stage *stage)
{
	MUST(stage->counts[ODD] == 0);
	MUST(stage->counts[ENDED] == 4);
	MUST(stage->actors[0]->links == NULL);
	return NULL;
}

Injected(links, .make = make_nothing, .bodies = {take_a_while, link_actor, link_actor},
	 .check = check_links)

	/* --- kill --- */

	static void *refuse_to_die(void *arg)
{
	struct stage *stage = arg;

	while (__atomic_load_n(&stage->counts[ENDED], __ATOMIC_SEQ_CST) == 0)
		weft_sleep(WEFT_FOREVER);
	return NULL;
}

static void *kill_first(void *arg)
{
	struct stage *stage = arg;
	int err;

	UNTIL_DONE(err, weft_kill(stage->actors[0], weft_after(20 * WEFT_US)));
	expect(stage, err == -ETIMEDOUT || err == 0);
	count_in(stage, ENDED, 1);
	UNTIL_DONE(err, weft_kill(stage->actors[0], WEFT_FOREVER));
	expect(stage, err == 0 && weft_ended(stage->actors[0]));
	UNTIL_DONE(err, weft_killall(stage->actors, 1, WEFT_FOREVER));
	expect(stage, err == 0);
	count_in(stage, DONE, 1);
	return NULL;
}

static const char *check_kills(struct stage *stage)
{
	MUST(stage->counts[ODD] == 0);
	MUST(stage->counts[DONE] == 2);
	MUST(weft_error(stage->actors[0]) == -ECANCELED);
	MUST(weft__object_unused(&stage->actors[0]->object));
	return NULL;
}

Injected(kills, .make = make_nothing, .bodies = {refuse_to_die, kill_first, kill_first},
	 .check = check_kills)

/* --- descriptors --- */

#define BYTES 3

	static void make_ends(struct stage *stage)
{
	make_pipe(stage->ends);
}

static void *read_bytes(void *arg)
{
	struct stage *stage = arg;
	char byte;
	int n;

	for (;;) {
		UNTIL_DONE(n, weft_wait_fd(stage->ends[0], WEFT_IN, WEFT_FOREVER));
		expect(stage, n == WEFT_IN);
		n = (int)read(stage->ends[0], &byte, 1);
		if (n == 0)
			return NULL;
		if (n == 1)
			count_in(stage, DONE, 1);
		UNTIL_DONE(n, weft_wait_fd(stage->ends[0], WEFT_IN, weft_after(10 * WEFT_US)));
		expect(stage, n == WEFT_IN || n == -ETIMEDOUT);
	}
}

static void *write_bytes(void *arg)
{
	struct stage *stage = arg;

	for (int i = 0; i < BYTES; i++) {
		weft_sleep(20 * WEFT_US);
		if (write(stage->ends[1], "x", 1) == 1)
			count_in(stage, MADE, 1);
	}
	return NULL;
}

static void close_end(struct stage *stage)
{
	close(stage->ends[1]);
}

static const char *check_bytes(struct stage *stage)
{
	MUST(stage->counts[ODD] == 0);
	MUST(stage->counts[MADE] == BYTES);
	MUST(stage->counts[DONE] == BYTES);
	close(stage->ends[0]);
	return NULL;
}

Injected(descriptors, .make = make_ends, .bodies = {write_bytes, read_bytes, read_bytes},
	 .leaders = 1, .close = close_end, .check = check_bytes)

	/* --- generators whose functions wait: it is their task that does --- */

	static void *give_slowly(void *arg)
{
	struct stage *stage = arg;
	int err;

	for (int i = 0; i < 2; i++) {
		UNTIL_DONE(err, weft_sleep(WEFT_US));
		expect(stage, err == 0);
		expect(stage, weft_gen_yield(stage, NULL) == 0);
	}
	return NULL;
}

static void *generate(void *arg)
{
	struct stage *stage = arg;
	void *value;
	weft_gen *gen;
	int n;

	expect(stage, weft_gen_new(&gen, give_slowly, stage, 0) == 0);
	while ((n = weft_gen_next(gen, &value)) == 1) {
		expect(stage, value == stage);
		count_in(stage, DONE, 1);
		weft_sleep(0);
	}
	expect(stage, n == 0);
	expect(stage, weft_gen_free(gen) == 0);
	return NULL;
}

static const char *check_generators(struct stage *stage)
{
	MUST(stage->counts[ODD] == 0);
	MUST(stage->counts[DONE] == 6);
	return NULL;
}

Injected(generators, .make = make_nothing, .bodies = {generate, generate, generate},
	 .check = check_generators)
