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
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "denied.h"
#include "descriptor.h"
#include "filter.h"
#include "handlers.h"
#include "hub.h"
#include "kernel_handler.h"
#include "memory.h"
#include "offload.h"
#include "seccomp.h"
#include "send.h"
#include "shim.h"
#include "signals.h"
#include "thread.h"

_Static_assert(WEFT__DENIABLE == WEFT__CALLS, "every call can be denied");

/* A descriptor of the program's, whichever; and places of arguments for weft's own. */
#define SOME_FD 7
#define SET (-2)
#define BELL (-3)

/*
 * The calls that weft makes, with the arguments by which a filter may judge them: first those whose
 * loss can be felt, then those that something stands in for.
 */
static const struct {
	short nr;
	bool felt;
	long arg[4];
} made[] = {
	{SYS_epoll_ctl, true, {SET, EPOLL_CTL_ADD, SOME_FD}},
	{SYS_epoll_wait, true, {SET, 0, 256, -1}},
	{SYS_write, true, {BELL, 0, 8}},
	{SYS_poll, true, {0, 1, 0}},
	{SYS_fstat, true, {SOME_FD}},
	{SYS_fcntl, true, {SOME_FD, F_GETFL}},
	{SYS_fcntl, true, {SOME_FD, F_SETFL}},
	{SYS_getsockopt, true, {SOME_FD, SOL_SOCKET, SO_TYPE}},
	{SYS_recvfrom, true, {SOME_FD, 0, 0, MSG_DONTWAIT}},
	{SYS_recvmsg, true, {SOME_FD, 0, MSG_DONTWAIT}},
	{SYS_sendto, true, {SOME_FD, 0, 0, MSG_DONTWAIT | MSG_NOSIGNAL}},
	{SYS_sendmsg, true, {SOME_FD, 0, MSG_DONTWAIT | MSG_NOSIGNAL}},
	{SYS_futex, true, {0, FUTEX_WAIT_PRIVATE}},
	{SYS_futex, true, {0, FUTEX_WAKE_PRIVATE}},
	{SYS_mmap, true, {0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS}},
	{SYS_mprotect, true, {0, 4096, PROT_NONE}},
	{SYS_munmap, true, {0, 4096}},
	{SYS_exit, true, {0}},
	{SYS_rt_sigprocmask, true, {SIG_SETMASK, 0, 0, 8}},
	{SYS_rt_sigreturn, true, {0}},
	{SYS_clone,
	 false,
	 {CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
	  CLONE_SETTLS | CLONE_CHILD_SETTID}},
	{SYS_clone3, false, {0, 88}},
	{SYS_epoll_pwait, false, {SET, 0, 256, -1}},
	{SYS_epoll_pwait2, false, {SET, 0, 256}},
	{SYS_preadv2, false, {SOME_FD}},
	{SYS_pwritev2, false, {SOME_FD}},
	{SYS_madvise, false, {0, 4096, 102}},
	{SYS_getpid, false, {0}},
	{SYS_gettid, false, {0}},
	{SYS_getuid, false, {0}},
	{SYS_rt_sigtimedwait, false, {0, 0, 0, 8}},
	{SYS_rt_tgsigqueueinfo, false, {0, 0, WEFT__OFFLOAD_SIGNAL}},
	{SYS_tgkill, false, {0, 0, WEFT__OFFLOAD_SIGNAL}},
	{SYS_kill, false, {0, 0}},
	{SYS_signalfd4, false, {-1}},
	{SYS_pidfd_open, false, {2}},
	{SYS_waitid, false, {0}},
	{SYS_nanosleep, false, {0}},
	{SYS_clock_nanosleep, false, {CLOCK_MONOTONIC}},
	{SYS_pselect6, false, {0}},
	{SYS_openat, false, {AT_FDCWD, 0, O_RDONLY | O_CLOEXEC}},
	{SYS_ioctl, false, {SOME_FD}},
	{SYS_close, false, {SOME_FD}},
	{SYS_read, false, {SOME_FD}},
	{SYS_newfstatat, false, {AT_FDCWD}},
	{SYS_mq_getsetattr, false, {SOME_FD}},
	/* The program's own, which is not to be made elsewhere when it ends the process. */
	{SYS_readv, false, {SOME_FD}},
	{SYS_writev, false, {SOME_FD}},
	{SYS_recvmmsg, false, {SOME_FD}},
	{SYS_sendmmsg, false, {SOME_FD}},
	{SYS_sendfile, false, {SOME_FD}},
	{SYS_accept, false, {SOME_FD}},
	{SYS_accept4, false, {SOME_FD}},
	{SYS_connect, false, {SOME_FD}},
	{SYS_ppoll, false, {0}},
	{SYS_select, false, {0}},
	{SYS_wait4, false, {-1}},
	{SYS_mq_timedsend, false, {SOME_FD}},
	{SYS_mq_timedreceive, false, {SOME_FD}},
	{SYS_open, false, {0}},
	{SYS_creat, false, {0}},
	/* To wake up, in a child that makes threads, what is not among the above. */
	{SYS_stat, false, {0}},
	{SYS_epoll_create1, false, {EPOLL_CLOEXEC}},
	{SYS_eventfd2, false, {0}},
	{SYS_pipe2, false, {0}},
	{SYS_fcntl, false, {SOME_FD, F_DUPFD_CLOEXEC}},
	{SYS_prlimit64, false, {0, RLIMIT_NOFILE}},
	{SYS_prctl, false, {PR_GET_NAME}},
	{SYS_get_robust_list, false, {0}},
	{SYS_sigaltstack, false, {0}},
	{SYS_rt_sigaction, false, {SIGSEGV}},
	{SYS_rt_sigpending, false, {0}},
	{SYS_clock_gettime, false, {CLOCK_THREAD_CPUTIME_ID}},
	{SYS_sched_getscheduler, false, {0}},
	{SYS_sched_getparam, false, {0}},
	{SYS_sched_getaffinity, false, {0}},
	{SYS_getpriority, false, {PRIO_PROCESS}},
	{SYS_ioprio_get, false, {1}},
	{SYS_timer_create, false, {CLOCK_THREAD_CPUTIME_ID}},
	{SYS_timer_settime, false, {0}},
};

/* Those of them without which there is no waking up. */
static const short waking_needs[] = {SYS_stat,           SYS_epoll_create1,
				     SYS_epoll_ctl,      SYS_eventfd2,
				     SYS_pipe2,          SYS_fcntl,
				     SYS_close,          SYS_prlimit64,
				     SYS_prctl,          SYS_get_robust_list,
				     SYS_sigaltstack,    SYS_rt_sigaction,
				     SYS_rt_sigprocmask, SYS_rt_sigpending,
				     SYS_clock_gettime,  SYS_sched_getscheduler,
				     SYS_sched_getparam, SYS_getpriority,
				     SYS_ioprio_get,     SYS_timer_create,
				     SYS_timer_settime,  SYS_mmap,
				     SYS_getpid,         SYS_gettid,
				     SYS_openat,         SYS_read};

/* The calls whose handlers wait for descriptors, and what else each of those makes. */
#define MOST_NEEDS 5
static const struct {
	short nr;
	short needs[MOST_NEEDS];
} handled[] = {
	{SYS_read, {SYS_recvfrom}},
	{SYS_readv, {SYS_recvmsg}},
	{SYS_write, {SYS_sendto, SYS_rt_sigprocmask, SYS_rt_sigtimedwait}},
	{SYS_writev, {SYS_sendmsg, SYS_sendto, SYS_rt_sigprocmask, SYS_rt_sigtimedwait}},
	{SYS_recvfrom, {0}},
	{SYS_recvmsg, {0}},
	{SYS_recvmmsg, {0}},
	{SYS_sendto, {0}},
	{SYS_sendmsg, {SYS_sendto}},
	{SYS_sendmmsg, {SYS_sendto}},
	{SYS_sendfile, {0}},
	{SYS_accept, {0}},
	{SYS_accept4, {0}},
	{SYS_connect, {0}},
	{SYS_poll, {0}},
	{SYS_ppoll, {0}},
	{SYS_select, {SYS_pselect6}},
	{SYS_pselect6, {0}},
	{SYS_epoll_wait, {0}},
	{SYS_epoll_pwait, {SYS_epoll_wait}},
	{SYS_epoll_pwait2, {SYS_epoll_wait}},
	{SYS_wait4, {SYS_pidfd_open, SYS_waitid, SYS_close}},
	{SYS_waitid, {SYS_pidfd_open, SYS_close}},
	{SYS_mq_timedsend, {SYS_mq_getsetattr}},
	{SYS_mq_timedreceive, {SYS_mq_getsetattr}},
};

/* These look first whether it is a FIFO. */
static const short openers[] = {SYS_open, SYS_openat, SYS_creat};

/* And what all of them need, to learn what a descriptor is and to wait for it. */
static const short common_needs[] = {SYS_fstat, SYS_fcntl, SYS_getsockopt, SYS_poll};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* How often a call looks for a free thread when no more can be made. */
#define LOOK_AGAIN_NS UINT64_C(1000000)

/* A mask that is for the wait alone is the carrier's to have, not an offload thread's. */
static bool has_mask(const struct weft__call *c)
{
	switch (c->nr) {
	case SYS_ppoll:
		return c->arg[3] != 0;
	case SYS_pselect6:
		return c->arg[5] != 0;
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2:
		return c->arg[4] != 0;
	default:
		return false;
	}
}

/* The call itself, by an offload thread. What is denied ends, or is trapped, where it is made. */
static long on_offloaded(struct weft__call *c)
{
	struct weft__job job = {.nr = c->nr, .data_arg = -1};
	const struct weft__fd *fd = weft__fd_peek((int)c->arg[0]);
	long result;

	if (fd != NULL && fd->kind == WEFT__NAME && c->nr == SYS_write)
		return weft__write_name(c, fd);
	if (weft__denied[c->nr] || (fd != NULL && fd->kind == WEFT__FILE))
		return WEFT__PASS;
	weft__spend(1);
	weft__counts.parks[c->nr]++;
	memcpy(job.arg, c->arg, sizeof(job.arg));
	if (has_mask(c))
		return weft__blocks(c);
	while (weft__offload_call(&job, &result) != 0) {
		if (weft__offload_most == 0)
			return weft__blocks(c);
		if (weft__park(weft__now_ns() + LOOK_AGAIN_NS) == -EINTR)
			return -EINTR;
	}
	return weft__sent(c, result);
}

static bool any_denied(const short *calls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (calls[i] != 0 && weft__denied[calls[i]])
			return true;
	return false;
}

bool weft__may_wake(void)
{
	return !any_denied(waking_needs, COUNT(waking_needs));
}

/* Give up the handlers that could not do their work; whether there were any. */
static bool give_up_handlers(bool all)
{
	bool any = false;

	for (size_t i = 0; i < COUNT(handled); i++)
		if (all || any_denied(handled[i].needs, MOST_NEEDS)) {
			any |= !weft__denied[handled[i].nr];
			weft__handlers[handled[i].nr] = on_offloaded;
		}
	for (size_t i = 0; weft__denied[SYS_newfstatat] && i < COUNT(openers); i++)
		weft__handlers[openers[i]] = on_offloaded;
	return any;
}

/* Handlers that are waiting now start over, those that are given up as what they are then. */
static void start_over(void)
{
	for (struct weft__thread *thread = weft__thread_next(NULL); thread != NULL;
	     thread = weft__thread_next(thread))
		if (thread != weft__thread_here())
			weft__interrupt(&thread->task);
}

/* What a filter would deny; its own copy is the kernel's, which may find another program there. */
static void ask_filter(const struct sock_filter *program, unsigned int length,
		       bool denied[WEFT__CALLS])
{
	struct seccomp_data call;

	for (size_t i = 0; i < COUNT(made); i++) {
		uint32_t verdict;

		call = (struct seccomp_data){.nr = made[i].nr,
					     .arch = AUDIT_ARCH_X86_64,
					     .instruction_pointer = (uintptr_t)weft__hub_ring};
		for (size_t j = 0; j < COUNT(made[i].arg); j++)
			call.args[j] = made[i].arg[j] == SET    ? weft__hub_set(&weft__process)
				       : made[i].arg[j] == BELL ? weft__hub_bell(&weft__process)
								: made[i].arg[j];
		verdict = weft__filter_verdict(program, length, &call) & SECCOMP_RET_ACTION_FULL;
		if (verdict != SECCOMP_RET_ALLOW && verdict != SECCOMP_RET_LOG &&
		    verdict != SECCOMP_RET_USER_NOTIF)
			denied[made[i].nr] = true;
	}
}

static void read_filter(uintptr_t at, bool denied[WEFT__CALLS])
{
	struct sock_fprog from;
	struct sock_filter *program;
	size_t bytes;

	if (weft__copy(&from, (const void *)at, sizeof(from)) != 0 || from.len == 0 ||
	    from.len > BPF_MAXINSNS)
		return;
	bytes = from.len * sizeof(*program);
	program = weft__alloc(bytes);
	if (program == NULL)
		return;
	if (weft__copy(program, from.filter, bytes) == 0)
		ask_filter(program, from.len, denied);
	weft__free(program, bytes);
}

static bool is_clone(long nr)
{
	return nr == SYS_clone || nr == SYS_clone3;
}

/* One line, the first time that anything can be felt. */
static void say_what_happens(const char *what, const char *more)
{
	static bool said;
	char names[256] = "";
	size_t used = 0;

	for (size_t i = 0; i < COUNT(made) && used < sizeof(names) - 24; i++) {
		bool again = i > 0 && made[i].nr == made[i - 1].nr;
		bool felt = made[i].felt || (weft__offload_most == 0 && is_clone(made[i].nr));

		if (felt && weft__denied[made[i].nr] && !again)
			used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
						 used == 0 ? "" : ", ",
						 weft__call_name(made[i].nr));
	}
	if (said || used == 0 || (what == NULL && more == NULL))
		return;
	said = true;
	weft__say("the seccomp filter denies %s, which weft needs: %s%s%s", names,
		  what == NULL ? "" : what, what == NULL || more == NULL ? "" : ", and ",
		  more == NULL ? "" : more);
}

/* Make do with what is left, and say what that means to the program, if it means anything. */
static void make_do(void)
{
	bool waits = weft__hub_restrict(&weft__process), gave_up;
	const char *what = NULL, *more = NULL;

	weft__offload_restrict();
	gave_up = give_up_handlers(!waits || any_denied(common_needs, COUNT(common_needs)));
	if (gave_up && weft__offload_most == 0)
		what = "a call that waits stops all threads";
	else if (gave_up)
		what = "kernel threads make the calls that wait";
	if (weft__denied[SYS_rt_sigreturn])
		more = "a thread that computes is not preempted";
	if (!weft__denied[SYS_write])
		say_what_happens(what, more);
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

	if ((flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) == 0 && !weft__offload_makes(denied)) {
		if (weft__offload_makes(weft__denied))
			weft__offload_reserve(weft__process.tasks);
		result = install_for_all(c, flags);
		if (result == 0)
			return result;
	}
	weft__offload_retire();
	return install(c);
}

static long set_filter(const struct weft__call *c, long flags)
{
	bool denied[WEFT__CALLS], any = false, preempted;
	long result;

	memcpy(denied, weft__denied, sizeof(denied));
	read_filter((uintptr_t)c->arg[2], denied);
	/* Signals of weft's own, which the program would not return from: not from now on. */
	preempted = denied[SYS_rt_sigreturn] && weft__preempt_end();
	weft__signal_from_self(SIGSYS, SI_USER); /* it keeps the user's id for later */
	result = install_with_threads(c, flags, denied);
	if (weft__failed(result) || ((flags & SECCOMP_FILTER_FLAG_TSYNC) != 0 && result > 0)) {
		if (preempted)
			weft__preempt_begin(weft__settings.preempt_ms);
		return result;
	}
	for (size_t nr = 0; nr < WEFT__CALLS; nr++) {
		any |= denied[nr] != weft__denied[nr];
		weft__denied[nr] = denied[nr];
	}
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

	if (weft__raw(SYS_prctl, PR_GET_SECCOMP) != SECCOMP_MODE_DISABLED)
		return WEFT__PASS;
	if (weft__process.tasks > 1)
		weft__say("strict seccomp leaves no call to switch threads with: the others stop");
	weft__offload_retire();
	weft__preempt_end();
	weft__signals_end(me);
	weft__raw(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
	result = install(c);
	weft__check(result == 0);
	weft__current = NULL;
	return 0;
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
