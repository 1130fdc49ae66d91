/* The one signal handler that the kernel knows. */
#ifndef WEFT_KERNEL_HANDLER_H
#define WEFT_KERNEL_HANDLER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct weft__carrier;
struct weft__thread;

#define WEFT__HANDLER_STACK_BYTES ((size_t)64 * 1024)

/** The handler of whatever weft took over. */
void weft__on_kernel_signal(int signal, siginfo_t *info, void *ucontext);

/**
 * Where the kernel calls it on the kernel thread of a carrier, by its number: a stack of weft's own,
 * which it leaves before anything else runs. There is one for the first, number 0; the others' are made.
 *
 * @return 0, or -ENOMEM
 */
long weft__handler_stack(unsigned int number, stack_t *ret_stack);

/** Two carriers have swapped their kernel threads, which keep their stacks. */
void weft__handler_stacks_swap(unsigned int a, unsigned int b);

/**
 * Whether the caller, an errand say, is run by the handler: the mask of its kernel thread is then
 * what it goes back to.
 */
extern __thread bool weft__in_handler __attribute__((tls_model("initial-exec")));

/** Have the handler come to a carrier's kernel thread, to look at attention and errand. */
void weft__come_to(struct weft__carrier *carrier);

/**
 * Where weft may go on with a running task whose stack pointer is `sp`: below the red zone of its
 * own stack where there is room; else on one of weft's, or below what it has there already.
 *
 * @return the top, or 0 when there is no memory for it
 */
uintptr_t weft__stack_from(struct weft__thread *me, uintptr_t sp);

/** Free that stack of a thread's; 0 is none. */
void weft__spare_stack_free(uintptr_t stack);

#endif
