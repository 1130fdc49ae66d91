/*
 * See preempt.h. There are two timers:
 *
 *   ticks     on the processor time of the carrier: an idle process has none, and a tick arrives on
 *             the way back to user mode, so it interrupts no call. Two make a period. The kernel
 *             looks at such a timer as often as its own clock ticks, every 1 to 10 ms (CONFIG_HZ).
 *   glances   on the wall's clock, and for two reasons only. While tasks are found to wait by looking
 *             at memory (spin.h), a hundred to a period: on one kernel thread nobody else can change
 *             it meanwhile, so each hand-over would take as long as it is to the next tick. And
 *             while ticks find that the hub hardly has its turn, for all compute, one every LOOK_NS:
 *             who sleeps, or waits for a descriptor, is not to wait for a tick as well.
 *
 * A slice ends at the second tick that finds a task in one run, by which a glance may have it make way
 * for others: that alone ends neither the run nor the slice.
 *
 * A glance may come while the task is in the kernel. What can be restarted after a signal is, unseen
 * (stand_in() of signals.c); a fork that takes longer than a glance is restarted once. Of what
 * cannot, and waits, weft lets no glance come to the calls that it knows of (weft__preempt_not()). A
 * call in code that is not patched it does not know: should one be interrupted, there are no more
 * glances in this process.
 */
#include "preempt.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "cpu.h"
#include "denied.h"
#include "hub.h"
#include "mask.h"
#include "scheduler.h"
#include "shim.h"
#include "signals.h"
#include "spin.h"
#include "stats.h"
#include "thread.h"

/* After so many glances that found nobody waiting there are no more. The later ones are further apart. */
#define MOST_VAIN 64U
#define VAIN_STEP 8U

/* As many is one that found all tasks asleep. */
#define ASLEEP_VAIN 32U

/*
 * How long a descriptor may be ready, or a timer over, before it is seen while tasks compute: a
 * millisecond, less the time for the rest. A glance that has nobody make way costs 2 us.
 */
#define LOOK_NS 800000U

/* After so many glances that found the hub having its turns there are no more. */
#define MOST_NEEDLESS 16U
#define ASLEEP_NEEDLESS 8U

static uint64_t tick_ns; /* processor time from one tick to the next */
static int ticks_timer = -1;

static struct {
	int timer;         /* -1: none yet, for nobody has been found waiting */
	bool set;          /* it will go off */
	bool never;        /* one has interrupted a call that could not be restarted */
	unsigned int vain; /* how many have found nobody waiting by looking at memory, in a row */
	unsigned int needless;    /* how many have found that the hub had its turns, in a row */
	uint64_t in_ns;           /* how long after the last one it goes off */
	uint64_t looks, switches; /* how many there had been then */
	uint64_t ns;              /* from one to the next */
} glance = {.timer = -1};

static long make_timer(clockid_t clock, int *timer)
{
	struct sigevent event;

	memset(&event, 0, sizeof(event));
	event.sigev_notify = SIGEV_THREAD_ID;
	event.sigev_signo = WEFT__SIGNAL_SETXID;
	event.sigev_value.sival_ptr = &weft__process;
	event._sigev_un._tid = (pid_t)weft__raw(SYS_gettid);
	return weft__raw(SYS_timer_create, clock, &event, timer);
}

long weft__preempt_begin(unsigned int period_ms)
{
	struct timespec tick = {period_ms / 2000, (long)(period_ms % 2000) * 500000};
	struct itimerspec ticks = {tick, tick};
	long err;

	tick_ns = (uint64_t)period_ms * 500000U;
	glance.timer = -1;
	glance.set = false;
	glance.ns = (uint64_t)period_ms * 10000U;
	weft__spins_begin();
	err = make_timer(CLOCK_THREAD_CPUTIME_ID, &ticks_timer);
	if (err != 0)
		return err;
	return weft__raw(SYS_timer_settime, ticks_timer, 0, &ticks, NULL);
}

bool weft__preempt_end(void)
{
	bool ended = ticks_timer >= 0 && weft__raw(SYS_timer_delete, ticks_timer) == 0;

	if (glance.timer >= 0)
		weft__raw(SYS_timer_delete, glance.timer);
	ticks_timer = glance.timer = -1;
	glance.set = false;
	return ended;
}

static void set_glance(uint64_t ns)
{
	struct itimerspec once = {
		.it_value = {(time_t)(ns / 1000000000U), (long)(ns % 1000000000U)}};

	if (!weft__denied[SYS_timer_settime])
		glance.set =
			weft__raw(SYS_timer_settime, glance.timer, 0, &once, NULL) == 0 && ns != 0;
}

static void glance_in(uint64_t ns)
{
	if (glance.never || ticks_timer < 0)
		return;
	if (glance.timer < 0 && (weft__denied[SYS_timer_create] || weft__denied[SYS_gettid] ||
				 make_timer(CLOCK_MONOTONIC, &glance.timer) != 0)) {
		glance.never = true;
		return;
	}
	glance.looks = weft__stats.looks;
	glance.switches = weft__stats.switches;
	glance.in_ns = ns;
	set_glance(ns);
}

/* After one that found somebody waiting by looking at memory soon, then less and less often. */
static void glance_again(void)
{
	if (glance.vain < MOST_VAIN)
		glance_in(glance.ns * (1 + glance.vain / VAIN_STEP));
	else if (glance.needless < MOST_NEEDLESS)
		glance_in(LOOK_NS);
}

void weft__preempt_not(void)
{
	if (glance.set)
		set_glance(0);
}

static bool is_call(uintptr_t at)
{
	static const uint8_t call[] = {0x0f, 0x05};
	uint8_t bytes[sizeof(call)];

	return weft__copy(bytes, (const void *)at, sizeof(bytes)) == 0 &&
	       memcmp(bytes, call, sizeof(call)) == 0;
}

/* Whether a call has been interrupted, and so there is to be no other glance for now. */
static bool interrupts(const greg_t *reg)
{
	uintptr_t pc = (uintptr_t)reg[REG_RIP];

	if (reg[REG_RAX] == -EINTR && is_call(pc - 2)) {
		glance.never = true;
		return true;
	}
	return is_call(pc);
}

/* Whether the running task has computed since a tick found it. */
static bool runs_on(const struct weft__thread *me)
{
	return me != NULL && me->run == weft__stats.switches;
}

/* Whether somebody waits for the hub to have its turn, or may do so soon. */
static bool hub_is_awaited(const struct weft__carrier *carrier)
{
	return carrier->registered != 0 || carrier->timers.first != NULL || carrier->attention ||
	       weft__stats.offloads != 0;
}

/* Whether who computes, and has no reason to stop of its own, is to let others go first. */
static bool others_go_first(const struct weft__thread *me)
{
	if (me == NULL || me->task.inside)
		return false;
	if (weft__process.ready.first != NULL && glance.switches == weft__stats.switches &&
	    glance.in_ns >= LOOK_NS)
		return true;
	return weft__hub_called(&weft__process);
}

/* A glance that found nobody waiting by looking at memory. */
static bool look_for_others(const struct weft__thread *me, const greg_t *reg)
{
	bool asleep = me == NULL && !weft__others_wait(&weft__process), others;

	glance.vain += asleep ? ASLEEP_VAIN : 1;
	if (asleep)
		glance.needless += ASLEEP_NEEDLESS;
	else if (runs_on(me) || weft__stats.looks - glance.looks <= 1)
		glance.needless = 0;
	else
		glance.needless++;
	others = others_go_first(me);
	if (weft__stats.looks == glance.looks)
		weft__look_soon(&weft__process);
	if (asleep || !interrupts(reg))
		glance_again();
	return others;
}

/* A tick: whether it ends a slice, or the hub is to have its turn. */
static bool end_slice_in_time(struct weft__thread *me)
{
	static const struct weft__thread *ticked;
	static uint64_t looks; /* when it was */
	bool seldom = weft__stats.looks - looks < tick_ns / LOOK_NS;
	bool again = me != NULL && ticked == me, whole_slice = runs_on(me);

	weft__tick(&weft__process);
	looks = weft__stats.looks;
	if (me != NULL) {
		ticked = me;
		me->run = whole_slice ? 0 : weft__stats.switches;
	}
	if (!glance.set && seldom && hub_is_awaited(&weft__process)) {
		glance.vain = MOST_VAIN;
		glance.needless = 0;
		glance_again();
	} else if (again && glance.timer >= 0 && !glance.set && weft__others_wait(&weft__process)) {
		/* The next one may be waiting by looking at memory, as it was before. */
		glance.vain = MOST_VAIN - 1;
		glance_in(glance.ns);
	}
	if (whole_slice) {
		me->task.tired = WEFT__TIRED_WAKES;
		weft__end_slice(&weft__process);
	} else if (again && me->task.inside) {
		me->task.carrier->spent = WEFT__BUDGET; /* it makes way at its next weft__spend() */
	}
	return (again || whole_slice) && !me->task.inside;
}

bool weft__preempt_tick(struct weft__thread *me, const siginfo_t *info,
			const struct weft__ucontext *ucontext)
{
	const greg_t *reg = ucontext->registers.gregs;
	bool is_glance = glance.timer >= 0 && info->si_timerid == glance.timer;

	if (is_glance)
		glance.set = false;
	else if (me != NULL)
		weft__cpu_sample(&me->task, tick_ns * (uint64_t)(1 + info->si_overrun));
	if (me != NULL && !me->task.inside && weft__spins((uintptr_t)reg[REG_RIP])) {
		glance.vain = 0;
		glance_again();
		weft__end_slice(&weft__process);
		return true;
	}
	if (!(is_glance ? look_for_others(me, reg) : end_slice_in_time(me)))
		return false;
	weft__run_stopped(&me->task);
	return true;
}

void weft__preempt_make_way(struct weft__thread *me)
{
	bool goes_on = runs_on(me);

	weft__preempt();
	if (goes_on)
		me->run = weft__stats.switches;
}
