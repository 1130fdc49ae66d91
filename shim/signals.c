/*
 * See signals.h.
 *
 *   kernel -> weft__on_kernel_signal -> came[] -> weft__signals_attend -> thread->queue
 *                                                          tgkill ... --> thread->queue
 *   thread->queue -> deliver.c -> the program's handler
 *
 * came[] is written by the kernel's handler, with all signals blocked, on the kernel thread of any
 * carrier, and has one reader, who is in weft's code. When it is full, the signals stay blocked, hence
 * pending in the kernel, until it is read.
 */
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

#include "crew.h"
#include "denied.h"
#include "iterative.h"
#include "kernel_handler.h"
#include "hub.h"
#include "mask.h"
#include "offload.h"
#include "pending.h"
#include "robust.h"
#include "shim.h"
#include "thread.h"
#include "timers.h"

#define CAME 128
#define RESTORER_FLAG 0x04000000UL /* SA_RESTORER, which the kernel's headers keep to themselves */

/* entry_x86_64.S */
void weft__restorer(void);

static struct weft__action actions[WEFT__SIGNALS + 1];
static bool took_over[WEFT__SIGNALS + 1]; /* the kernel's handler for it is weft's */
static bool claimed[WEFT__SIGNALS + 1];   /* and is so whatever the program's is */
static struct {
	siginfo_t info;
	struct weft__thread *caused; /* by the call of this one; NULL: by none */
	bool written;                /* atomic */
} came[CAME];
static volatile unsigned int came_first, came_next; /* counters; mod CAME */

static const struct weft__action default_action = {.handler = (uintptr_t)SIG_DFL};

static long kernel_action(int signal, const struct weft__action *new, struct weft__action *old)
{
	return weft__raw(SYS_rt_sigaction, signal, new, old, sizeof(uint64_t));
}

static bool is_fault(int signal)
{
	return signal == SIGSEGV || signal == SIGBUS;
}

/* Weft's own, whatever the program does with it. */
static bool is_ours(int signal)
{
	return signal == WEFT__SIGNAL_SETXID || (signal == SIGSYS && weft__catches()) ||
	       (signal == SIGTRAP && weft__iterative_checks());
}

static bool is_handler(const struct weft__action *action)
{
	return action->handler != (uintptr_t)SIG_DFL && action->handler != (uintptr_t)SIG_IGN;
}

bool weft__signal_handled(int signal)
{
	return is_handler(&actions[signal]);
}

/*
 * What the kernel is told in place of an action of the program's. A fault can happen in the
 * handler itself, in a guarded access. What is not the program's to handle interrupts no call of
 * its; one that an offload thread is to leave is ended by the handler (offload.c).
 */
static struct weft__action stand_in(int signal, const struct weft__action *action)
{
	struct weft__action ours = *action;

	ours.handler = (uintptr_t)weft__on_kernel_signal;
	ours.flags = (action->flags & (SA_NOCLDSTOP | SA_NOCLDWAIT | SA_RESTART)) | SA_SIGINFO |
		     SA_ONSTACK | SA_NODEFER | RESTORER_FLAG;
	if (signal == WEFT__SIGNAL_SETXID || !is_handler(action))
		ours.flags |= SA_RESTART;
	ours.restorer = (uintptr_t)weft__restorer;
	ours.mask = weft__mask_in_handler();
	return ours;
}

static long install(int signal, const struct weft__action *action)
{
	struct weft__action before = actions[signal], ours = *action;
	long err;

	actions[signal] = *action;
	took_over[signal] = claimed[signal] || weft__signal_handled(signal) ||
			    (is_fault(signal) && action->handler == (uintptr_t)SIG_DFL);
	if (took_over[signal])
		ours = stand_in(signal, action);
	err = kernel_action(signal, &ours, NULL);
	if (err != 0)
		actions[signal] = before;
	return err;
}

long weft__signals_begin(struct weft__thread *me)
{
	stack_t stack;
	long err = weft__handler_stack(0, &stack);

	if (err == 0)
		err = weft__raw(SYS_sigaltstack, &stack, &me->altstack);
	if (err != 0)
		return err;
	weft__offload_stops = true;
	for (int signal = 1; signal <= WEFT__SIGNALS; signal++) {
		if (kernel_action(signal, NULL, &actions[signal]) != 0)
			continue;
		took_over[signal] = false;
		claimed[signal] = is_ours(signal);
		if (weft__signal_handled(signal) || is_fault(signal) || claimed[signal])
			install(signal, &actions[signal]);
	}
	return 0;
}

void weft__signals_catch(void)
{
	for (int signal = 1; signal <= WEFT__SIGNALS; signal++) {
		claimed[signal] = is_ours(signal);
		if (took_over[signal] || claimed[signal])
			install(signal, &actions[signal]);
	}
}

/* What is pending for the kernel thread alone: SigPnd in its status, proc(5). */
static uint64_t pending_in_kernel(void)
{
	char text[1800];
	const char *line;
	uint64_t set = 0;
	long n = weft__raw(SYS_openat, AT_FDCWD, "/proc/thread-self/status", O_RDONLY | O_CLOEXEC);
	long number = n;

	if (n < 0)
		return 0;
	n = weft__raw(SYS_read, number, text, sizeof(text) - 1);
	weft__raw(SYS_close, number);
	text[n < 0 ? 0 : n] = '\0';
	line = strstr(text, "SigPnd:\t");
	for (line = line == NULL ? "" : line + strlen("SigPnd:\t"); *line > ' '; line++)
		set = set << 4 | (uint64_t)(*line <= '9' ? *line - '0' : *line - 'a' + 10);
	return set;
}

void weft__signals_adopt(struct weft__thread *thread)
{
	struct timespec now = {0, 0};
	siginfo_t info;
	uint64_t set = 0;

	weft__raw(SYS_rt_sigpending, &set, sizeof(set));
	/* A thread's own is taken before the process's of the same number. */
	while (set != 0 && (set = pending_in_kernel()) != 0 &&
	       weft__raw(SYS_rt_sigtimedwait, &set, &info, &now, sizeof(set)) > 0)
		weft__pending_add(thread, &info);
}

void weft__signals_lend(struct weft__thread *thread)
{
	long process = weft__raw(SYS_getpid), kernel_thread = weft__raw(SYS_gettid);
	siginfo_t info;

	while (weft__signal_take(thread, UINT64_MAX, &info))
		weft__raw(SYS_rt_tgsigqueueinfo, process, kernel_thread, info.si_signo, &info);
}

void weft__signals_end(const struct weft__thread *me)
{
	for (int signal = 1; signal <= WEFT__SIGNALS; signal++)
		if (took_over[signal] && !weft__denied[SYS_rt_sigaction])
			kernel_action(signal, &actions[signal], NULL);
	if (!weft__denied[SYS_sigaltstack])
		weft__raw(SYS_sigaltstack, &me->altstack, NULL);
	for (came_first = came_next = 0; came_first < CAME; came_first++)
		came[came_first].written = false;
	came_first = 0;
	weft__pending_clear();
}

void weft__signal_claim(int signal)
{
	/* Where SIGCHLD is ignored, the kernel buries the children: it has to know. */
	if (signal < 1 || signal > WEFT__SIGNALS || claimed[signal] || signal == SIGCHLD)
		return;
	claimed[signal] = true;
	install(signal, &actions[signal]);
}

const struct weft__action *weft__signal_action(int signal)
{
	return &actions[signal];
}

long weft__signal_set_action(int signal, const struct weft__action *action)
{
	return install(signal, action);
}

bool weft__signal_ignored(int signal)
{
	if (actions[signal].handler == (uintptr_t)SIG_IGN)
		return true;
	return actions[signal].handler == (uintptr_t)SIG_DFL &&
	       (signal == SIGCHLD || signal == SIGCONT || signal == SIGURG || signal == SIGWINCH);
}

bool weft__signal_blocked(const struct weft__thread *thread, int signal)
{
	return (weft__mask_of(thread) & weft__signal_bit(signal)) != 0;
}

bool weft__signal_waits(const struct weft__thread *thread)
{
	return (weft__signals_pending(thread) & ~weft__mask_of(thread)) != 0;
}

/* Whether something pending ends a wait of the thread's. */
static bool is_wanted(const struct weft__thread *thread)
{
	return (weft__signals_pending(thread) & (~weft__mask_of(thread) | thread->waiting_for)) !=
	       0;
}

void weft__signals_check(struct weft__thread *thread)
{
	/* What has just come is handed out as the running task leaves, or by the hub. */
	if (is_wanted(thread) || (&thread->task == weft__current && came_first != came_next))
		weft__interrupt(&thread->task);
}

bool weft__signals_want(struct weft__task *task)
{
	struct weft__thread *me = (struct weft__thread *)task;

	do {
		task->attention = 0;
		weft__signals_attend(&weft__process);
	} while (weft__process.attention);
	if (is_wanted(me)) {
		task->attention = 1;
		return true;
	}
	if (me->moved_to != 0)
		task->attention = 1;
	return false;
}

void weft__signal_repeat_fault(int signal)
{
	weft__robust_exit_all();
	kernel_action(signal, &default_action, NULL);
}

void weft__signal_default(int signal)
{
	bool stops =
		signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;

	if (!stops)
		weft__robust_exit_all();
	if (took_over[signal])
		kernel_action(signal, &default_action, NULL);
	if (weft__parallel) { /* the first carrier, who admits it, may be far */
		uint64_t bit = weft__signal_bit(signal);

		weft__raw(SYS_rt_sigprocmask, SIG_UNBLOCK, &bit, NULL, sizeof(bit));
		weft__raw(SYS_tgkill, weft__raw(SYS_getpid), weft__raw(SYS_gettid), signal);
		weft__mask_open();
	} else {
		weft__raw(SYS_kill, weft__raw(SYS_getpid), signal);
	}
	if (stops && took_over[signal]) /* it goes on now */
		install(signal, &actions[signal]);
}

/* As last asked, where it may not be asked any more. */
static uid_t own_user(void)
{
	static uid_t user;

	if (!weft__denied[SYS_getuid])
		user = (uid_t)weft__raw(SYS_getuid);
	return user;
}

siginfo_t weft__signal_from_self(int signal, int code)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = signal;
	info.si_code = code;
	info.si_pid = (pid_t)weft__raw(SYS_getpid);
	info.si_uid = own_user();
	return info;
}

/* A standard signal is pending once, for the thread or the process; others queue (signal(7)). */
static bool is_pending(uint64_t set, int signal)
{
	return signal < SIGRTMIN && (set & weft__signal_bit(signal)) != 0;
}

long weft__signal_send(struct weft__thread *thread, const siginfo_t *info)
{
	int signal = info->si_signo;
	long err;

	if (!weft__signal_blocked(thread, signal)) {
		if (weft__signal_ignored(signal))
			return 0;
		if (!weft__signal_handled(signal)) {
			weft__signal_default(signal);
			return 0;
		}
	}
	if (is_pending(thread->pending, signal) || weft__signalfd_show(thread, info))
		return 0;
	err = weft__pending_add(thread, info);
	if (err != 0)
		return err;
	weft__signals_check(thread);
	return 0;
}

/*
 * Hand a signal of the process to a thread that admits it. It is kept while there is none, or that
 * one has the same signal pending for itself: those are two.
 */
static void hand_out(const siginfo_t *info, struct weft__thread *caused)
{
	int signal = info->si_signo;
	struct weft__thread *thread = NULL;

	if (info->si_code == SI_TIMER) {
		switch (weft__timer_signal(info, &thread)) {
		case WEFT__FOR_NOBODY:
			return;
		case WEFT__FOR_THREAD:
			weft__signal_send(thread, info);
			return;
		default:
			break;
		}
	}
	thread = caused != NULL ? caused : weft__thread_admitting(signal);
	if (thread != NULL && !is_pending(thread->pending, signal))
		weft__signal_send(thread, info);
	else if (!is_pending(weft__pending_for_process(), signal))
		weft__pending_add(NULL, info);
}

void weft__signals_attend(struct weft__carrier *carrier)
{
	bool was_full = came_next - came_first == CAME;

	carrier->attention = 0;
	while (__atomic_load_n(&came[came_first % CAME].written, __ATOMIC_ACQUIRE)) {
		siginfo_t info = came[came_first % CAME].info;
		struct weft__thread *caused = came[came_first % CAME].caused;

		came[came_first % CAME].written = false;
		__atomic_store_n(&came_first, came_first + 1, __ATOMIC_RELEASE);
		hand_out(&info, caused);
	}
	if (was_full)
		weft__mask_open();
}

/*
 * Whose it is, of several who might have it: who writes where nobody reads. A copy of the main thread
 * (iterative.h) that sends one to its own process is all the threads that it knows of.
 */
static struct weft__thread *causer(const siginfo_t *info)
{
	struct weft__thread *me = weft__thread_here();

	if (info->si_signo == SIGPIPE)
		return me;
	if (me == NULL || !me->is_copy || (info->si_code != SI_USER && info->si_code != SI_QUEUE) ||
	    weft__signal_blocked(me, info->si_signo) || info->si_pid != weft__raw(SYS_getpid))
		return NULL;
	return me;
}

void weft__signal_keep(const siginfo_t *info, struct weft__ucontext *ucontext)
{
	unsigned int next = __atomic_load_n(&came_next, __ATOMIC_RELAXED), slot;

	do
		if (next - came_first == CAME)
			return; /* a SIGSEGV that somebody sends, and all the room is taken */
	while (!__atomic_compare_exchange_n(&came_next, &next, next + 1, false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED));
	slot = next % CAME;
	came[slot].info = *info;
	came[slot].caused = causer(info);
	__atomic_store_n(&came[slot].written, true, __ATOMIC_RELEASE);
	if (next + 1 - came_first == CAME)
		ucontext->mask = weft__mask_in_handler();
	weft__process.attention = 1;
	if (weft__current != NULL)
		weft__current->attention = 1;
	/*
	 * The first carrier's hub is to look: also when the kernel has chosen a kernel thread that runs the
	 * first carrier no more, since the spare's does (crew.h), and waits elsewhere.
	 */
	if (weft__current == NULL || weft__carrier_here() != &weft__process)
		weft__hub_ring(&weft__process);
}
