/*
 * seccomp(2). A filter was written for the calls that the program makes, and may deny those that
 * weft makes in their place, with an error or with death. So before it is installed it is asked
 * about each of them. What it denies weft does not do any more (denied.h):
 *
 *   preadv2, pwritev2      pipes are asked whether they are ready
 *   epoll_pwait2           sleeps end on milliseconds
 *   epoll_ctl and the like no descriptor can be waited for: an offload thread makes the program's
 *                          own call, as it is, and the hub sleeps on a futex
 *   what a handler needs   the same, for the calls of that handler
 *
 * The filter is installed all the same, and never changed. It holds for the kernel thread, so for
 * all tasks; offload threads are made anew, and have it too.
 *
 * What one filter does is known from its program, which weft reads as the kernel does (filter.h): no
 * call has to be tried, which might kill whoever tries it.
 */
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>

#include "buffers.h"
#include "carriers.h"
#include "detour.h"
#include "handlers.h"
#include "hub.h"
#include "offload.h"
#include "preempt.h"
#include "seccomp.h"
#include "shim.h"
#include "signals.h"
#include "thread.h"

/* How many turns the others have at most before a filter is put on. */
#define LET_OUT 16

static bool filtered; /* there is a filter of the program's: strict mode comes too late */

/* Handlers that are waiting now start over, those that are given up as what they are then. */
static void start_over(void)
{
	for (struct weft__thread *thread = weft__thread_next(NULL); thread != NULL;
	     thread = weft__thread_next(thread))
		if (thread != weft__thread_here())
			weft__interrupt(&thread->task);
}

/* One line, the first time that anything can be felt. */
static void say_what_happens(const char *what, const char *more)
{
	static bool said;
	char names[256];

	weft__detour_name(names, sizeof(names));
	if (said || names[0] == '\0' || (what == NULL && more == NULL))
		return;
	said = true;
	weft__say("the seccomp filter denies %s, which weft needs: %s%s%s", names,
		  what == NULL ? "" : what, what == NULL || more == NULL ? "" : ", and ",
		  more == NULL ? "" : more);
}

/* Make do with what is left, and say what that means to the program, if it means anything. */
static void make_do(void)
{
	bool waits = true, gave_up;
	const char *what = NULL, *more = NULL;

	for (unsigned int i = 0; i < weft__crew.carriers; i++)
		waits &= weft__hub_restrict(weft__crew.carrier[i]);
	weft__offload_restrict();
	gave_up = weft__detour_take(waits);
	if (gave_up && weft__offload_most == 0)
		what = "a call that waits stops all threads";
	else if (gave_up)
		what = "kernel threads make the calls that wait";
	if (weft__denied[SYS_rt_sigreturn])
		more = "a thread that computes is not preempted";
	if (!weft__denied[SYS_write])
		say_what_happens(what, more);
}

/* The kernel would have let the other threads be. */
static void say_whom_it_binds(void)
{
	static bool said;

	if (!said && weft__crew_tasks(&weft__crew) > 1 && !weft__denied[SYS_write])
		weft__say("the seccomp filter of one thread holds for all of them");
	said = true;
}

static long install(const struct weft__call *c)
{
	return weft__raw(c->nr, c->arg[0], c->arg[1], c->arg[2], c->arg[3], c->arg[4]);
}

/*
 * Put a filter on all kernel threads, the offload threads that are. They have no other filters than
 * the carrier, or earlier ones of its.
 */
static long install_for_all(const struct weft__call *c, long flags)
{
	return weft__raw(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags | SECCOMP_FILTER_FLAG_TSYNC,
			 c->arg[2]);
}

/*
 * Others are made that have the filter, when they are needed. Where none can be made any more, one
 * for each task is made now.
 */
static long install_with_threads(const struct weft__call *c, long flags,
				 const bool denied[WEFT__CALLS])
{
	long result;

	if (weft__parallel && (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) != 0)
		flags |= SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
	if ((flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) == 0 && !weft__offload_makes(denied)) {
		if (weft__offload_makes(weft__denied))
			weft__offload_reserve(weft__crew_tasks(&weft__crew));
		result = install_for_all(c, flags);
		if (result == 0)
			return result;
	}
	weft__offload_retire();
	return weft__parallel ? install_for_all(c, flags) : install(c);
}

/*
 * Have the other hubs wait for the lock: one that may not ask epoll any more is woken by other means.
 * Who has chosen a call before may be about to make it. Asleep, it has begun it: then it is let end.
 */
static void rouse_hubs(void)
{
	for (unsigned int i = 0; i < weft__crew.carriers; i++) {
		struct weft__carrier *carrier = weft__crew.carrier[i];

		if (carrier == weft__carrier_here())
			continue;
		weft__hub_ring(carrier);
		while (__atomic_load_n(&carrier->out, __ATOMIC_ACQUIRE) != 0 &&
		       weft__crew_state(carrier->kernel_thread) == 'R')
			weft__raw(SYS_sched_yield);
	}
}

/* Let those who are ready run on, out of handlers that could be given up under them, mostly. */
static void let_others_out(void)
{
	for (int i = 0; i < LET_OUT && weft__crew_others_wait(&weft__crew); i++)
		weft__yield();
}

/* With TSYNC the id of a thread that it failed for; a listener is a descriptor. */
static bool is_refused(long result, long flags)
{
	return weft__failed(result) ||
	       ((flags & SECCOMP_FILTER_FLAG_TSYNC) != 0 &&
		(flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) == 0 && result != 0);
}

static long set_filter(const struct weft__call *c, long flags)
{
	bool denied[WEFT__CALLS], any = false, preempted;
	long result;

	memcpy(denied, weft__denied, sizeof(denied));
	weft__detour_ask((uintptr_t)c->arg[2], denied);
	/* Signals of weft's own, which the program would not return from: not from now on. */
	let_others_out();
	preempted = denied[SYS_rt_sigreturn] && weft__preempt_end();
	weft__signal_from_self(SIGSYS, SI_USER); /* it keeps the user's id for later */
	weft__buffer_forget();                   /* while it can be unmapped */
	rouse_hubs();
	result = install_with_threads(c, flags, denied);
	if (is_refused(result, flags)) {
		if (preempted)
			weft__preempt_begin(weft__settings.preempt_ms);
		return result;
	}
	filtered = true;
	for (size_t nr = 0; nr < WEFT__CALLS; nr++) {
		any |= denied[nr] != weft__denied[nr];
		weft__denied[nr] = denied[nr];
	}
	if ((flags & SECCOMP_FILTER_FLAG_TSYNC) == 0)
		say_whom_it_binds();
	if (any) {
		make_do();
		start_over();
	}
	return result;
}

/* All that is left is read, write, the end and the return from handlers: none by which to switch. */
static long set_strict(const struct weft__call *c)
{
	struct weft__thread *me = weft__thread_here();
	uint64_t mask = weft__mask_of(me);
	long result;

	if (filtered || weft__raw(SYS_prctl, PR_GET_SECCOMP) != SECCOMP_MODE_DISABLED)
		return WEFT__PASS;
	if (weft__crew_tasks(&weft__crew) > 1)
		weft__say("strict seccomp leaves no call to switch threads with: the others stop");
	else
		weft__carriers_end();
	weft__offload_retire();
	weft__preempt_end();
	weft__signals_end(me);
	weft__raw(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
	result = install(c);
	weft__unlock();
	weft__current = NULL;
	return result;
}

long on_seccomp(struct weft__call *c)
{
	if (c->arg[0] == SECCOMP_SET_MODE_STRICT && c->arg[1] == 0 && c->arg[2] == 0)
		return set_strict(c);
	if (c->arg[0] != SECCOMP_SET_MODE_FILTER)
		return WEFT__PASS;
	return set_filter(c, c->arg[1]);
}

long weft__set_seccomp(struct weft__call *c)
{
	if (c->arg[1] == SECCOMP_MODE_STRICT)
		return set_strict(c);
	return c->arg[1] == SECCOMP_MODE_FILTER ? set_filter(c, 0) : WEFT__PASS;
}
