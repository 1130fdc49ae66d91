/*
 * WEFT_ITERATIVE=check: which static objects of the program are written by two connections at once.
 *
 * While copies of the main thread run, the program's static data cannot be written. Each write of a copy's
 * faults, is noted with the object that it is to, and made after all: with the page open for that one
 * instruction. Weft's own code, and the kernel in a call, find the pages open; what a call has read
 * into static data counts as written by who made it. So all calls are caught in this mode (catch.h):
 * there is none that weft does not see.
 */
#ifndef WEFT_STATICS_H
#define WEFT_STATICS_H

#include <signal.h>
#include <stdbool.h>

#include "call.h"
#include "signals.h"

/** Whether writes are looked for. */
extern bool weft__statics_on;

/** Begin: learn what static data the program has. */
void weft__statics_begin(void);

/** In a child, or asleep: the pages are open again. */
void weft__statics_end(void);

/** On the way into weft's code, and out of it: in code of a copy's, if it is one that goes on. */
void weft__statics_open(void);
void weft__statics_close(unsigned long copy);

/** A copy has ended: what it has written is no longer in use. */
void weft__statics_forget(unsigned long copy);

/** Whether a fault or a trap was a watched write; then the task goes on. Context: signal handler. */
bool weft__statics_fault(const siginfo_t *info, struct weft__ucontext *ucontext);

/** Any call: what its handler or the kernel answers, with open pages. */
weft__handler weft__statics_call;

#endif
