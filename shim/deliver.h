/*
 * The delivery of signals to the running task: the program's handlers are called here.
 */
#ifndef WEFT_DELIVER_H
#define WEFT_DELIVER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct weft__action;
struct weft__call;
struct weft__thread;
struct weft__ucontext;

/** A call that has come to its end, when handlers run. The first of them decides about it. */
struct weft__ending {
	const struct weft__call *call;
	long result;
	bool decided, again; /* again: it starts over */
};

/** Whether a stack pointer is on a thread's alternate stack, and that is in use. */
bool weft__on_altstack(const struct weft__thread *thread, uintptr_t sp);

/** The top of the stack an action asks for; 0 when its handler runs where the task is. */
uintptr_t weft__altstack_for(const struct weft__thread *me, const struct weft__action *action,
			     uintptr_t sp);

/**
 * Run the program's handler in the running task.
 *
 * Switches   as the handler does; in a child of a fork(2) by the handler the task is nobody
 *
 * @param ucontext  the state that the handler interrupts, and may change
 */
void weft__run_handler(siginfo_t *info, struct weft__ucontext *ucontext);

/**
 * Run the handlers of all that is pending and admitted.
 *
 * @param ending  the call that they interrupt, or NULL
 */
void weft__deliver_pending(struct weft__ucontext *ucontext, struct weft__ending *ending);

/** entry_x86_64.S: handler(signal, info, ucontext), on another stack unless stack_top is 0. */
void weft__call_handler(uintptr_t handler, int signal, siginfo_t *info,
			struct weft__ucontext *ucontext, uintptr_t stack_top);

#endif
