/*
 * Signals: what the program has asked for, and whom a signal is for.
 *
 * The kernel knows one thread. The handler it calls is weft's (deliver.c); a signal for which the
 * program has a handler goes to a task that admits it, as the kernel would choose among threads,
 * and is handled in that task.
 */
#ifndef WEFT_SIGNALS_H
#define WEFT_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct weft__carrier;
struct weft__task;
struct weft__thread;

#define WEFT__SIGNALS 64

/** glibc keeps it for setuid(2) in all threads, of which the kernel sees one: weft's own. */
#define WEFT__SIGNAL_SETXID 33

#ifndef SS_AUTODISARM /* <linux/signal.h> does not go with <signal.h> */
#define SS_AUTODISARM (1U << 31)
#endif

/** What rt_sigaction(2) takes and gives. */
struct weft__action {
	uintptr_t handler; /* SIG_DFL, SIG_IGN or a function's address */
	unsigned long flags;
	uintptr_t restorer;
	uint64_t mask;
};

/** What rt_sigreturn(2) takes: the beginning of a ucontext_t, the kernel's part of it. */
struct weft__ucontext {
	unsigned long flags;
	struct weft__ucontext *link;
	stack_t stack;
	mcontext_t registers;
	uint64_t mask;
};

/** Take over the handlers that are installed, and the faults of weft's own accesses: 0, -errno. */
long weft__signals_begin(struct weft__thread *me);

/** Calls are to be caught from now on: take over the signal that they come by, and let it in. */
void weft__signals_catch(void);

/** Take over what is pending in the kernel for its one thread, and not for the process. */
void weft__signals_adopt(struct weft__thread *thread);

/** Give the kernel back what is pending for a thread: for exec(2). Its mask is the kernel's. */
void weft__signals_lend(struct weft__thread *thread);

/** Give the kernel the program's handlers and stack back: for a child after fork(2). */
void weft__signals_end(const struct weft__thread *me);

/** The program's action for a signal. */
const struct weft__action *weft__signal_action(int signal);

/** Change a signal's action (rt_sigaction(2)); 0 or what the kernel says. */
long weft__signal_set_action(int signal, const struct weft__action *action);

/** Have a signal come to weft whatever the program's action for it is. */
void weft__signal_claim(int signal);

/** Whether the program has a handler for it. */
bool weft__signal_handled(int signal);

/** Whether the kernel would drop it: SIG_IGN, or SIG_DFL and harmless (signal(7)). */
bool weft__signal_ignored(int signal);

/** Have the kernel do what it does without a handler: kill, stop or continue the process. */
void weft__signal_default(int signal);

/** Have the kernel kill the process by the fault that the running instruction repeats. */
void weft__signal_repeat_fault(int signal);

/** Whether a thread blocks a signal. */
bool weft__signal_blocked(const struct weft__thread *thread, int signal);

/** What goes with a signal that this process sends itself. */
siginfo_t weft__signal_from_self(int signal, int code);

/** Queue a signal for one thread (tgkill(2)): 0 or -EAGAIN. */
long weft__signal_send(struct weft__thread *thread, const siginfo_t *info);

/** Make sure that what a thread has pending and does not block is delivered soon. */
void weft__signals_check(struct weft__thread *thread);

/** Keep a signal until weft__signals_attend(). Context: the kernel's handler. */
void weft__signal_keep(const siginfo_t *info, struct weft__ucontext *ucontext);

/** Hand out the signals that were kept. Context: the carrier, in weft's code. */
void weft__signals_attend(struct weft__carrier *carrier);

/**
 * Whether the running task's `attention` is a signal that ends a wait of its own.
 *
 * Not so for one of another's that came while it ran, nor for a tick: the kernel would have told
 * others, or nobody, and a call that has done a part of its work would end with that part.
 *
 * Switches   no
 * Context    a task
 */
bool weft__signals_want(struct weft__task *task);

/** Whether a signal that a thread admits is pending for it. */
bool weft__signal_waits(const struct weft__thread *thread);

/**
 * The running task begins, or ends, a call that looks at descriptors: what is pending for it alone
 * shows in its signalfd(2) meanwhile.
 */
void weft__signalfd_watch(bool watches);

/** Show a signal, sent to a thread that blocks it, in that one's signalfd(2); false: it looks at none. */
bool weft__signalfd_show(const struct weft__thread *thread, const siginfo_t *info);

#endif
