/*
 * See scheduler.h.
 *
 * Switches are direct, from task to task. Two things must not be forgotten on the way: that the
 * loop is looked at (`turns`), and that a task which ended still stands on its own stack until
 * somebody else runs (`dead`).
 *
 * Only the owning kernel thread touches a carrier, save for `remote`, `attention` and what the
 * parking lot guards by its own locks; in a crew of several, only who holds the crew's lock.
 */
#include "scheduler.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coroutine.h"
#include "crew.h"
#include "hub.h"
#include "ready.h"
#include "stats.h"

/* A look costs one epoll_wait, 0.2 us and more; a wait for a descriptor costs 5 us a turn. */
#define LOOK_EVERY 64

/* How often in LOOK_EVERY switches a task may go before others. */
#define MOST_OVERTAKES 16

/*
 * How many switches a stopped task waits at most to be let in. A slice, of two ticks, is half of it:
 * those who wake have 2000 switches to a slice, some 0.6 ms, or the time of two ticks if that is less.
 */
#define MOST_PASSED 4096
#define PASSED_BY_A_TICK 1024

/* What of a parked stack a task goes through when it goes on: the frames of a read, and its buffer. */
#define STACK_LINES 20

/* Where glibc 2.36 to 2.43 looks, behind the thread pointer, after every call that can be cancelled. */
#define CANCEL_LINE 768

__thread struct weft__task *weft__current __attribute__((tls_model("initial-exec")));
__thread struct weft__carrier *weft__hub_of __attribute__((tls_model("initial-exec")));
void (*weft__kick)(struct weft__carrier *carrier);

/* A tick looks at who is first without the crew's lock. */
static void set(struct weft__task **place, struct weft__task *task)
{
	__atomic_store_n(place, task, __ATOMIC_RELAXED);
}

static void append(struct weft__queue *queue, struct weft__task *task)
{
	task->next = NULL;
	if (queue->first == NULL)
		set(&queue->first, task);
	else
		queue->last->next = task;
	queue->last = task;
}

/* A task of a carrier is ready, or more than its own kernel thread can run now. */
static void make_known(struct weft__carrier *carrier)
{
	weft__crew_rouse(carrier);
	if (carrier->ready.first != carrier->ready.last)
		weft__crew_call_help(carrier);
}

static void append_ready(struct weft__carrier *carrier, struct weft__task *task)
{
	append(&carrier->ready, task);
	if (weft__unlikely(weft__parallel))
		make_known(carrier);
}

void weft__put_ready(struct weft__task *task)
{
	append_ready(task->carrier, task);
}

static unsigned int rank(const struct weft__task *task)
{
	return 2U * task->priority + task->heir;
}

/*
 * Let a task of a real-time priority go before those of a lower one, and an heir before its equals,
 * unless many have: here the others have no processor of their own to go on with meanwhile. Where
 * all have the same rank, the last one tells, whatever their number.
 */
static bool overtake(struct weft__carrier *carrier, struct weft__task *task)
{
	struct weft__task **place = &carrier->ready.first;

	if (*place == NULL || rank(carrier->ready.last) >= rank(task))
		return false;
	while (*place != NULL && rank(*place) >= rank(task))
		place = &(*place)->next;
	if (*place == NULL || ++carrier->overtakes > MOST_OVERTAKES)
		return false;
	task->next = *place;
	set(place, task);
	return true;
}

static struct weft__task *take(struct weft__queue *queue)
{
	struct weft__task *task = queue->first;

	if (task != NULL)
		set(&queue->first, task->next);
	return task;
}

void weft__task_init(struct weft__task *task, struct weft__carrier *carrier)
{
	size_t bytes = sizeof(*task);

	/* By libc, in 3 ns: GCC would make it `rep stos`, of which the beginning alone takes 10. */
	__asm__("" : "+r"(bytes));
	memset(task, 0, bytes);
	task->carrier = carrier;
	task->waiter.task = task;
	weft__list_init(&task->waiter.link);
	weft__list_init(&task->parked.link);
}

void weft__start(struct weft__task *task)
{
	task->state = WEFT__READY;
	if (weft__unlikely(weft__parallel))
		task->carrier = weft__crew_place(task->carrier);
	task->carrier->tasks++;
	weft__count(weft__stats.tasks);
	append_ready(task->carrier, task);
}

void weft__task_release(struct weft__task *task)
{
	weft__ready_release(task);
	weft__co_task_ends(task);
	weft__context_drop(&task->context);
}

void weft__bury_dead(struct weft__carrier *carrier)
{
	struct weft__task *task;

	while ((task = carrier->dead) != NULL) {
		carrier->dead = task->next;
		if (task->bury != NULL)
			task->bury(task);
	}
}

/*
 * With many tasks each one's record and stack have left the caches by its turn. The next one's
 * stack and thread pointer and the record behind it are fetched while this one runs. Inline by
 * force: GCC drops the call of a function that only prefetches.
 */
static inline __attribute__((always_inline)) void fetch_ahead(const struct weft__task *task)
{
	uintptr_t current = (uintptr_t)&weft__current - (uintptr_t)__builtin_thread_pointer();
	const char *stack;
	uintptr_t fs_base;

	if (task == NULL)
		return;
	__builtin_prefetch(task->next);
	stack = task->context.sp;
	fs_base = task->context.fs_base;
	__builtin_prefetch((void *)fs_base);
	__builtin_prefetch((void *)(fs_base + CANCEL_LINE));
	__builtin_prefetch((void *)(fs_base + current));
	for (size_t line = 0; line < STACK_LINES; line++)
		__builtin_prefetch(stack + line * 64);
}

/*
 * Whether the hub, in its turn, could find anything: without descriptors and timers all that can
 * happen shows in memory, and the look costs no system call. It is the hub that lets in the stopped.
 */
static bool hub_is_due(struct weft__carrier *carrier)
{
	if (++carrier->turns < LOOK_EVERY)
		return false;
	if (carrier->registered != 0 || carrier->timers.first != NULL ||
	    weft__wants_attention(carrier) || carrier->stopped.first != NULL ||
	    __atomic_load_n(&carrier->remote, __ATOMIC_RELAXED) != NULL)
		return true;
	carrier->turns = carrier->overtakes = 0;
	return false;
}

/* Where to go from a task that stops running: the next ready task, or the hub in its turn. */
static struct weft__context *next_context(struct weft__carrier *carrier)
{
	struct weft__task *next = NULL;

	carrier->switches++;
	if (!hub_is_due(carrier))
		next = carrier->ready.first;
	carrier->running = next;
	if (next == NULL) {
		if (carrier->hub_context.fs_base == 0)
			weft__current = NULL;
		return &carrier->hub_context;
	}
	fetch_ahead(next->next);
	take(&carrier->ready);
	next->state = WEFT__RUNNING;
	if (next->context.fs_base == 0)
		weft__current = next;
	return &next->context;
}

static void switch_away(struct weft__task *me)
{
	struct weft__carrier *carrier = me->carrier;
	struct weft__context *to;

	carrier->spent = 0;
	if (weft__unlikely(weft__watched != 0))
		weft__run_ended(carrier, me);
	to = next_context(carrier);
	if (to == &me->context)
		return;
	weft__context_switch(&me->context, to);
	carrier = me->carrier; /* it may have moved */
	if (weft__unlikely(carrier->dead != NULL))
		weft__bury_dead(carrier);
}

void weft__move_to(struct weft__carrier *carrier)
{
	struct weft__task *me = weft__current;
	struct weft__carrier *from = me->carrier;

	from->spent = 0;
	weft__hand_to(me, carrier);
	me->state = WEFT__READY;
	append_ready(carrier, me);
	weft__context_switch(&me->context, next_context(from));
	weft__bury_dead(me->carrier);
}

/* Whoever has been stopped for longest has a turn like the others. */
static void let_in(struct weft__carrier *carrier)
{
	append(&carrier->ready, take(&carrier->stopped));
	carrier->passed = 0;
}

void weft__tick(struct weft__carrier *carrier)
{
	unsigned int passed;

	if (weft__unlikely(weft__parallel) && weft__others_wait(carrier)) {
		__atomic_store_n(&carrier->held_up, true, __ATOMIC_RELAXED);
		weft__crew_call_help(carrier);
	}
	if (!weft__any(&carrier->stopped))
		return;
	passed = __atomic_load_n(&carrier->passed, __ATOMIC_RELAXED);
	__atomic_store_n(&carrier->passed, passed + PASSED_BY_A_TICK, __ATOMIC_RELAXED);
	carrier->turns = LOOK_EVERY;
}

void weft__look_soon(struct weft__carrier *carrier)
{
	carrier->turns = LOOK_EVERY;
}

struct weft__task *weft__next_ready(struct weft__carrier *carrier)
{
	struct weft__task *task = take(&carrier->ready);

	return task != NULL ? task : take(&carrier->stopped);
}

void weft__run_ready(struct weft__carrier *carrier)
{
	struct weft__task *task;

	carrier->passed += carrier->turns;
	if (carrier->stopped.first != NULL &&
	    (carrier->ready.first == NULL || carrier->passed >= MOST_PASSED))
		let_in(carrier);
	if (carrier->behind != NULL)
		append(&carrier->ready, carrier->behind);
	carrier->behind = NULL;
	__atomic_store_n(&carrier->held_up, false, __ATOMIC_RELAXED);
	task = take(&carrier->ready);
	if (task == NULL && weft__unlikely(weft__parallel))
		task = weft__crew_steal(carrier);
	carrier->turns = carrier->overtakes = 0;
	if (task == NULL)
		return;
	task->state = WEFT__RUNNING;
	carrier->running = task;
	if (task->context.fs_base == 0)
		weft__current = task;
	if (weft__unlikely(weft__watched != 0))
		weft__run_ended(carrier, NULL);
	weft__context_switch(&carrier->hub_context, &task->context);
	weft__bury_dead(carrier);
}

int weft__park_firmly(void)
{
	struct weft__task *me = weft__current;

	if (weft__unlikely(me->woken_early)) {
		me->woken_early = false;
		return 0;
	}
	me->state = WEFT__HELD;
	switch_away(me);
	return me->wake_result;
}

/* Who runs when a signal or a tick comes is told, whomever it is for. */
static bool is_wanted(struct weft__task *me)
{
	return me->carrier->wanted == NULL || me->carrier->wanted(me);
}

int weft__park(uint64_t deadline_ns)
{
	struct weft__task *me = weft__current;
	int result;

	if (weft__unlikely(me->attention) && is_wanted(me))
		return -EINTR;
	if (deadline_ns != 0) {
		/* Over before it begins: it does not have to wait for the hub's next look. */
		if (deadline_ns <= weft__now_ns()) {
			weft__yield();
			return -ETIMEDOUT;
		}
		weft__timer_arm(&me->carrier->timers, &me->timer, deadline_ns);
	}
	me->state = WEFT__PARKED;
	switch_away(me);
	result = me->wake_result;
	if (deadline_ns != 0)
		weft__timer_disarm(&me->timer);
	return result;
}

/* It is let in before the next look if nobody else wants to run. */
static void stop(struct weft__carrier *carrier, struct weft__task *task)
{
	if (carrier->stopped.first == NULL)
		__atomic_store_n(&carrier->passed, 0, __ATOMIC_RELAXED);
	append(&carrier->stopped, task);
}

/* Where a woken task stands that is not like most. */
static void line_up(struct weft__carrier *carrier, struct weft__task *task)
{
	if (task->tired != 0 && rank(task) == 0) {
		task->tired--;
		stop(carrier, task);
	} else if (!overtake(carrier, task)) {
		task->heir = 0;
		append(&carrier->ready, task);
	}
	if (weft__unlikely(weft__parallel))
		make_known(carrier);
}

bool weft__wake(struct weft__task *task, int result)
{
	if (task->state != WEFT__PARKED && task->state != WEFT__HELD)
		return false;
	/* Its pages: many are looked up at once here, one after the other at the switches. */
	__builtin_prefetch(task->context.sp);
	__builtin_prefetch((void *)task->context.fs_base);
	task->wake_result = result;
	task->state = WEFT__READY;
	if (weft__likely((task->priority | task->tired | task->heir) == 0))
		append_ready(task->carrier, task);
	else
		line_up(task->carrier, task);
	return true;
}

void weft__wake_remote(struct weft__task *task)
{
	struct weft__carrier *carrier = __atomic_load_n(&task->carrier, __ATOMIC_RELAXED);
	struct weft__task *head = __atomic_load_n(&carrier->remote, __ATOMIC_RELAXED);

	/* From the push on the carrier may run to its end: weft__hub_close() waits for this. */
	__atomic_add_fetch(&carrier->ringing, 1, __ATOMIC_RELAXED);
	do
		task->remote_next = head;
	while (!__atomic_compare_exchange_n(&carrier->remote, &head, task, true, __ATOMIC_SEQ_CST,
					    __ATOMIC_RELAXED));
	/* One that is awake looks at the list before it sleeps. */
	weft__crew_rouse(carrier);
	__atomic_sub_fetch(&carrier->ringing, 1, __ATOMIC_RELEASE);
}

void weft__drain_remote(struct weft__carrier *carrier)
{
	struct weft__task *task = __atomic_exchange_n(&carrier->remote, NULL, __ATOMIC_ACQUIRE);
	struct weft__task *oldest = NULL;

	while (task != NULL) {
		struct weft__task *next = task->remote_next;

		task->remote_next = oldest;
		oldest = task;
		task = next;
	}
	while (oldest != NULL) {
		struct weft__task *next = oldest->remote_next;

		/* It gave up just before; it will look for this wake. */
		if (!weft__wake(oldest, 0))
			oldest->woken_early = true;
		oldest = next;
	}
}

void weft__interrupt(struct weft__task *task)
{
	task->attention = 1;
	if (task->state == WEFT__PARKED)
		weft__wake(task, -EINTR);
	else if (weft__unlikely(weft__parallel) && task->state == WEFT__RUNNING &&
		 task->carrier != weft__carrier_here())
		weft__kick(task->carrier);
}

bool weft__yield(void)
{
	struct weft__task *me = weft__current;

	me->carrier->spent = 0;
	if (me->carrier->ready.first == NULL) {
		if (me->carrier->stopped.first != NULL)
			let_in(me->carrier);
		/* Alone, it still owes the loop a look now and then. */
		else if (!hub_is_due(me->carrier))
			return false;
	}
	me->state = WEFT__READY;
	append(&me->carrier->ready, me);
	switch_away(me);
	return true;
}

void weft__preempt(void)
{
	struct weft__task *me = weft__current;
	struct weft__carrier *carrier = me->carrier;
	bool whole_slice = carrier->spent >= WEFT__SLICE;

	weft__lock(); /* the call may have begun without */
	carrier->turns = LOOK_EVERY;
	if (hub_is_due(carrier) || (whole_slice && carrier->ready.first != NULL)) {
		if (whole_slice)
			stop(carrier, me);
		else
			carrier->behind = me;
		carrier->turns = LOOK_EVERY;
		me->state = WEFT__READY;
		switch_away(me);
		me->owes = true;
	} else {
		me->owes = weft__yield();
	}
	carrier = me->carrier; /* it may have moved */
	/* Not always at the same point of a loop: the constants are those of rand(3) in POSIX. */
	carrier->random = carrier->random * 1103515245U + 12345U;
	carrier->spent = carrier->random >> 27;
}

void weft__hold_back(struct weft__task *task, struct weft__queue *queue)
{
	struct weft__context nobody;

	task->state = WEFT__READY;
	append(queue, task);
	weft__context_leave(&nobody, next_context(task->carrier));
}

void weft__put_all_ready(struct weft__queue *queue)
{
	struct weft__task *task;

	while ((task = take(queue)) != NULL)
		append_ready(task->carrier, task);
}

struct weft__context *weft__task_end(void)
{
	struct weft__task *me = weft__current;
	struct weft__carrier *carrier = me->carrier;

	if (weft__unlikely(weft__watched != 0))
		weft__run_ended(carrier, me);
	me->state = WEFT__DEAD;
	carrier->spent = 0;
	carrier->tasks--;
	me->next = carrier->dead;
	carrier->dead = me;
	return next_context(carrier);
}

void weft__task_exit(void)
{
	struct weft__task *me = weft__current;

	weft__context_leave(&me->context, weft__task_end());
}

void weft__broken(const char *what, const char *file, int line)
{
	char text[256];
	int length = snprintf(text, sizeof(text), "weft: broken invariant: %s (%s:%d)\n", what,
			      file, line);

	weft__raw(SYS_write, 2, text, length);
	abort();
}
