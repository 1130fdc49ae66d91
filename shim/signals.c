/*
 * See signals.h.
 *
 *   kernel -> on_kernel_signal -+-> the running task's own, at once
 *                               +-> came[] -> weft__signals_attend -> thread->queue
 *                                             tgkill ... ------------> thread->queue
 *   thread->queue -> weft__attend, as the task leaves weft -> the program's handler
 *
 * While weft's own code runs (a task's `inside`, or the hub) nothing is touched but came[], whose
 * one writer is the kernel's handler, with all signals blocked, and whose one reader is the
 * carrier. When it is full, the signals stay blocked, hence pending in the kernel, until it is
 * read.
 *
 * A SIGSEGV in one of the guarded accesses (call.h) is weft's own, and the access says -EFAULT.
 */
#include "signals.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <ucontext.h>

#include "descriptor.h"
#include "futex.h"
#include "hub.h"
#include "pending.h"
#include "robust.h"
#include "shim.h"
#include "thread.h"

#define SIGNALS 64
#define CAME 128
#define RESTORER_FLAG 0x04000000UL /* SA_RESTORER, which the kernel's headers keep to themselves */

/* entry_x86_64.S */
void weft__restorer(void);
extern const char weft__guarded[], weft__guarded_end[], weft__guarded_fault[];

static struct weft__action actions[SIGNALS + 1];
static bool took_over[SIGNALS + 1]; /* the kernel's handler for it is weft's */
static struct {
	siginfo_t info;
	bool for_running; /* the call of the task that ran brought it on */
} came[CAME];
static volatile unsigned int came_first, came_next; /* counters; mod CAME */

static void on_kernel_signal(int signal, siginfo_t *info, void *ucontext);

static long kernel_action(int signal, const struct weft__action *new, struct weft__action *old)
{
	return weft__raw(SYS_rt_sigaction, signal, new, old, sizeof(uint64_t));
}

static bool is_fault(int signal)
{
	return signal == SIGSEGV || signal == SIGBUS;
}

static bool has_handler(const struct weft__action *action)
{
	return action->handler != (uintptr_t)SIG_DFL && action->handler != (uintptr_t)SIG_IGN;
}

/* What the kernel is told in place of an action of the program's. */
static struct weft__action stand_in(const struct weft__action *action)
{
	struct weft__action ours = *action;

	ours.handler = (uintptr_t)on_kernel_signal;
	ours.flags = (action->flags & (SA_NOCLDSTOP | SA_NOCLDWAIT | SA_ONSTACK | SA_RESTART)) |
		     SA_SIGINFO | RESTORER_FLAG;
	ours.restorer = (uintptr_t)weft__restorer;
	ours.mask = UINT64_MAX;
	return ours;
}

static long install(int signal, const struct weft__action *action)
{
	struct weft__action ours = *action;
	long err;

	took_over[signal] =
		has_handler(action) || (is_fault(signal) && action->handler == (uintptr_t)SIG_DFL);
	if (took_over[signal])
		ours = stand_in(action);
	err = kernel_action(signal, &ours, NULL);
	if (err == 0)
		actions[signal] = *action;
	return err;
}

void weft__signals_begin(void)
{
	for (int signal = 1; signal <= SIGNALS; signal++) {
		if (kernel_action(signal, NULL, &actions[signal]) != 0)
			continue;
		took_over[signal] = false;
		if (has_handler(&actions[signal]) || is_fault(signal))
			install(signal, &actions[signal]);
	}
}

void weft__signals_end(void)
{
	for (int signal = 1; signal <= SIGNALS; signal++)
		if (took_over[signal])
			kernel_action(signal, &actions[signal], NULL);
	came_first = came_next = 0;
	weft__pending_clear();
}

long weft__signal_action(int signal, const struct weft__action *action, struct weft__action *old)
{
	struct weft__action before = actions[signal];
	long err = action == NULL ? 0 : install(signal, action);

	if (err == 0 && old != NULL)
		*old = before;
	return err;
}

/* Whether the kernel drops a signal that it delivers by default (signal(7)). */
static bool ignored(int signal)
{
	if (actions[signal].handler == (uintptr_t)SIG_IGN)
		return true;
	return actions[signal].handler == (uintptr_t)SIG_DFL &&
	       (signal == SIGCHLD || signal == SIGCONT || signal == SIGURG || signal == SIGWINCH);
}

static bool blocked(const struct weft__thread *thread, int signal)
{
	return (weft__mask_of(thread) & weft__signal_bit(signal)) != 0;
}

void weft__signals_check(struct weft__thread *thread)
{
	if ((thread->pending & (~weft__mask_of(thread) | thread->waiting_for)) != 0)
		weft__interrupt(&thread->task);
	if (weft__pending_for_process() || came_first != came_next)
		weft__interrupt(&thread->task);
}

/* What the kernel does with a signal that has no handler: kill, stop or wake the process. */
static long act_by_default(int signal)
{
	if (signal != SIGSTOP && signal != SIGTSTP && signal != SIGTTIN && signal != SIGTTOU)
		weft__robust_exit_all();
	if (took_over[signal])
		kernel_action(signal, &actions[signal], NULL);
	return weft__raw(SYS_kill, weft__raw(SYS_getpid), signal);
}

siginfo_t weft__signal_from_self(int signal, int code)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = signal;
	info.si_code = code;
	info.si_pid = (pid_t)weft__raw(SYS_getpid);
	info.si_uid = (uid_t)weft__raw(SYS_getuid);
	return info;
}

long weft__signal_send(struct weft__thread *thread, const siginfo_t *info)
{
	int signal = info->si_signo;
	long err;

	if (!blocked(thread, signal)) {
		if (ignored(signal))
			return 0;
		if (!has_handler(&actions[signal]))
			return act_by_default(signal);
	}
	/* A standard signal is pending once; real-time signals queue (signal(7)). */
	if (signal < SIGRTMIN && (thread->pending & weft__signal_bit(signal)) != 0)
		return 0;
	err = weft__pending_add(thread, info);
	if (err != 0)
		return err;
	weft__signals_check(thread);
	return 0;
}

/* Hand a signal of the process to a thread that admits it, or keep it until one does. */
static void hand_out(const siginfo_t *info, bool for_running)
{
	struct weft__thread *thread = weft__thread_admitting(info->si_signo);

	if (for_running && weft__current != NULL)
		thread = weft__thread_here();
	if (thread != NULL)
		weft__signal_send(thread, info);
	else
		weft__pending_add(NULL, info);
}

void weft__signals_attend(struct weft__carrier *carrier)
{
	bool was_full = came_next - came_first == CAME;
	siginfo_t info;

	carrier->attention = 0;
	while (came_first != came_next) {
		bool for_running = came[came_first % CAME].for_running;

		info = came[came_first % CAME].info;
		came_first++;
		hand_out(&info, for_running);
	}
	if (was_full) {
		uint64_t mask = weft__mask_common();

		weft__raw(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
	}
}

/* Keep a signal for later; the return from the kernel's handler keeps the rest out if need be. */
static void keep(const siginfo_t *info, ucontext_t *ucontext)
{
	came[came_next % CAME].info = *info;
	came[came_next % CAME].for_running = info->si_signo == SIGPIPE && weft__current != NULL;
	came_next++;
	if (came_next - came_first == CAME)
		memset(&ucontext->uc_sigmask, 0xff, sizeof(uint64_t));
	weft__process.attention = 1;
	if (weft__current != NULL)
		weft__current->attention = 1;
	else
		weft__hub_ring(&weft__process);
}

static void call_handler(const struct weft__action *action, siginfo_t *info, void *ucontext)
{
	if ((action->flags & SA_SIGINFO) != 0)
		((void (*)(int, siginfo_t *, void *))action->handler)(info->si_signo, info,
								      ucontext);
	else
		((void (*)(int))action->handler)(info->si_signo);
}

/*
 * Run the program's handler in the running task, with its mask as sigaction(2) has it. The mask
 * to go back to is in the ucontext, where the handler may change it.
 */
static void run_handler(struct weft__thread *me, siginfo_t *info, ucontext_t *ucontext,
			uint64_t mask_after)
{
	struct weft__action action = actions[info->si_signo];
	uint64_t during = weft__mask_of(me) | action.mask;

	if ((action.flags & SA_NODEFER) == 0)
		during |= weft__signal_bit(info->si_signo);
	if ((action.flags & SA_RESETHAND) != 0)
		install(info->si_signo, &(struct weft__action){.handler = (uintptr_t)SIG_DFL});
	weft__mask_set(me, during);
	weft__mask_tell_kernel();
	memcpy(&ucontext->uc_sigmask, &mask_after, sizeof(mask_after));
	me->task.inside = 0;
	call_handler(&action, info, ucontext);
	me->task.inside = 1;
	memcpy(&mask_after, &ucontext->uc_sigmask, sizeof(mask_after));
	weft__mask_set(me, mask_after);
}

/* A fault of the running instruction: weft's own guarded access, or the program's. */
static bool handle_fault(int signal, siginfo_t *info, ucontext_t *ucontext)
{
	uintptr_t pc = (uintptr_t)ucontext->uc_mcontext.gregs[REG_RIP];

	if (info->si_code <= 0)
		return false; /* sent by somebody */
	if (is_fault(signal) && pc >= (uintptr_t)weft__guarded &&
	    pc < (uintptr_t)weft__guarded_end) {
		ucontext->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)weft__guarded_fault;
		return true;
	}
	if (signal != SIGSEGV && signal != SIGBUS && signal != SIGFPE && signal != SIGILL &&
	    signal != SIGTRAP)
		return false;
	if (has_handler(&actions[signal]))
		call_handler(&actions[signal], info, ucontext);
	else if (info->si_code == SI_KERNEL) /* not of an instruction that would run again */
		act_by_default(signal);
	else { /* it happens again, with the program's own action */
		weft__robust_exit_all();
		kernel_action(signal, &actions[signal], NULL);
	}
	return true;
}

/* Take what was kept while a handler was set up, if the running task may handle it at once. */
static bool take_kept(struct weft__thread *me, siginfo_t *info)
{
	int signal;

	if (came_first == came_next)
		return false;
	*info = came[came_first % CAME].info;
	signal = info->si_signo;
	if (weft__thread_admitting(signal) != me || !has_handler(&actions[signal]))
		return false;
	came_first++;
	return true;
}

static void on_kernel_signal(int signal, siginfo_t *info, void *arg)
{
	struct weft__thread *me = weft__thread_here();
	ucontext_t *ucontext = arg;
	uint64_t mask;

	if (handle_fault(signal, info, ucontext))
		return;
	if (me == NULL && weft__hub_of == NULL) {
		/* Not a task, nor the hub: a child of vfork(2), a thread weft does not know. */
		if (has_handler(&actions[signal]))
			call_handler(&actions[signal], info, ucontext);
		else
			act_by_default(signal);
		return;
	}
	if (me == NULL || me->task.inside || weft__thread_admitting(signal) != me ||
	    !has_handler(&actions[signal])) {
		keep(info, ucontext);
		return;
	}
	me->task.inside = 1;
	mask = weft__mask_of(me);
	weft__mask_in_handler();
	do {
		run_handler(me, info, ucontext, mask);
		mask = weft__mask_of(me);
	} while (take_kept(me, info));
	me->task.inside = 0;
	mask = weft__mask_common();
	memcpy(&ucontext->uc_sigmask, &mask, sizeof(mask));
}

/* Whether a call starts over after a handler with SA_RESTART (signal(7)). */
static bool restarts(const struct weft__call *c)
{
	switch (c->nr) {
	/* With a timeout on the socket they end with EINTR. */
	case SYS_read:
	case SYS_readv:
	case SYS_recvfrom:
	case SYS_recvmsg:
	case SYS_recvmmsg:
	case SYS_accept:
	case SYS_accept4:
		return !weft__fd_times_out(c->arg[0], POLLIN);
	case SYS_write:
	case SYS_writev:
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_sendmmsg:
	case SYS_connect:
		return !weft__fd_times_out(c->arg[0], POLLOUT);
	case SYS_wait4:
	case SYS_waitid:
	case SYS_futex_waitv:
	case SYS_futex_wait:
		return true;
	case SYS_futex:
		return weft__futex_restarts(c);
	default:
		return false;
	}
}

/* The state of the interrupted call, as a handler with SA_SIGINFO may look at it. */
static void fill_ucontext(ucontext_t *ucontext, const struct weft__call *c, long result)
{
	greg_t *reg = ucontext->uc_mcontext.gregs;

	memset(ucontext, 0, sizeof(*ucontext));
	reg[REG_RAX] = result == WEFT__PASS ? c->nr : result;
	reg[REG_RDI] = c->arg[0];
	reg[REG_RSI] = c->arg[1];
	reg[REG_RDX] = c->arg[2];
	reg[REG_R10] = c->arg[3];
	reg[REG_R8] = c->arg[4];
	reg[REG_R9] = c->arg[5];
	reg[REG_RBX] = (greg_t)c->rbx;
	reg[REG_RBP] = (greg_t)c->rbp;
	reg[REG_R12] = (greg_t)c->r12;
	reg[REG_R13] = (greg_t)c->r13;
	reg[REG_R14] = (greg_t)c->r14;
	reg[REG_R15] = (greg_t)c->r15;
	reg[REG_RSP] = (greg_t)c->sp;
	reg[REG_RIP] = (greg_t)c->pc;
}

static long finish(struct weft__thread *me, long result)
{
	me->restarted = false;
	if (me->mask_swapped) {
		me->mask_swapped = false;
		weft__mask_set(me, me->mask_after);
		weft__signals_check(me);
	}
	return result;
}

long weft__attend(struct weft__call *c, long result)
{
	struct weft__thread *me = weft__thread_here();
	bool ran = false, restart = true;
	uint64_t deadline_ns = me->deadline_ns;
	siginfo_t info;

	me->task.attention = 0;
	if (came_first != came_next)
		weft__signals_attend(&weft__process);
	while (weft__signal_take(me, ~weft__mask_of(me), &info)) {
		int signal = info.si_signo;
		uint64_t mask = me->mask_swapped ? me->mask_after : weft__mask_of(me);
		ucontext_t ucontext;

		if (ignored(signal))
			continue;
		if (!has_handler(&actions[signal])) {
			act_by_default(signal);
			continue;
		}
		restart = restart && (actions[signal].flags & SA_RESTART) != 0;
		ran = true;
		fill_ucontext(&ucontext, c, result);
		me->mask_swapped = false;
		run_handler(me, &info, &ucontext, mask);
	}
	me->deadline_ns = deadline_ns;
	if (c->nr == SYS_futex && weft__futex_always_restarts(c))
		ran = false;
	if (result != -EINTR || (ran && !(restart && restarts(c))))
		return finish(me, result);
	me->restarted = true;
	return WEFT__AGAIN;
}
