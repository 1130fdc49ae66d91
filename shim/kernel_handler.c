/*
 * See kernel_handler.h. What comes, and where the running task goes on if it is in its own code:
 *
 *   a signal for it       deliver(): its handlers run
 *   a fault of its own    deliver_fault(): this one's handler runs, then the others
 *   one for another, or   make_way(): the others have their turn
 *   a tick of the timer
 *
 * A task that is in weft's code finds what has come when it leaves that (deliver.c).
 *
 * The kernel's handler never runs anything of the program's: it moves the frame that the kernel
 * made to where the program's handler would have had it, on the task's own stack or its alternate
 * one, and has the kernel go on there. What follows is ordinary code of the running task, which
 * may park, be preempted or leave by siglongjmp(3), and ends like a handler, by rt_sigreturn(2).
 */
#include "kernel_handler.h"

#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "catch.h"
#include "deliver.h"
#include "denied.h"
#include "mask.h"
#include "offload.h"
#include "patch.h"
#include "preempt.h"
#include "shim.h"
#include "signals.h"
#include "statics.h"
#include "thread.h"

#define RED_ZONE 128U
#define BY_SECCOMP 1              /* SYS_SECCOMP, which <signal.h> lacks */
#define DIRECTION_AND_TRAP 0x500U /* rflags that a handler starts without */

/* The kernel's extended FPU state says its size in bytes the hardware leaves alone (sigframe). */
#define FP_BYTES 512U
#define FP_MAGIC_AT 464U
#define FP_MAGIC 0x46505853U

#define SPARE_STACK_BYTES ((size_t)32 * 1024)

/* entry_x86_64.S */
void weft__restorer(void);
extern const char weft__guarded[], weft__guarded_end[], weft__guarded_fault[];

/* What rt_sigreturn(2) finds at the stack pointer, and deliver() and its kin are given. */
struct frame {
	void (*restorer)(void);
	struct weft__ucontext ucontext; /* the kernel wants it here */
	siginfo_t info;
};

__thread bool weft__in_handler __attribute__((tls_model("initial-exec")));

static char first_stack[WEFT__HANDLER_STACK_BYTES] __attribute__((aligned(64)));
static char *stacks[WEFT__MOST_CARRIERS] = {first_stack};

long weft__handler_stack(unsigned int number, stack_t *ret_stack)
{
	long stack = (long)stacks[number];

	if (stack == 0)
		stack = weft__raw(SYS_mmap, NULL, WEFT__HANDLER_STACK_BYTES, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (weft__failed(stack))
		return stack;
	stacks[number] = (char *)stack;
	*ret_stack = (stack_t){.ss_sp = stacks[number], .ss_size = WEFT__HANDLER_STACK_BYTES};
	return 0;
}

void weft__handler_stacks_swap(unsigned int a, unsigned int b)
{
	char *stack = stacks[a];

	stacks[a] = stacks[b];
	stacks[b] = stack;
}

/* What is not told now comes with the end of a task's next call. */
void weft__come_to(struct weft__carrier *carrier)
{
	siginfo_t info = weft__signal_from_self(WEFT__SIGNAL_SETXID, SI_QUEUE);

	if (weft__denied[SYS_rt_tgsigqueueinfo] || weft__denied[SYS_rt_sigreturn])
		return;
	info.si_value.sival_ptr = &weft__process;
	weft__raw(SYS_rt_tgsigqueueinfo, info.si_pid, carrier->kernel_thread, info.si_signo, &info);
}

/* The end of what begins below: the kernel takes the frame, and its thread's mask with it. */
static void go_back(struct weft__thread *me, struct weft__ucontext *ucontext)
{
	weft__handler_stack(me->task.carrier->number, &ucontext->stack);
	ucontext->mask = weft__mask_returning();
	weft__go_outside(&me->task);
}

/* Whether a call that weft answers has begun, but the task is not yet marked as in weft's code. */
static bool is_entering(const struct weft__ucontext *ucontext)
{
	uintptr_t pc = (uintptr_t)ucontext->registers.gregs[REG_RIP];

	return pc >= (uintptr_t)weft__entry_save && pc < (uintptr_t)weft__entry_inside;
}

/*
 * Where a task is that was stopped on the way to a call, in the program's own terms: at the call.
 * A handler may go by that (deliver.c), and an unwinder knows nothing of stubs.
 */
static greg_t pc_in_program(const greg_t *reg)
{
	uintptr_t pc = (uintptr_t)reg[REG_RIP];

	if (pc >= (uintptr_t)weft__entry && pc < (uintptr_t)weft__entry_save)
		pc = (uintptr_t)reg[REG_RCX];
	return (greg_t)weft__original_pc(pc);
}

/* Run what is due for the interrupted task, then leave all as rt_sigreturn(2) wants it. */
static void deliver_all(struct frame *frame)
{
	struct weft__thread *me;

	for (;;) {
		weft__mask_open();
		weft__deliver_pending(&frame->ucontext, NULL);
		me = weft__thread_here();
		if (me == NULL)
			return;
		weft__mask_close();
		if (!me->task.attention)
			break;
	}
	go_back(me, &frame->ucontext);
}

/* As deliver_all(); the handlers see the task where the program knows it. */
static void deliver_shown(struct frame *frame, bool fault)
{
	greg_t *pc = &frame->ucontext.registers.gregs[REG_RIP];
	greg_t real = *pc, shown = pc_in_program(frame->ucontext.registers.gregs);

	*pc = shown;
	if (fault) {
		weft__mask_open();
		weft__run_handler(&frame->info, &frame->ucontext);
	}
	if (weft__current != NULL)
		deliver_all(frame);
	if (*pc == shown)
		*pc = real;
}

/*
 * Where the kernel's handler has the running task go on: in one of these three, in weft's code, all
 * signals blocked. They return into weft__restorer.
 */
static void deliver(struct frame *frame)
{
	deliver_shown(frame, false);
}

static void deliver_fault(struct frame *frame)
{
	deliver_shown(frame, true);
}

/* Handlers are not for this stack: what has come for this task meanwhile finds it on its own. */
static void make_way(struct frame *frame)
{
	struct weft__thread *me = weft__thread_here();

	weft__mask_open();
	weft__preempt_make_way(me);
	me->task.attention = 0;
	weft__signals_check(me);
	weft__mask_close();
	if (me->task.attention) /* when the task is back on its own stack */
		weft__come_to(me->task.carrier);
	go_back(me, &frame->ucontext);
}

static size_t fp_bytes(const void *fp)
{
	uint32_t words[2];

	if (fp == NULL)
		return 0;
	memcpy(words, (const char *)fp + FP_MAGIC_AT, sizeof(words));
	return words[0] == FP_MAGIC ? words[1] : FP_BYTES;
}

uintptr_t weft__stack_from(struct weft__thread *me, uintptr_t sp)
{
	long stack;

	if ((sp < me->stack_top && sp > me->stack + SPARE_STACK_BYTES) ||
	    sp - me->spare_stack <= SPARE_STACK_BYTES)
		return sp - RED_ZONE;
	if (me->spare_stack == 0) {
		stack = weft__raw(SYS_mmap, NULL, SPARE_STACK_BYTES, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (weft__failed(stack))
			return 0;
		me->spare_stack = (uintptr_t)stack;
	}
	return me->spare_stack + SPARE_STACK_BYTES;
}

void weft__spare_stack_free(uintptr_t stack)
{
	if (stack != 0)
		weft__raw(SYS_munmap, stack, SPARE_STACK_BYTES);
}

/*
 * Have the kernel go on elsewhere when weft's handler returns, on a copy of its frame
 * below `top`. False when there is no room for it.
 */
static bool redirect(struct weft__thread *me, struct weft__ucontext *ucontext,
		     const siginfo_t *info, void (*where)(struct frame *frame), uintptr_t top)
{
	greg_t *reg = ucontext->registers.gregs;
	void *fp = ucontext->registers.fpregs;
	uintptr_t fp_at = (top - fp_bytes(fp)) & ~(uintptr_t)63;
	uintptr_t at = ((fp_at - sizeof(struct frame)) & ~(uintptr_t)15) - sizeof(void *);
	struct frame frame = {weft__restorer, *ucontext, *info};

	if (fp != NULL) {
		if (weft__copy((void *)fp_at, fp, fp_bytes(fp)) != 0)
			return false;
		frame.ucontext.registers.fpregs = (fpregset_t)fp_at;
	}
	if (weft__copy((void *)at, &frame, sizeof(frame)) != 0)
		return false;
	reg[REG_RIP] = (greg_t)(uintptr_t)where;
	reg[REG_RSP] = (greg_t)at;
	reg[REG_RDI] = (greg_t)at;
	reg[REG_EFL] &= ~(greg_t)DIRECTION_AND_TRAP;
	ucontext->registers.fpregs = NULL; /* it starts with that of a new program */
	ucontext->mask = weft__mask_in_handler();
	weft__go_inside(&me->task);
	return true;
}

static void deliver_soon(struct weft__thread *me, struct weft__ucontext *ucontext,
			 const siginfo_t *info, void (*where)(struct frame *frame))
{
	uintptr_t sp = (uintptr_t)ucontext->registers.gregs[REG_RSP];
	uintptr_t top = weft__altstack_for(me, weft__signal_action(info->si_signo), sp);

	if (!redirect(me, ucontext, info, where, top != 0 ? top : sp - RED_ZONE))
		weft__signal_default(SIGSEGV); /* as the kernel does with nowhere to put it */
}

/* Not a task: what the handler does with the stack and the mask is the kernel's affair. */
static void call_at_once(siginfo_t *info, struct weft__ucontext *ucontext)
{
	weft__call_handler(weft__signal_action(info->si_signo)->handler, info->si_signo, info,
			   ucontext, 0);
}

/* Let the others have their turn, unless there is no memory for it. */
static void make_way_soon(struct weft__thread *me, struct weft__ucontext *ucontext,
			  const siginfo_t *info)
{
	uintptr_t top = weft__stack_from(me, (uintptr_t)ucontext->registers.gregs[REG_RSP]);

	if (top != 0)
		redirect(me, ucontext, info, make_way, top);
}

/* A filter has trapped a call, and its handler gives the result; it is not made again. */
static bool handle_trap(struct weft__thread *me, siginfo_t *info, struct weft__ucontext *ucontext)
{
	if (!weft__signal_handled(SIGSYS) || (me != NULL && weft__signal_blocked(me, SIGSYS)))
		weft__signal_default(SIGSYS);
	else if (me == NULL || me->task.inside)
		call_at_once(info, ucontext);
	else
		deliver_soon(me, ucontext, info, deliver_fault);
	return true;
}

/*
 * A fault of weft's own guarded access, which goes on behind it. Nothing else is touched: it may be
 * this handler's access, and the lock that it has is not to be taken, and given back, once more.
 */
static bool handle_guarded(const siginfo_t *info, struct weft__ucontext *ucontext)
{
	greg_t *pc = &ucontext->registers.gregs[REG_RIP];

	if ((info->si_signo != SIGSEGV && info->si_signo != SIGBUS) || info->si_code <= 0 ||
	    *pc < (greg_t)(uintptr_t)weft__guarded || *pc >= (greg_t)(uintptr_t)weft__guarded_end)
		return false;
	*pc = (greg_t)(uintptr_t)weft__guarded_fault;
	return true;
}

/* A fault of the program's running instruction. */
static bool handle_fault(struct weft__thread *me, siginfo_t *info, struct weft__ucontext *ucontext)
{
	int signal = info->si_signo;

	if (info->si_code <= 0)
		return false; /* sent by somebody */
	if (signal == SIGSYS && info->si_code == BY_SECCOMP)
		return handle_trap(me, info, ucontext);
	if (signal != SIGSEGV && signal != SIGBUS && signal != SIGFPE && signal != SIGILL &&
	    signal != SIGTRAP)
		return false;
	if (weft__signal_handled(signal) && (me == NULL || me->task.inside))
		call_at_once(info, ucontext);
	else if (weft__signal_handled(signal) && !weft__signal_blocked(me, signal))
		deliver_soon(me, ucontext, info, deliver_fault);
	else if (info->si_code == SI_KERNEL) /* not of an instruction that would run again */
		weft__signal_default(signal);
	else if (weft__denied[SYS_rt_sigaction]) /* of one that is blocked the process dies */
		ucontext->mask |= weft__signal_bit(signal);
	else
		weft__signal_repeat_fault(signal);
	return true;
}

/* What another carrier wants done: maybe to the mask, which the kernel takes from here. */
static void do_errand(struct weft__ucontext *ucontext)
{
	bool before = weft__in_handler;

	weft__in_handler = true;
	weft__crew_do_errand(weft__carrier_here());
	weft__in_handler = before;
	ucontext->mask = weft__mask_returning();
}

/* Take the lock, on the way into the program's code again. */
static void lock_in_handler(struct weft__ucontext *ucontext)
{
	if (!weft__parallel)
		return;
	weft__in_handler = true;
	weft__crew_lock();
	weft__in_handler = false;
	ucontext->mask = weft__mask_returning();
}

/* Weft's own uses of a signal that the program cannot have; true when it is one of them. */
static bool handle_own(struct weft__thread *me, siginfo_t *info, struct weft__ucontext *ucontext)
{
	if (info->si_signo != WEFT__SIGNAL_SETXID || info->si_value.sival_ptr != &weft__process ||
	    (info->si_code != SI_TIMER && info->si_code != SI_QUEUE))
		return false;
	if (info->si_code == SI_TIMER) {
		if (weft__preempt_tick(me, info, ucontext))
			make_way_soon(me, ucontext, info);
	} else {
		if (weft__parallel && weft__carrier_here() != NULL)
			do_errand(ucontext);
		if (me != NULL && !me->task.inside && me->task.attention && !is_entering(ucontext))
			deliver_soon(me, ucontext, info, deliver);
	}
	return true;
}

/*
 * The task to which the kernel's handler came, or NULL. The hub is no task, though it looks like one
 * while libc begins it as a thread: it must not be made to switch, for nobody would come back to it.
 */
static struct weft__thread *interrupted(void)
{
	struct weft__thread *me = weft__thread_here();

	return me == NULL || me->is_hub ? NULL : me;
}

static void handle_signal(struct weft__thread *me, siginfo_t *info, struct weft__ucontext *ucontext)
{
	int signal = info->si_signo;

	if (handle_fault(me, info, ucontext) || weft__offload_stop(info, (void *)ucontext) ||
	    handle_own(me, info, ucontext))
		return;
	if (weft__current == NULL && weft__hub_of == NULL) {
		/* Not a task, nor the hub: a child of vfork(2), a thread weft does not know. */
		if (weft__signal_handled(signal))
			call_at_once(info, ucontext);
		else
			weft__signal_default(signal);
		return;
	}
	weft__signal_keep(info, ucontext);
	if (me == NULL || me->task.inside || is_entering(ucontext))
		return;
	/* Another's handler has no business on this task's stack, which may be a small one. */
	if (!weft__signal_blocked(me, signal) && weft__thread_admitting(signal) == me)
		deliver_soon(me, ucontext, info, deliver);
	else
		make_way_soon(me, ucontext, info);
}

void weft__on_kernel_signal(int signal, siginfo_t *info, void *ucontext)
{
	struct weft__thread *me = interrupted();
	uint8_t before;

	if (handle_guarded(info, ucontext) ||
	    (weft__unlikely(weft__statics_on) && weft__statics_fault(info, ucontext)))
		return;
	if (signal == SIGSYS && weft__catch(weft__thread_here(), info, ucontext))
		return;
	if (me == NULL || me->task.inside) {
		handle_signal(me, info, ucontext);
		return;
	}
	/* The handler is weft's code, in the middle of the program's, or of the handler itself. */
	before = weft__selector;
	weft__select(WEFT__SELECT_PASS);
	lock_in_handler(ucontext);
	handle_signal(me, info, ucontext);
	if (!me->task.inside) {
		weft__unlock();
		weft__select(before);
	}
}
