/* Children and the end of the process (call_process.c), as far as others need them. */
#ifndef WEFT_PROCESS_H
#define WEFT_PROCESS_H

#include "call.h"

/**
 * Run a fork(2)-like call, clone(2) or clone3(2), for the running task; returns twice, in the child
 * with weft asleep.
 *
 * @param stack_top  where the child's stack is to begin; 0: where the parent's is
 */
long weft__fork(struct weft__call *c, uintptr_t stack_top);

/**
 * Make a process that borrows the running task's memory until it execs or exits, and park until it
 * has.
 *
 * @param stack_top  where its stack begins; 0: where the task's is
 *
 * @return the call's result, in the task; WEFT__VFORK when the carrier has to wait
 */
long weft__spawn(struct weft__call *c, uintptr_t stack_top);

/** Set the running task aside for a child that borrows its memory, made by the carrier. */
void weft__vfork_begin(void);

#endif
