/*
 * See catch.h. Code that is made at run time, code without unwind information, a `syscall` with no
 * room for a jump: what weft cannot patch, the kernel can stop (Syscall User Dispatch, Linux 5.11).
 * It answers each system call of the carrier with a SIGSYS, except
 *
 *   from the text of libweft-preload.so   weft's raw calls, the entry's native ones, and the end of
 *                                         its signal handlers
 *   while weft__selector says so          the running task is in weft's code, or the hub runs
 *
 * The handler does not answer the call: it makes the frame that the entry would have, had the
 * `syscall` instruction been a jump to a stub, and the thread goes on from there. So whatever a
 * patched site can do, a caught one can: park, start over, fork, end the thread.
 *
 * The frame goes on a stack of weft's where the program's may be a small one: runtimes that make
 * their calls themselves (Go) leave few bytes below.
 *
 * The kernel turns it off in children and new programs. The carrier's mask never has SIGSYS in it
 * (mask.c): a call that could not be brought to weft would end the process. Calls of kernel threads
 * that are no carrier are not caught: their futexes show where a patched libc makes them.
 *
 * With WEFT_CATCH=only nothing is patched, and libc's own calls come this way too: to try it with
 * every call there is. So it is where libc's text may not be changed.
 *
 * To a program that wants the same for itself, prctl(2) says what kernels before 5.11 say, EINVAL
 * (call_thread.c): a kernel thread has one selector, and it would be taken from all tasks.
 */
#include "catch.h"

#include <errno.h>
#include <linux/audit.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <ucontext.h>

#include "deliver.h"
#include "kernel_handler.h"
#include "mask.h"
#include "object.h"
#include "process.h"
#include "shim.h"
#include "signals.h"
#include "statics.h"
#include "thread.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_OFF 0
#define PR_SYS_DISPATCH_ON 1
#endif
#ifndef SYS_USER_DISPATCH
#define SYS_USER_DISPATCH 2 /* the si_code; 1 is that of seccomp(2) */
#endif

#define SYSCALL_BYTES 2 /* `int $0x80` has as many */
#define RED_ZONE 128U
#define PLACES 4096 /* a power of 2 */

volatile uint8_t weft__selector;
bool weft__catching;
struct weft__caught weft__caught;

static long catcher; /* the carrier's id in the kernel */
static uintptr_t places[PLACES];

/* entry_x86_64.S: rsp is the frame, r11 the handler; or rcx the site, the kernel answers. */
void weft__entry_caught(void);
void weft__entry_native(void);
void weft__entry_int80(void);
weft__handler weft__caught_fork;

/* The file header of this library, where it is mapped (ld(1)). */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

/* The text of this library, from which calls go to the kernel. */
static struct weft__text own_text(void)
{
	const char *base = (const char *)&__ehdr_start;
	struct dl_phdr_info info = {.dlpi_addr = (uintptr_t)base,
				    .dlpi_phdr = (const void *)(base + __ehdr_start.e_phoff),
				    .dlpi_phnum = __ehdr_start.e_phnum};
	struct weft__text text = {0, 0};
	struct weft__object object;

	weft__object_learn(&object, &info);
	weft__object_next_text(&object, &text);
	return text;
}

long weft__catch_begin(void)
{
	struct weft__text own = own_text();
	long err;

	memset(places, 0, sizeof(places));
	weft__caught = (struct weft__caught){.calls = 0};
	catcher = weft__raw(SYS_gettid);
	weft__selector = WEFT__SELECT_CATCH;
	weft__catching = weft__careful = true;
	err = weft__raw(SYS_prctl, PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, own.start,
			own.end - own.start, &weft__selector);
	weft__catching = weft__careful = err == 0;
	return err;
}

void weft__catch_end(void)
{
	/* In a child it is off; and a filter of the program's may kill who calls prctl(2) there. */
	if (weft__catching && weft__raw(SYS_gettid) == catcher)
		weft__raw(SYS_prctl, PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0);
	weft__catching = weft__careful = false;
}

/* Note where a call comes from: a hash table with open addressing, never full. */
static void count_call(uintptr_t site)
{
	size_t i = site * 2654435769U / 64 % PLACES;

	weft__caught.calls++;
	while (places[i] != 0 && places[i] != site)
		i = (i + 1) % PLACES;
	if (places[i] == site)
		return;
	if (weft__caught.places == PLACES / 4 * 3) {
		weft__caught.places_full = true;
		return;
	}
	places[i] = site;
	weft__caught.places++;
}

long weft__caught_fork(struct weft__call *c)
{
	struct weft__call as_clone = *c;

	as_clone.nr = SYS_clone;
	as_clone.arg[0] = SIGCHLD;
	as_clone.arg[1] = as_clone.arg[2] = as_clone.arg[3] = 0;
	return weft__fork(&as_clone, 0);
}

long weft__catch_clone(struct weft__call *c, uintptr_t stack_top)
{
	uintptr_t way_back = c->native + SYSCALL_BYTES;

	if (!weft__catching || stack_top == 0 ||
	    weft__copy((void *)(stack_top - sizeof(way_back)), &way_back, sizeof(way_back)) != 0)
		return WEFT__PASS;
	return weft__clone_apart(c);
}

/*
 * A program that builds such frames, or keeps them: weft's own handlers return elsewhere. The mask
 * and the alternate stack in it are the task's; the kernel thread keeps what it has.
 */
static long on_caught_sigreturn(struct weft__call *c)
{
	struct weft__thread *me = weft__thread_here();
	struct weft__ucontext *frame = (struct weft__ucontext *)c->sp, before;

	if (weft__copy(&before, frame, sizeof(before)) != 0)
		return WEFT__PASS;
	weft__mask_set(me, before.mask);
	me->altstack = before.stack;
	before.mask = weft__mask_common();
	weft__handler_stack(0, &before.stack);
	weft__copy(frame, &before, sizeof(before));
	weft__signals_check(me);
	return WEFT__PASS;
}

static weft__handler *handler_of(long nr)
{
	if (weft__waking)
		return weft__waking_call;
	if (weft__unlikely(weft__statics_on) && nr != SYS_fork && nr != SYS_rt_sigreturn)
		return weft__statics_call;
	switch (nr) {
	case SYS_fork:
		return weft__caught_fork;
	case SYS_rt_sigreturn:
		return on_caught_sigreturn;
	default:
		return nr >= 0 && nr < WEFT__CALLS ? weft__handlers[nr] : NULL;
	}
}

/* Numbers and arguments of 32-bit programs: they are the kernel's. */
static void pass_int80(greg_t *reg)
{
	greg_t way_back = reg[REG_RIP] + SYSCALL_BYTES;
	uintptr_t at = (uintptr_t)reg[REG_RSP] - RED_ZONE - sizeof(way_back);

	weft__copy((void *)at, &way_back, sizeof(way_back));
	reg[REG_RSP] = (greg_t)at;
	reg[REG_RIP] = (greg_t)(uintptr_t)weft__entry_int80;
}

static uintptr_t stack_for(struct weft__thread *me, uintptr_t sp)
{
	uintptr_t top = 0;

	/* A handler on the alternate stack may be interrupted in the call by another. */
	if (me != NULL && !weft__on_altstack(me, sp))
		top = weft__stack_from(me, sp);
	return top != 0 ? top : sp - RED_ZONE;
}

/* Go on in the entry, as in the middle of weft__entry; false when there is no stack for that. */
static bool begin_call(struct weft__thread *me, struct weft__ucontext *ucontext,
		       weft__handler *handler)
{
	greg_t *reg = ucontext->registers.gregs;
	uintptr_t site = (uintptr_t)reg[REG_RIP], sp = (uintptr_t)reg[REG_RSP];
	uintptr_t at = (stack_for(me, sp) - sizeof(struct weft__call)) & ~(uintptr_t)15;
	struct weft__call call = {
		.nr = reg[REG_RAX],
		.arg = {reg[REG_RDI], reg[REG_RSI], reg[REG_RDX], reg[REG_R10], reg[REG_R8],
			reg[REG_R9]},
		.rbx = (uint64_t)reg[REG_RBX],
		.rbp = (uint64_t)reg[REG_RBP],
		.r12 = (uint64_t)reg[REG_R12],
		.r13 = (uint64_t)reg[REG_R13],
		.r14 = (uint64_t)reg[REG_R14],
		.r15 = (uint64_t)reg[REG_R15],
		.native = site,
		.sp = sp,
		.pc = site + SYSCALL_BYTES,
	};

	memcpy(call.xmm, ucontext->registers.fpregs->_xmm, sizeof(call.xmm));
	if (weft__copy((void *)at, &call, sizeof(call)) != 0)
		return false;
	reg[REG_RSP] = (greg_t)at;
	reg[REG_R11] = (greg_t)(uintptr_t)handler;
	reg[REG_RIP] = (greg_t)(uintptr_t)weft__entry_caught;
	return true;
}

bool weft__catch(struct weft__thread *me, const siginfo_t *info, struct weft__ucontext *ucontext)
{
	greg_t *reg = ucontext->registers.gregs;
	weft__handler *handler;

	if (info->si_code != SYS_USER_DISPATCH || !weft__catching ||
	    (me == NULL && weft__raw(SYS_gettid) != catcher))
		return false;
	reg[REG_RIP] -= SYSCALL_BYTES;
	/*
	 * Of nobody, as by a handler right after a vfork(2), or of a task in weft's code. It is made
	 * where it stands, and so are others until a task leaves weft's code.
	 */
	if (me == NULL ? !weft__waking : me->task.inside) {
		weft__selector = WEFT__SELECT_PASS;
		return true;
	}
	count_call((uintptr_t)reg[REG_RIP]);
	if (info->si_arch != AUDIT_ARCH_X86_64) {
		pass_int80(reg);
		return true;
	}
	handler = handler_of(reg[REG_RAX]);
	if (handler == NULL) {
		reg[REG_RCX] = reg[REG_RIP]; /* a system call destroys it, and r11 */
		reg[REG_RIP] = (greg_t)(uintptr_t)weft__entry_native;
	} else if (!begin_call(me, ucontext, handler)) {
		weft__selector = WEFT__SELECT_PASS; /* there is no stack at all */
	}
	return true;
}
