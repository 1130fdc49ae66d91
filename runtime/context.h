/*
 * Execution contexts: a stack with a place to go on, and the thread pointer that goes with it.
 *
 * A suspended context is one word, the address on its own stack under which its state lies; what
 * that state is, the implementation chosen at configure time knows (context_x86_64.S or
 * context_ucontext.c).
 */
#ifndef WEFT_CONTEXT_H
#define WEFT_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#include "raw.h"

struct weft__context {
	void *sp;          /* valid while suspended */
	uintptr_t fs_base; /* thread pointer; 0: it shares that of its carrier's thread */
#ifdef WEFT__SANITIZED
	void *stack_base;
	size_t stack_bytes;
	void *fake_stack;           /* AddressSanitizer's, while suspended */
	void *fiber;                /* ThreadSanitizer's */
	struct weft__context *left; /* who last switched to this one */
#endif
};

/**
 * Prepare a context that runs entry(arg) when it is first switched to. entry never returns.
 *
 * Switches   no
 * Ownership  the stack stays the caller's, and must outlive the context
 *
 * @param stack_base  lowest address of the stack
 */
WEFT__SHARED void weft__context_make(struct weft__context *context, void *stack_base,
				     size_t stack_bytes, void (*entry)(void *arg), void *arg,
				     uintptr_t fs_base);

/**
 * Suspend the running context into `from`, go on in `to`.
 *
 * Keeps what the System V ABI says a call keeps: rbx, rbp, r12-r15, rsp, mxcsr's and the x87
 * unit's control bits. The signal mask is not a context's.
 */
static inline void weft__context_switch(struct weft__context *from, struct weft__context *to);

/** weft__context_switch(), as a function, for who is not of the runtime. */
WEFT__SHARED void weft__context_visit(struct weft__context *from, struct weft__context *to);

/** As weft__context_switch(), for a context that never goes on. */
WEFT__SHARED void weft__context_leave(struct weft__context *from, struct weft__context *to)
	__attribute__((noreturn));

/** Free what tools keep for a context that has left or was never run. */
WEFT__SHARED void weft__context_drop(struct weft__context *context);

/* The implementation: */

#ifdef WEFT__SANITIZED
/** Tell the tools that `from` is left, and later that it runs again. */
void weft__context_leaving(struct weft__context *from, struct weft__context *to);
void weft__context_arrived(struct weft__context *context);
#else
static inline void weft__context_leaving(struct weft__context *from, struct weft__context *to)
{
	(void)from;
	(void)to;
}

static inline void weft__context_arrived(struct weft__context *context)
{
	(void)context;
}
#endif

/** Lay out the first state of a stack that grows down from `top`; returns its sp. */
void *weft__context_prepare(void *top, void (*entry)(void *arg), void *arg);

/** Save the state under *save_sp, load that under load_sp; a fs_base of 0 is left alone. */
void weft__context_swap(void **save_sp, void *load_sp, uintptr_t fs_base);

static inline void weft__context_switch(struct weft__context *from, struct weft__context *to)
{
	weft__context_leaving(from, to);
	weft__context_swap(&from->sp, to->sp, to->fs_base);
	weft__context_arrived(from);
}

#endif
