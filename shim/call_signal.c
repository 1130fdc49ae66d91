/* Calls about signals: masks, actions, stacks, sending to tasks, waiting. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>

#include "deliver.h"
#include "denied.h"
#include "descriptor.h"
#include "handlers.h"
#include "pending.h"
#include "shim.h"
#include "signals.h"
#include "thread.h"
#include "timers.h"
#include "times.h"

long on_rt_sigprocmask(struct weft__call *c)
{
	struct weft__thread *me = weft__thread_here();
	uint64_t before = weft__mask_of(me), set;

	if (c->arg[3] != (long)sizeof(set))
		return -EINVAL;
	if (c->arg[1] != 0) {
		if (weft__copy(&set, (void *)c->arg[1], sizeof(set)) != 0)
			return -EFAULT;
		if (c->arg[0] == SIG_BLOCK)
			set |= before;
		else if (c->arg[0] == SIG_UNBLOCK)
			set = before & ~set;
		else if (c->arg[0] != SIG_SETMASK)
			return -EINVAL;
		weft__mask_set(me, set);
		weft__signals_check(me);
	}
	if (c->arg[2] != 0)
		return weft__copy((void *)c->arg[2], &before, sizeof(before));
	return 0;
}

long on_rt_sigaction(struct weft__call *c)
{
	struct weft__action action, before;
	int signal = (int)c->arg[0];
	long err = 0;

	if (c->arg[3] != (long)sizeof(uint64_t) || signal < 1 || signal > WEFT__SIGNALS)
		return -EINVAL;
	before = *weft__signal_action(signal);
	if (c->arg[1] != 0) {
		if (weft__copy(&action, (void *)c->arg[1], sizeof(action)) != 0)
			return -EFAULT;
		err = weft__signal_set_action(signal, &action);
	}
	if (err == 0 && c->arg[2] != 0)
		err = weft__copy((void *)c->arg[2], &before, sizeof(before));
	return err;
}

long on_rt_sigpending(struct weft__call *c)
{
	struct weft__thread *me = weft__thread_here();
	uint64_t set = 0;

	if ((size_t)c->arg[1] > sizeof(set))
		return -EINVAL;
	weft__raw(SYS_rt_sigpending, &set, sizeof(set));
	set |= weft__signals_pending(me) & weft__mask_of(me);
	return weft__copy((void *)c->arg[0], &set, (size_t)c->arg[1]);
}

static long send_to(long tid, const siginfo_t *info)
{
	struct weft__thread *thread = weft__thread_by_tid(tid);

	if (thread == NULL)
		return tid >= WEFT__FIRST_TID ? -ESRCH : WEFT__PASS;
	if (info->si_signo == SIGKILL || info->si_signo == SIGSTOP)
		return weft__raw(SYS_kill, weft__raw(SYS_getpid), info->si_signo);
	/* There is nobody to tell: the one kernel thread has changed its ids for all. */
	if (info->si_signo == WEFT__SIGNAL_SETXID)
		return -ESRCH;
	return info->si_signo == 0 ? 0 : weft__signal_send(thread, info);
}

static long send_number(long tid, long signal)
{
	siginfo_t info;

	if (signal < 0 || signal > WEFT__SIGNALS)
		return -EINVAL;
	weft__spend(1);
	info = weft__signal_from_self((int)signal, SI_TKILL);
	return send_to(tid, &info);
}

/* The kernel takes the id of any thread for its process. */
static long send_to_process(const struct weft__call *c)
{
	if ((int)c->arg[0] < WEFT__FIRST_TID || weft__thread_by_tid((int)c->arg[0]) == NULL)
		return WEFT__PASS;
	return weft__raw(c->nr, weft__raw(SYS_getpid), c->arg[1], c->arg[2]);
}

long on_kill(struct weft__call *c)
{
	return send_to_process(c);
}

long on_rt_sigqueueinfo(struct weft__call *c)
{
	return send_to_process(c);
}

long on_tgkill(struct weft__call *c)
{
	if ((int)c->arg[0] != (int)weft__raw(SYS_getpid))
		return WEFT__PASS;
	return send_number((int)c->arg[1], (int)c->arg[2]);
}

long on_tkill(struct weft__call *c)
{
	return send_number((int)c->arg[0], (int)c->arg[1]);
}

long on_rt_tgsigqueueinfo(struct weft__call *c)
{
	siginfo_t info;

	if ((int)c->arg[0] != (int)weft__raw(SYS_getpid))
		return WEFT__PASS;
	if (weft__copy(&info, (void *)c->arg[3], sizeof(info)) != 0)
		return -EFAULT;
	/* The kernel looks for the thread first, and knows no task. */
	if ((int)c->arg[2] < 0 || (int)c->arg[2] > WEFT__SIGNALS)
		return weft__thread_by_tid((int)c->arg[1]) == NULL ? WEFT__PASS : -EINVAL;
	info.si_signo = (int)c->arg[2];
	return send_to((int)c->arg[1], &info);
}

/* Wait for any signal, with another mask meanwhile. A call that starts over has it already. */
static long suspend(uint64_t mask)
{
	struct weft__thread *me = weft__thread_here();

	if (!me->mask_swapped) {
		me->mask_after = weft__mask_of(me);
		me->mask_swapped = true;
		weft__mask_set(me, mask);
		weft__signals_check(me);
	}
	return weft__park(0);
}

long on_rt_sigsuspend(struct weft__call *c)
{
	uint64_t mask;

	if (c->arg[1] != (long)sizeof(mask))
		return -EINVAL;
	if (weft__copy(&mask, (void *)c->arg[0], sizeof(mask)) != 0)
		return -EFAULT;
	weft__count_park(c->nr);
	return suspend(mask);
}

long on_pause(struct weft__call *c)
{
	weft__count_park(c->nr);
	return weft__park(0);
}

/*
 * What the kernel holds pending of a set, for it is blocked by every task; or -EAGAIN. A timer's
 * may be for another task.
 */
static long take_from_kernel(uint64_t set, siginfo_t *info)
{
	for (;;) {
		struct timespec now = {0, 0};
		struct weft__thread *thread;
		long result = weft__raw(SYS_rt_sigtimedwait, &set, info, &now, sizeof(set));

		if (result <= 0 || info->si_code != SI_TIMER)
			return result;
		switch (weft__timer_signal(info, &thread)) {
		case WEFT__FOR_PROCESS:
			weft__timer_delivered(info);
			return result;
		case WEFT__FOR_THREAD:
			if (thread == weft__thread_here()) {
				weft__timer_delivered(info);
				return result;
			}
			weft__signal_send(thread, info);
			break;
		case WEFT__FOR_NOBODY:
			break;
		}
	}
}

/* How often a task looks for signals of the kernel's when nothing can tell it of them. */
#define LOOK_AGAIN_NS UINT64_C(5000000)

static long make_signalfd(uint64_t set)
{
	if (weft__denied[SYS_signalfd4] || weft__denied[SYS_close] || weft__denied[SYS_epoll_ctl])
		return -ENOSYS;
	return weft__raw(SYS_signalfd4, -1, &set, sizeof(set), SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Until a signal may be pending in the kernel. */
static long park_until_signal(struct weft__fd *fd, long number, uint64_t deadline_ns)
{
	uint64_t next_ns;

	if (fd != NULL)
		return weft__ready_wait(fd, (int)number, POLLIN, deadline_ns);
	next_ns = weft__now_ns() + LOOK_AGAIN_NS;
	if (deadline_ns != 0 && deadline_ns <= next_ns)
		return weft__park(deadline_ns);
	return weft__park(next_ns) == -EINTR ? -EINTR : 0;
}

/*
 * Wait for one of a set. What is sent to this task interrupts it; what becomes pending in the
 * kernel, a signalfd tells, if it can be had.
 */
static long wait_for_signal(struct weft__call *c, uint64_t set, uint64_t deadline_ns,
			    siginfo_t *info)
{
	struct weft__thread *me = weft__thread_here();
	struct weft__fd *fd;
	long number, result;

	number = make_signalfd(set);
	fd = number < 0 ? NULL : weft__fd_at(number);
	do {
		if (weft__signal_take(me, set, info)) {
			result = info->si_signo;
			break;
		}
		result = take_from_kernel(set, info);
		if (result != -EAGAIN)
			break;
		weft__count_park(c->nr);
		weft__mask_wait_for(me, set);
		result = park_until_signal(fd, number, deadline_ns);
		weft__mask_wait_for(me, 0);
		if (result == -ETIMEDOUT)
			result = -EAGAIN;
	} while (result == 0 || (result == -EINTR && (me->pending & set) != 0));
	if (fd != NULL)
		weft__fd_forget(fd, (int)number);
	if (number >= 0)
		weft__raw(SYS_close, number);
	return result;
}

long on_rt_sigtimedwait(struct weft__call *c)
{
	struct weft__thread *me = weft__thread_here();
	uint64_t set, deadline_ns = 0;
	siginfo_t info;
	long result;

	if (c->arg[3] != (long)sizeof(set))
		return -EINVAL;
	if (weft__copy(&set, (void *)c->arg[0], sizeof(set)) != 0)
		return -EFAULT;
	if (c->arg[2] != 0) {
		result = weft__deadline_after((void *)c->arg[2], &deadline_ns);
		if (result != 0)
			return result;
	}
	set &= ~(weft__signal_bit(SIGKILL) | weft__signal_bit(SIGSTOP));
	if (weft__signal_take(me, set, &info))
		result = info.si_signo;
	else
		result = take_from_kernel(set, &info);
	if (result == -EAGAIN)
		result = wait_for_signal(c, set, deadline_ns, &info);
	if (result > 0 && c->arg[1] != 0 && weft__copy((void *)c->arg[1], &info, sizeof(info)) != 0)
		return -EFAULT;
	return result;
}

#define ALTSTACK_MODES (SS_DISABLE | SS_ONSTACK)
#define LEAST_ALTSTACK 2048U /* the kernel's MINSIGSTKSZ, which libc's may exceed */
#define ALTSTACK_FLAGS ((int)SS_AUTODISARM)

static long set_altstack(struct weft__thread *me, const stack_t *stack, uintptr_t sp)
{
	int mode = stack->ss_flags & ~ALTSTACK_FLAGS;

	if (weft__on_altstack(me, sp))
		return -EPERM;
	if ((mode & ~ALTSTACK_MODES) != 0 || mode == ALTSTACK_MODES)
		return -EINVAL;
	if (mode != SS_DISABLE && stack->ss_size < LEAST_ALTSTACK)
		return -ENOMEM;
	me->altstack = *stack;
	if (mode == SS_DISABLE) {
		me->altstack.ss_sp = NULL;
		me->altstack.ss_size = 0;
	}
	return 0;
}

long on_sigaltstack(struct weft__call *c)
{
	struct weft__thread *me = weft__thread_here();
	stack_t stack, before = me->altstack;
	long err;

	before.ss_flags &= ~SS_ONSTACK;
	if (weft__on_altstack(me, c->sp))
		before.ss_flags |= SS_ONSTACK;
	if (c->arg[0] != 0) {
		if (weft__copy(&stack, (void *)c->arg[0], sizeof(stack)) != 0)
			return -EFAULT;
		err = set_altstack(me, &stack, c->sp);
		if (err != 0)
			return err;
	}
	return c->arg[1] == 0 ? 0 : weft__copy((void *)c->arg[1], &before, sizeof(before));
}
