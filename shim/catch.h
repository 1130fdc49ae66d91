/*
 * The net for system calls whose sites weft could not patch (WEFT_CATCH=all), and the one place
 * where a task goes into weft's code and out of it.
 */
#ifndef WEFT_CATCH_H
#define WEFT_CATCH_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "call.h"
#include "crew.h"

struct weft__thread;
struct weft__ucontext;

/** What the kernel finds in the selector (<linux/prctl.h>): a call passes, or comes to weft. */
#define WEFT__SELECT_PASS 0
#define WEFT__SELECT_CATCH 1

/**
 * Whether the carrier's calls from outside of libweft-preload.so are weft's to answer. Only who
 * runs on the carrier writes it, entry_x86_64.S among others.
 */
extern volatile uint8_t weft__selector;

/** Whether calls are caught. The carrier's native calls are then made in entry_x86_64.S. */
extern bool weft__catching;

/** How much has been caught. */
struct weft__caught {
	uint64_t calls;
	unsigned int places; /* addresses they came from */
	bool places_full;    /* there are more than can be told apart */
};

extern struct weft__caught weft__caught;

/** Let the carrier's calls pass, or be caught, if any are. */
static inline void weft__select(uint8_t how)
{
	if (weft__unlikely(weft__catching))
		weft__selector = how;
}

/** The running task is in weft's code from here on. */
static inline void weft__go_inside(struct weft__task *me)
{
	me->inside = 1;
	weft__select(WEFT__SELECT_PASS);
	weft__lock();
}

/** The running task is in the program's code from here on, or in what returns to it. */
static inline void weft__go_outside(struct weft__task *me)
{
	weft__unlock();
	weft__select(WEFT__SELECT_CATCH);
	me->inside = 0;
}

/**
 * Have the kernel bring weft the calls of the calling thread.
 *
 * Context  the carrier before it has a hub, after weft__signals_begin()
 *
 * @return 0, or what the kernel says, -EINVAL before Linux 5.11
 */
long weft__catch_begin(void);

/** Be brought no more calls: when going to sleep, in a child after fork(2) above all. */
void weft__catch_end(void);

/**
 * Have the kernel run a clone(2) or clone3(2) whose child shares its parent's memory, where calls
 * are caught: the child could not come back by the way its parent does.
 *
 * @param stack_top  where the child's stack begins; 0: at its parent's
 *
 * @return the parent's result, or WEFT__PASS
 */
long weft__catch_clone(struct weft__call *c, uintptr_t stack_top);

/** entry_x86_64.S: its parent's part. The child finds where to go on below the top of its stack. */
long weft__clone_apart(struct weft__call *c);

/**
 * Take a SIGSYS that stands for a caught call: the thread goes on where the call is answered.
 *
 * Context  the kernel's handler
 *
 * @param me  the running task, or NULL
 *
 * @return false when the signal is something else
 */
bool weft__catch(struct weft__thread *me, const siginfo_t *info, struct weft__ucontext *ucontext);

#endif
