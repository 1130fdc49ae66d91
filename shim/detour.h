/*
 * Ways round the calls that a filter denies (denied.h): which calls weft makes, which handlers depend
 * on them, and what those are given up for. It is then the program's own call, as it is, made by an
 * offload thread.
 */
#ifndef WEFT_DETOUR_H
#define WEFT_DETOUR_H

#include "call.h"
#include "denied.h"

/** Add what a filter, the program of seccomp(2) at this address, would deny of weft's calls. */
void weft__detour_ask(uintptr_t at, bool denied[WEFT__CALLS]);

/**
 * Give up the handlers that could not do their work where these calls are denied; whether there
 * were any.
 *
 * @param waits  whether descriptors can be waited for
 */
bool weft__detour_take(bool waits);

/** Name the denied calls whose loss can be felt, as many as fit; none is "". */
void weft__detour_name(char *names, size_t bytes);

/** Whether the filters that are there let weft wake up: in a child after fork(2). */
bool weft__detour_may_wake(void);

#endif
