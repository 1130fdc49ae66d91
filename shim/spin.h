/*
 * Waiting without a call: whether a task that was stopped at some instruction only looks at memory,
 * again and again, until another changes it.
 */
#ifndef WEFT_SPIN_H
#define WEFT_SPIN_H

#include <stdbool.h>
#include <stdint.h>

/**
 * Whether the code at `pc` is a loop that waits: one that could go on for ever unless something else
 * changes what it reads, but for a counter.
 *
 * Context    the kernel's handler; what it found is kept, by pc
 */
bool weft__spins(uintptr_t pc);

/** Make sure that nothing has to be linked when it is called. Context: any but a signal handler. */
void weft__spins_begin(void);

#endif
