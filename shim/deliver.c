/*
 * See deliver.h. A task's signals are delivered as it leaves weft's code: when a call ends
 * (weft__attend()), or where the kernel's handler has made it go on (kernel_handler.c).
 */
#include "deliver.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <ucontext.h>

#include "catch.h"
#include "descriptor.h"
#include "futex.h"
#include "mask.h"
#include "pending.h"
#include "shim.h"
#include "signals.h"
#include "thread.h"

#define FP_BYTES 512
#define DEFAULT_MXCSR 0x1f80
#define SYSCALL_BYTES 2

static const stack_t no_stack = {.ss_flags = SS_DISABLE};

bool weft__on_altstack(const struct weft__thread *thread, uintptr_t sp)
{
	const stack_t *stack = &thread->altstack;

	return (stack->ss_flags & (int)(SS_DISABLE | SS_AUTODISARM)) == 0 &&
	       sp - 1 - (uintptr_t)stack->ss_sp < stack->ss_size;
}

uintptr_t weft__altstack_for(const struct weft__thread *me, const struct weft__action *action,
			     uintptr_t sp)
{
	if ((action->flags & SA_ONSTACK) == 0 || (me->altstack.ss_flags & SS_DISABLE) != 0 ||
	    weft__on_altstack(me, sp))
		return 0;
	return (uintptr_t)me->altstack.ss_sp + me->altstack.ss_size;
}

/* What a handler runs with, and in *ucontext what it goes back to (sigaction(2)). */
static void begin_handler(struct weft__thread *me, int signal, const struct weft__action *action,
			  struct weft__ucontext *ucontext)
{
	uint64_t during = weft__mask_of(me) | action->mask;

	ucontext->mask = me->mask_swapped ? me->mask_after : weft__mask_of(me);
	me->mask_swapped = false;
	ucontext->stack = me->altstack;
	if ((me->altstack.ss_flags & (int)SS_AUTODISARM) != 0)
		me->altstack = no_stack;
	if ((action->flags & SA_NODEFER) == 0)
		during |= weft__signal_bit(signal);
	if ((action->flags & SA_RESETHAND) != 0)
		weft__signal_set_action(signal,
					&(struct weft__action){.handler = (uintptr_t)SIG_DFL});
	weft__mask_set(me, during);
}

/* The handler may have changed what it goes back to, or forked: a child sleeps and is nobody. */
static void end_handler(const struct weft__ucontext *ucontext)
{
	struct weft__thread *me = weft__thread_here();

	if (me == NULL)
		return;
	weft__go_inside(&me->task);
	weft__mask_set(me, ucontext->mask);
	if ((ucontext->stack.ss_flags & (int)SS_AUTODISARM) != 0)
		me->altstack = ucontext->stack;
}

/*
 * Leave weft's code for a handler. What else is pending and admitted interrupts it before its
 * first instruction, so of several signals the kernel's order of handlers is kept.
 */
static void leave_for(const struct weft__action *action, const struct weft__ucontext *ucontext)
{
	struct weft__ucontext inner = *ucontext;
	struct weft__thread *me;

	inner.registers.gregs[REG_RIP] = (greg_t)action->handler;
	for (;;) {
		weft__deliver_pending(&inner, NULL);
		me = weft__thread_here();
		if (me == NULL)
			return;
		weft__go_outside(&me->task);
		if (!me->task.attention)
			return;
		weft__go_inside(&me->task);
	}
}

void weft__run_handler(siginfo_t *info, struct weft__ucontext *ucontext)
{
	struct weft__thread *me = weft__thread_here();
	struct weft__action action = *weft__signal_action(info->si_signo);
	uintptr_t stack_top =
		weft__altstack_for(me, &action, (uintptr_t)__builtin_frame_address(0));

	begin_handler(me, info->si_signo, &action, ucontext);
	leave_for(&action, ucontext);
	weft__call_handler(action.handler, info->si_signo, info, ucontext, stack_top);
	end_handler(ucontext);
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
	case SYS_sendfile:
	case SYS_connect:
		return !weft__fd_times_out(c->arg[0], POLLOUT);
	case SYS_wait4:
	case SYS_waitid:
	case SYS_futex_waitv:
	case SYS_futex_wait:
	case SYS_open:
	case SYS_openat:
	case SYS_openat2:
	case SYS_creat:
	case SYS_preadv2:
	case SYS_pwritev2:
	case SYS_splice:
	case SYS_tee:
	case SYS_vmsplice:
	case SYS_getrandom:
	case SYS_syslog:
	case SYS_fcntl:
	case SYS_flock:
	case SYS_ioctl:
	case SYS_mq_timedsend:
	case SYS_mq_timedreceive:
		return true;
	case SYS_futex:
		return weft__futex_restarts(c);
	default:
		return false;
	}
}

/*
 * An interrupted call that starts over lies before the handler, any other behind it. glibc goes by
 * that since 2.41: it cancels a thread whose handler finds it before the one call that it makes for
 * all that can be cancelled, for then the call has had no effect.
 */
static void decide(struct weft__ending *ending, const struct weft__action *action,
		   struct weft__ucontext *ucontext)
{
	const struct weft__call *c = ending->call;
	greg_t *reg = ucontext->registers.gregs;

	ending->decided = true;
	ending->again = ending->result == -EINTR &&
			((c->nr == SYS_futex && weft__futex_always_restarts(c)) ||
			 ((action->flags & SA_RESTART) != 0 && restarts(c)));
	if (ending->again || ending->result == WEFT__PASS) {
		reg[REG_RAX] = c->nr;
		reg[REG_RIP] -= SYSCALL_BYTES;
	}
}

void weft__deliver_pending(struct weft__ucontext *ucontext, struct weft__ending *ending)
{
	struct weft__thread *me;
	siginfo_t info;

	while ((me = weft__thread_here()) != NULL) {
		me->task.attention = 0;
		weft__signals_attend(&weft__process);
		if (!weft__signal_take(me, ~weft__mask_of(me), &info))
			return;
		if (weft__signal_ignored(info.si_signo))
			continue;
		if (!weft__signal_handled(info.si_signo)) {
			weft__signal_default(info.si_signo);
			continue;
		}
		if (ending != NULL && !ending->decided)
			decide(ending, weft__signal_action(info.si_signo), ucontext);
		weft__run_handler(&info, ucontext);
	}
}

/* The state of the interrupted call, as a handler with SA_SIGINFO may look at it. */
static void fill_ucontext(struct weft__ucontext *ucontext, const struct weft__call *c, long result,
			  void *fp)
{
	greg_t *reg = ucontext->registers.gregs;

	memset(ucontext, 0, sizeof(*ucontext));
	ucontext->registers.fpregs = fp;
	reg[REG_RAX] = result;
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

/* Run the handlers that are due as a call ends. */
static void deliver_at_exit(struct weft__ending *ending)
{
	unsigned char fp[FP_BYTES] __attribute__((aligned(16)));
	uint32_t control = DEFAULT_MXCSR;
	struct weft__ucontext ucontext;

	memset(fp, 0, sizeof(fp));
	__builtin_ia32_fxsave64(fp);
	__asm__ volatile("fninit; ldmxcsr %0" : : "m"(control));
	fill_ucontext(&ucontext, ending->call, ending->result, fp);
	weft__deliver_pending(&ucontext, ending);
	__builtin_ia32_fxrstor64(fp);
	if (weft__current == NULL) /* a child, which sleeps; a handler has forked */
		weft__raw(SYS_rt_sigprocmask, SIG_SETMASK, &ucontext.mask, NULL,
			  sizeof(ucontext.mask));
}

static long finish(struct weft__thread *me, long result)
{
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
	struct weft__ending ending = {.call = c, .result = result, .again = result == -EINTR};
	uint64_t deadline_ns = me->deadline_ns;

	weft__go_inside(&me->task);
	me->task.attention = 0;
	weft__signals_attend(&weft__process);
	/* A call that starts over after a handler does so with its number, whatever that is now. */
	if (me->moved_to != 0 && (result != -EINTR || weft__signal_waits(me)))
		result = weft__fd_move_ends(c, result);
	if (weft__signal_waits(me))
		deliver_at_exit(&ending);
	me = weft__thread_here();
	if (me == NULL)
		return ending.again ? WEFT__PASS : result;
	me->deadline_ns = deadline_ns;
	if (!ending.again)
		return finish(me, result);
	me->task.restarted = 1;
	return WEFT__AGAIN;
}
