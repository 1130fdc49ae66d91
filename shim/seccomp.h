/* System call filters (call_seccomp.c). */
#ifndef WEFT_SECCOMP_H
#define WEFT_SECCOMP_H

#include "call.h"

/** Whether the filters that are there let weft wake up: in a child after fork(2). */
bool weft__may_wake(void);

/** prctl(2) with PR_SET_SECCOMP. */
weft__handler weft__set_seccomp;

#endif
