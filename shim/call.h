/*
 * A system call on its way through weft: what the entry stub saved of it, and what a handler may
 * answer. A handler speaks the kernel's language: six longs in, a result or -errno out. It never
 * touches errno.
 */
#ifndef WEFT_CALL_H
#define WEFT_CALL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "raw.h"
#include "scheduler.h"

/** One more than the highest system call number that can have a handler. */
#define WEFT__CALLS 512

/** A handler's result: let the kernel run the call as it is. */
#define WEFT__PASS LONG_MIN
/** A handler's result: let the kernel run it, and the task be nobody's until its child is done. */
#define WEFT__VFORK (LONG_MIN + 1)
/** What weft__attend() returns for: a signal came, the call starts over. */
#define WEFT__AGAIN (LONG_MIN + 2)

/** The frame that entry_x86_64.S builds on the caller's stack. It knows these offsets. */
struct weft__call {
	long nr;     /* rax */
	long arg[6]; /* rdi rsi rdx r10 r8 r9 */
	uint64_t rbx, rbp, r12, r13, r14, r15;
	uintptr_t native; /* the system call instruction in the stub; answered is 2 further on */
	uintptr_t sp;     /* the caller's */
	uintptr_t pc;     /* after the system call instruction in the caller's own text */
	unsigned char xmm[256];
	struct weft__fd *fd; /* of arg[0], once it is claimed (descriptor.h) */
	uintptr_t child_sp;  /* of a process that is made in this memory, like its mask (spawn.c) */
	uint64_t child_mask;
	uint64_t events; /* weft__fd_events() of fd before it was last asked */
};

typedef long weft__handler(struct weft__call *c);

/**
 * The handlers by number, from calls.def; NULL: the kernel's alone. Some are given up for others when
 * a filter denies what they do (call_seccomp.c).
 */
extern weft__handler *weft__handlers[WEFT__CALLS];

/** Where every patched site arrives (entry_x86_64.S). */
void weft__entry(void);

/**
 * Places in weft__entry. Before `save` all registers are still the caller's, but for those that a
 * system call destroys; from `inside` on the task is marked as in weft's code.
 */
extern const char weft__entry_save[], weft__entry_inside[];

/** Where the sites of the vDSO arrive: on to weft__entry, or back when the clock is no thread's. */
void weft__entry_clock(void);

/** Where a new task begins: as if its system call had just returned 0. */
void weft__entry_child(void *call) __attribute__((noreturn));

/**
 * Whether there is more to do on the way into weft's code and out of it than to mark the task: calls
 * are caught, or there are several carriers; and what that is.
 */
extern bool weft__careful;
void weft__entry_go_in(const struct weft__call *c);
void weft__entry_go_out(void);

/** For a thread that is no task: only futexes concern weft then. */
weft__handler weft__foreign_futex;

/** While true, the one thread there is makes the hub, and is no task yet (preload.c). */
extern bool weft__waking;

/** Its calls then: those that make what is weft's own are answered. */
weft__handler weft__waking_call;

/** Do what a task's `attention` asks for; the call's final result, or WEFT__AGAIN. */
long weft__attend(struct weft__call *c, long result);

/*
 * The program's memory, which may not be there. A bad pointer is -EFAULT: the fault handler
 * (fault.c) knows these functions' instructions.
 */

/** Copy n bytes; 0 or -EFAULT. */
long weft__copy(void *to, const void *from, size_t n);

/** Read a word; 0 or -EFAULT. A weft__load_word. */
long weft__load(uintptr_t address, uint32_t *value);

/** Replace a word if it is `expected`; 0 and what it was in *found, or -EFAULT. */
long weft__exchange(uintptr_t address, uint32_t expected, uint32_t desired, uint32_t *found);

#endif
