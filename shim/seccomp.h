/* System call filters (call_seccomp.c). */
#ifndef WEFT_SECCOMP_H
#define WEFT_SECCOMP_H

#include "call.h"

/** prctl(2) with PR_SET_SECCOMP. */
weft__handler weft__set_seccomp;

#endif
