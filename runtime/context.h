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

/** What a context runs that ends by returning: who goes on. */
typedef struct weft__context *weft__ending_entry(void *arg);

/**
 * Prepare a context as weft__context_make() does, which shares its thread's pointer and leaves when
 * entry(arg) returns. A processor that has predicted returns by the calls before goes on doing so.
 */
void weft__context_make_ending(struct weft__context *context, void *stack_base, size_t stack_bytes,
			       weft__ending_entry *entry, void *arg);

/** What a context that is passed values runs; it never returns. */
typedef void weft__passed_entry(void *arg, void *value, int error);

/**
 * Prepare a context that shares its thread's pointer, and runs entry(arg, value, error) with what
 * weft__context_pass() first gives it. Its first act is to call weft__context_begun().
 *
 * Switches   no
 * Ownership  as with weft__context_make()
 */
void weft__context_make_passed(struct weft__context *context, void *stack_base, size_t stack_bytes,
			       weft__passed_entry *entry, void *arg);

/**
 * As weft__context_switch(), between two contexts of one thread pointer, and give the other a value
 * and an error.
 *
 * @param ret_value  where the value goes that the running one is given; unless it gets an error,
 *                   or this is NULL
 *
 * @return the error that the running one is given
 */
static inline int weft__context_pass(struct weft__context *from, struct weft__context *to,
				     void *value, void **ret_value, int error);

/** As weft__context_pass(), for a context that never goes on. */
void weft__context_pass_last(struct weft__context *from, struct weft__context *to, void *value,
			     int error) __attribute__((noreturn));

/** weft__context_switch(), as a function, for who is not of the runtime. */
WEFT__SHARED void weft__context_visit(struct weft__context *from, struct weft__context *to);

/** As weft__context_switch(), for a context that never goes on. */
WEFT__SHARED void weft__context_leave(struct weft__context *from, struct weft__context *to)
	__attribute__((noreturn));

/** Free what tools keep for a context that has left or was never run. */
WEFT__SHARED void weft__context_drop(struct weft__context *context);

/* The implementation: */

#ifdef WEFT__SANITIZED
/** Tell the tools that `from` is left, and later that it runs again; or runs for the first time. */
void weft__context_leaving(struct weft__context *from, struct weft__context *to);
void weft__context_arrived(struct weft__context *context);
void weft__context_begun(struct weft__context *context);
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

static inline void weft__context_begun(struct weft__context *context)
{
	(void)context;
}
#endif

/** Lay out the first state of a stack that grows down from `top`; returns its sp. */
void *weft__context_prepare(void *top, void (*entry)(void *arg), void *arg);

/** The same for one that leaves when its entry returns. */
void *weft__context_prepare_ending(void *top, weft__ending_entry *entry, void *arg);

/** The same for one that is passed to. A state of either kind is gone on with by its own way only. */
void *weft__context_prepare_passed(void *top, weft__passed_entry *entry, void *arg);

/** Save the state under *save_sp, load that under load_sp; a fs_base of 0 is left alone. */
void weft__context_swap(void **save_sp, void *load_sp, uintptr_t fs_base);

static inline void weft__context_switch(struct weft__context *from, struct weft__context *to)
{
	weft__context_leaving(from, to);
	weft__context_swap(&from->sp, to->sp, to->fs_base);
	weft__context_arrived(from);
}

/** Save the state under *save_sp, load that under load_sp, with a value and an error for it. */
int weft__context_swap_passing(void **save_sp, void *load_sp, void *value, void **ret_value,
			       int error);

static inline int weft__context_pass(struct weft__context *from, struct weft__context *to,
				     void *value, void **ret_value, int error)
{
#ifdef WEFT__SANITIZED
	weft__context_leaving(from, to);
	error = weft__context_swap_passing(&from->sp, to->sp, value, ret_value, error);
	weft__context_arrived(from);
	return error;
#else
	return weft__context_swap_passing(&from->sp, to->sp, value, ret_value, error);
#endif
}

#endif
