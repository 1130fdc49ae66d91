/* What others need of call_futex.c. */
#ifndef WEFT_FUTEX_H
#define WEFT_FUTEX_H

#include <stdbool.h>

#include "call.h"

/** Wake waiters of a word, wherever they are, as FUTEX_WAKE does. */
void weft__futex_wake(uintptr_t word, int most);

/** Whether a call goes on after any signal's handler, SA_RESTART or not. */
bool weft__futex_always_restarts(const struct weft__call *c);

#endif
