/* Calls by which a thread speaks of itself: its id, its end, its name. */
#include <errno.h>
#include <linux/futex.h>
#include <linux/rseq.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "carriers.h"
#include "catch.h"
#include "parking.h"
#include "futex.h"
#include "handlers.h"
#include "pending.h"
#include "robust.h"
#include "schedule.h"
#include "seccomp.h"
#include "shim.h"
#include "signals.h"
#include "thread.h"

long on_gettid(struct weft__call *c)
{
	(void)c;
	return weft__thread_here()->tid;
}

long on_set_tid_address(struct weft__call *c)
{
	struct weft__thread *me = weft__thread_here();

	if (me == &weft__main_thread)
		return WEFT__PASS;
	me->clear_tid = (uintptr_t)c->arg[0];
	return me->tid;
}

long on_set_robust_list(struct weft__call *c)
{
	struct weft__thread *me = weft__thread_here();

	if (me == &weft__main_thread)
		return WEFT__PASS;
	if ((size_t)c->arg[1] != sizeof(struct robust_list_head))
		return -EINVAL;
	me->robust_list = (uintptr_t)c->arg[0];
	return 0;
}

/*
 * The area stays unregistered: glibc then asks the kernel what it would read there, unless weft
 * writes something (weft__schedule_show()).
 */
long on_rseq(struct weft__call *c)
{
	struct weft__thread *me = weft__thread_here();

	if (me == &weft__main_thread)
		return WEFT__PASS;
	me->rseq = (c->arg[2] & RSEQ_FLAG_UNREGISTER) != 0 ? 0 : (uintptr_t)c->arg[0];
	weft__schedule_show(me);
	return 0;
}

long on_sched_yield(struct weft__call *c)
{
	(void)c;
	return weft__yield() ? 0 : WEFT__PASS; /* to other processes */
}

/*
 * The end of a thread. Where glibc counts the hub as one, it does not see that the last one of the
 * program's leaves, on which it would have called exit(0). Otherwise, and with any other status, the
 * program itself made the call, or returned from what it gave to clone(2).
 */
long on_exit_thread(struct weft__call *c)
{
	struct weft__thread *me = weft__thread_here();

	if (weft__crew_tasks(&weft__crew) == 1) {
		if (c->arg[0] != 0 || !weft__hub_counted)
			weft__raw(SYS_exit_group, c->arg[0]);
		weft__go_outside(&me->task);
		exit(0);
	}
	weft__robust_exit(me);
	weft__signals_drop(me);
	weft__thread_leave(me);
	weft__task_exit();
}

long on_exit_group(struct weft__call *c)
{
	(void)c;
	weft__robust_exit_all();
	weft__report();
	return WEFT__PASS;
}

/* Whether an option of prctl(2) changes what threads inherit from the one that makes them. */
static bool is_inherited(long option)
{
	switch (option) {
	case PR_SET_KEEPCAPS:
	case PR_SET_SECUREBITS:
	case PR_CAPBSET_DROP:
	case PR_CAP_AMBIENT:
	case PR_SET_NO_NEW_PRIVS:
	case PR_SET_SPECULATION_CTRL:
	case PR_SET_TIMERSLACK:
	case PR_SET_TSC:
		return true;
	default:
		return false;
	}
}

/* A thread's name is its own; the kernel thread keeps the main one's. */
static long change_name(struct weft__thread *me, const char *from)
{
	char name[sizeof(me->name)] = "";

	for (size_t i = 0; i < sizeof(name) - 1; i++) {
		if (weft__copy(&name[i], from + i, 1) != 0)
			return -EFAULT;
		if (name[i] == '\0')
			break;
	}
	weft__copy(me->name, name, sizeof(name));
	return 0;
}

long on_prctl(struct weft__call *c)
{
	struct weft__thread *me = weft__thread_here();

	if (c->arg[0] == PR_SET_SYSCALL_USER_DISPATCH && weft__catching)
		return -EINVAL; /* it is weft's (catch.c) */
	if (c->arg[0] == PR_SET_SECCOMP)
		return weft__set_seccomp(c);
	if (is_inherited(c->arg[0]))
		return on_credentials(c);
	if (me == &weft__main_thread) {
		if (c->arg[0] == PR_SET_NAME)
			weft__main_renamed = true;
		return WEFT__PASS;
	}
	switch (c->arg[0]) {
	case PR_SET_NAME:
		return change_name(me, (const char *)c->arg[1]);
	case PR_GET_NAME:
		return weft__copy((void *)c->arg[1], me->name, sizeof(me->name));
	case PR_GET_TID_ADDRESS:
		return weft__copy((void *)c->arg[1], &me->clear_tid, sizeof(me->clear_tid));
	default:
		return WEFT__PASS;
	}
}
