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

#include "carriers.h"
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

static uint64_t tick_ns;   /* processor time from one tick to the next */
static uint64_t glance_ns; /* from a glance for who waits by looking at memory to the next */

/* The timers of a carrier; all that is counted is its own. */
struct clockwork {
	struct weft__carrier *carrier;
	int ticks;                         /* the timer; -1: none */
	const struct weft__thread *ticked; /* whom the last tick found */
	uint64_t tick_looks;               /* how many there had been then */

	int glances;       /* the timer; -1: none yet, for nobody has been found waiting */
	bool set;          /* it will go off */
	bool never;        /* one has interrupted a call that could not be restarted */
	unsigned int vain; /* how many have found nobody waiting by looking at memory, in a row */
	unsigned int needless;    /* how many have found that the hub had its turns, in a row */
	uint64_t in_ns;           /* how long after the last one it goes off */
	uint64_t looks, switches; /* how many there had been then */
};

static struct clockwork clockworks[WEFT__MOST_CARRIERS];

/* The clock of a kernel thread's processor time (the kernel's MAKE_THREAD_CPUCLOCK). */
static clockid_t processor_clock(const struct weft__carrier *carrier)
{
	return (clockid_t)(~(unsigned int)carrier->kernel_thread << 3 | 4 | 2);
}

static long make_timer(const struct clockwork *works, clockid_t clock, int *timer)
{
	struct sigevent event;

	memset(&event, 0, sizeof(event));
	event.sigev_notify = SIGEV_THREAD_ID;
	event.sigev_signo = WEFT__SIGNAL_SETXID;
	event.sigev_value.sival_ptr = &weft__process;
	event._sigev_un._tid = works->carrier->kernel_thread;
	return weft__raw(SYS_timer_create, clock, &event, timer);
}

static long begin(struct weft__carrier *carrier)
{
	struct timespec tick = {(time_t)(tick_ns / 1000000000U), (long)(tick_ns % 1000000000U)};
	struct itimerspec ticks = {tick, tick};
	struct clockwork *works = &clockworks[carrier->number];
	long err;

	*works = (struct clockwork){.carrier = carrier, .ticks = -1, .glances = -1};
	err = make_timer(works, processor_clock(carrier), &works->ticks);
	if (err != 0)
		return err;
	return weft__raw(SYS_timer_settime, works->ticks, 0, &ticks, NULL);
}

long weft__preempt_begin(unsigned int period_ms)
{
	long err = 0;

	tick_ns = (uint64_t)period_ms * 500000U;
	glance_ns = (uint64_t)period_ms * 10000U;
	weft__spins_begin();
	for (unsigned int i = 0; i < weft__crew.carriers && err == 0; i++)
		err = begin(weft__crew.carrier[i]);
	return err;
}

void weft__preempt_swap(unsigned int a, unsigned int b)
{
	struct clockwork works = clockworks[a];

	clockworks[a] = clockworks[b];
	clockworks[b] = works;
	clockworks[a].carrier = weft__crew.carrier[a];
	clockworks[b].carrier = weft__crew.carrier[b];
}

static bool end(struct clockwork *works)
{
	bool ended = works->ticks >= 0 && weft__raw(SYS_timer_delete, works->ticks) == 0;

	if (works->glances >= 0)
		weft__raw(SYS_timer_delete, works->glances);
	works->ticks = works->glances = -1;
	works->set = false;
	return ended;
}

bool weft__preempt_end(void)
{
	bool ended = false;

	for (unsigned int i = 0; i < weft__crew.carriers; i++)
		ended |= clockworks[i].carrier != NULL && end(&clockworks[i]);
	return ended;
}

static void set_glance(struct clockwork *works, uint64_t ns)
{
	struct itimerspec once = {
		.it_value = {(time_t)(ns / 1000000000U), (long)(ns % 1000000000U)}};

	if (!weft__denied[SYS_timer_settime])
		works->set = weft__raw(SYS_timer_settime, works->glances, 0, &once, NULL) == 0 &&
			     ns != 0;
}

static void glance_in(struct clockwork *works, uint64_t ns)
{
	if (works->never || works->ticks < 0)
		return;
	if (works->glances < 0 && (weft__denied[SYS_timer_create] ||
				   make_timer(works, CLOCK_MONOTONIC, &works->glances) != 0)) {
		works->never = true;
		return;
	}
	works->looks = works->carrier->looks;
	works->switches = works->carrier->switches;
	works->in_ns = ns;
	set_glance(works, ns);
}

/* After one that found somebody waiting by looking at memory soon, then less and less often. */
static void glance_again(struct clockwork *works)
{
	if (works->vain < MOST_VAIN)
		glance_in(works, glance_ns * (1 + works->vain / VAIN_STEP));
	else if (works->needless < MOST_NEEDLESS)
		glance_in(works, LOOK_NS);
}

void weft__preempt_not(void)
{
	struct clockwork *works = &clockworks[weft__current->carrier->number];

	if (works->set)
		set_glance(works, 0);
}

static bool is_call(uintptr_t at)
{
	static const uint8_t call[] = {0x0f, 0x05};
	uint8_t bytes[sizeof(call)];

	return weft__copy(bytes, (const void *)at, sizeof(bytes)) == 0 &&
	       memcmp(bytes, call, sizeof(call)) == 0;
}

/* Whether a call has been interrupted, and so there is to be no other glance for now. */
static bool interrupts(struct clockwork *works, const greg_t *reg)
{
	uintptr_t pc = (uintptr_t)reg[REG_RIP];

	if (reg[REG_RAX] == -EINTR && is_call(pc - 2)) {
		works->never = true;
		return true;
	}
	return is_call(pc);
}

/* Whether the running task has computed since a tick found it. */
static bool runs_on(const struct weft__thread *me)
{
	return me != NULL && me->run == me->task.carrier->switches;
}

/* Whether somebody waits for the hub to have its turn, or may do so soon. */
static bool hub_is_awaited(const struct weft__carrier *carrier)
{
	return carrier->registered != 0 || carrier->timers.first != NULL || carrier->attention ||
	       weft__stats.offloads != 0;
}

/* Whether who computes, and has no reason to stop of its own, is to let others go first. */
static bool others_go_first(const struct clockwork *works, const struct weft__thread *me)
{
	if (me == NULL || me->task.inside)
		return false;
	if (works->carrier->ready.first != NULL && works->switches == works->carrier->switches &&
	    works->in_ns >= LOOK_NS)
		return true;
	return weft__hub_called(works->carrier);
}

/* A glance that found nobody waiting by looking at memory. */
static bool look_for_others(struct clockwork *works, const struct weft__thread *me,
			    const greg_t *reg)
{
	struct weft__carrier *carrier = works->carrier;
	bool asleep = me == NULL && !weft__others_wait(carrier), others;

	works->vain += asleep ? ASLEEP_VAIN : 1;
	if (asleep)
		works->needless += ASLEEP_NEEDLESS;
	else if (runs_on(me) || carrier->looks - works->looks <= 1)
		works->needless = 0;
	else
		works->needless++;
	others = others_go_first(works, me);
	if (carrier->looks == works->looks)
		weft__look_soon(carrier);
	if (asleep || !interrupts(works, reg))
		glance_again(works);
	return others;
}

/* A tick: whether it ends a slice, or the hub is to have its turn. */
static bool end_slice_in_time(struct clockwork *works, struct weft__thread *me)
{
	struct weft__carrier *carrier = works->carrier;
	bool seldom = carrier->looks - works->tick_looks < tick_ns / LOOK_NS;
	bool again = me != NULL && works->ticked == me, whole_slice = runs_on(me);

	weft__tick(carrier);
	works->tick_looks = carrier->looks;
	if (me != NULL) {
		works->ticked = me;
		me->run = whole_slice ? 0 : carrier->switches;
	}
	if (!works->set && seldom && hub_is_awaited(carrier)) {
		works->vain = MOST_VAIN;
		works->needless = 0;
		glance_again(works);
	} else if (again && works->glances >= 0 && !works->set && weft__others_wait(carrier)) {
		/* The next one may be waiting by looking at memory, as it was before. */
		works->vain = MOST_VAIN - 1;
		glance_in(works, glance_ns);
	}
	if (whole_slice) {
		me->task.tired = WEFT__TIRED_WAKES;
		weft__end_slice(carrier);
	} else if (again && me->task.inside) {
		carrier->spent = WEFT__BUDGET; /* it makes way at its next weft__spend() */
	}
	return (again || whole_slice) && !me->task.inside;
}

bool weft__preempt_tick(struct weft__thread *me, const siginfo_t *info,
			const struct weft__ucontext *ucontext)
{
	const greg_t *reg = ucontext->registers.gregs;
	struct weft__carrier *carrier = weft__carrier_here();
	struct clockwork *works;
	bool is_glance;

	if (carrier == NULL)
		return false;
	works = &clockworks[carrier->number];
	is_glance = works->glances >= 0 && info->si_timerid == works->glances;
	if (is_glance)
		works->set = false;
	else if (me != NULL)
		weft__cpu_sample(&me->task, tick_ns * (uint64_t)(1 + info->si_overrun),
				 !me->task.inside);
	if (me != NULL && !me->task.inside && weft__spins((uintptr_t)reg[REG_RIP])) {
		works->vain = 0;
		glance_again(works);
		weft__end_slice(carrier);
		return true;
	}
	if (!(is_glance ? look_for_others(works, me, reg) : end_slice_in_time(works, me)))
		return false;
	weft__run_stopped(&me->task);
	return true;
}

void weft__preempt_make_way(struct weft__thread *me)
{
	bool goes_on = runs_on(me);

	weft__preempt();
	if (goes_on)
		me->run = me->task.carrier->switches;
}
