/*
 * See preempt.h. There are two timers:
 *
 *   ticks     on the processor time of the carrier: an idle process has none, and a tick arrives on
 *             the way back to user mode, so it interrupts no call. Two make a period. The kernel
 *             looks at such a timer as often as its own clock ticks, every 1 to 10 ms (CONFIG_HZ).
 *   glances   on the wall's clock, a hundred to a period, and only while tasks are found to wait by
 *             looking at memory (spin.h): on one kernel thread nobody else can change it meanwhile, so
 *             each hand-over would take as long as it is to the next tick. Who computes is not
 *             stopped by a glance.
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

static uint64_t tick_ns; /* processor time from one tick to the next */
static int ticks_timer = -1;

static struct {
	int timer;         /* -1: none yet, for nobody has been found waiting */
	bool set;          /* it will go off */
	bool never;        /* one has interrupted a call that could not be restarted */
	unsigned int vain; /* how many have found nobody waiting, in a row */
	uint64_t ns;       /* from one to the next */
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

static void glance_again(void)
{
	if (glance.never || ticks_timer < 0)
		return;
	if (glance.timer < 0 && (weft__denied[SYS_timer_create] || weft__denied[SYS_gettid] ||
				 make_timer(CLOCK_MONOTONIC, &glance.timer) != 0)) {
		glance.never = true;
		return;
	}
	set_glance(glance.ns * (1 + glance.vain / VAIN_STEP));
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

/* A glance that found nobody waiting. Who computes goes on. */
static void note_vain(const struct weft__thread *me, const greg_t *reg)
{
	bool asleep = me == NULL && !weft__others_wait(&weft__process);

	glance.vain += asleep ? ASLEEP_VAIN : 1;
	if (glance.vain < MOST_VAIN && (asleep || !interrupts(reg)))
		glance_again();
}

bool weft__preempt_tick(struct weft__thread *me, const siginfo_t *info,
			const struct weft__ucontext *ucontext)
{
	static const struct weft__thread *ticked;
	static uint64_t switches; /* when it was */
	const greg_t *reg = ucontext->registers.gregs;
	bool is_glance = glance.timer >= 0 && info->si_timerid == glance.timer, again, whole_slice;

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
	if (is_glance) {
		note_vain(me, reg);
		return false;
	}
	weft__tick(&weft__process);
	/* It may have begun just now; the next tick that finds it has seen it run for a while. */
	again = me != NULL && ticked == me;
	whole_slice = again && switches == weft__stats.switches;
	if (me != NULL)
		ticked = me;
	switches = weft__stats.switches;
	if (!again)
		return false;
	/* The next one may be waiting, as it was before. */
	if (glance.timer >= 0 && !glance.set && weft__others_wait(&weft__process)) {
		glance.vain = MOST_VAIN - 1;
		set_glance(glance.ns);
	}
	if (whole_slice) {
		me->task.tired = WEFT__TIRED_WAKES;
		weft__end_slice(&weft__process);
	} else if (me->task.inside) {
		me->task.carrier->spent = WEFT__BUDGET; /* it makes way at its next weft__spend() */
	}
	return !me->task.inside;
}
