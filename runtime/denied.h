/*
 * What the kernel no longer lets this process do: system calls that a filter of its own denies
 * (seccomp(2)), with an error or by killing who makes them. Weft does not make those.
 */
#ifndef WEFT_DENIED_H
#define WEFT_DENIED_H

#include <stdbool.h>

#include "raw.h"

/** One more than the highest system call number that can be in the list. */
#define WEFT__DENIABLE 512

/** By number: not to be made. Filters are for good, so nothing is ever taken out. */
extern WEFT__SHARED bool weft__denied[WEFT__DENIABLE];

#endif
