/*
 * Signals: handlers run in tasks.
 *
 * The kernel knows one thread. The handler it calls is weft's; that one finds the task the signal
 * is for, as the kernel would among threads, and the program's handler runs in that task: at once
 * when it is the one running, else when it has its turn, its wait ended with -EINTR.
 */
#ifndef WEFT_SIGNALS_H
#define WEFT_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct weft__carrier;
struct weft__thread;

/** What rt_sigaction(2) takes and gives. */
struct weft__action {
	uintptr_t handler; /* SIG_DFL, SIG_IGN or a function's address */
	unsigned long flags;
	uintptr_t restorer;
	uint64_t mask;
};

/** Take over the handlers that are installed, and the faults of weft's own accesses. */
void weft__signals_begin(void);

/** Give the kernel the program's handlers back: for a child after fork(2). */
void weft__signals_end(void);

/** Change and report a signal's action (rt_sigaction(2)); 0 or what the kernel says. */
long weft__signal_action(int signal, const struct weft__action *action, struct weft__action *old);

/** What goes with a signal that this process sends itself. */
siginfo_t weft__signal_from_self(int signal, int code);

/** Queue a signal for one thread (tgkill(2)): 0 or -EAGAIN. */
long weft__signal_send(struct weft__thread *thread, const siginfo_t *info);

/** Make sure that what a thread has pending and does not block is delivered soon. */
void weft__signals_check(struct weft__thread *thread);

/** For the carrier: hand out the signals that came at a bad moment. */
void weft__signals_attend(struct weft__carrier *carrier);

#endif
