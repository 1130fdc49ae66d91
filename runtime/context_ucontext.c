/*
 * Stack switching by what POSIX has for it: makecontext(3) and setcontext(3) begin a stack, and
 * _setjmp(3) and _longjmp(3) switch between stacks that have begun. swapcontext(3) would set the
 * signal mask each time, two system calls a switch, of which tasks have no need.
 *
 * For where the assembly does not reach, and to hold the assembly against in the tests.
 */
#include <setjmp.h>
#include <ucontext.h>

#include "context.h"

/* A suspended stack's sp is the address of this, on that stack. */
struct state {
	struct start *start; /* not begun yet; NULL: `registers` holds */
	jmp_buf registers;
};

struct start {
	struct state state;
	ucontext_t ucontext;
	void (*entry)(void *arg);
	void *arg;
};

/* makecontext(3) hands over ints: a pointer takes two of them. */
static void begin(unsigned int high, unsigned int low)
{
	struct start *self = (struct start *)((uintptr_t)high << 32 | low);

	self->entry(self->arg);
	__builtin_unreachable();
}

void *weft__context_prepare(void *top, void (*entry)(void *arg), void *arg)
{
	uintptr_t at = ((uintptr_t)top - sizeof(struct start)) & ~(uintptr_t)63;
	struct start *self = (struct start *)at;

	getcontext(&self->ucontext);
	self->state.start = self;
	self->entry = entry;
	self->arg = arg;
	self->ucontext.uc_link = NULL;
	/* The size is not looked at but to find the top: the stack below is as deep as it is. */
	self->ucontext.uc_stack.ss_sp = (char *)at - 4096;
	self->ucontext.uc_stack.ss_size = 4096;
	makecontext(&self->ucontext, (void (*)(void))begin, 2, (unsigned int)(at >> 32),
		    (unsigned int)at);
	return self;
}

void weft__context_swap(void **save_sp, void *load_sp, uintptr_t fs_base)
{
	struct state self = {.start = NULL}, *to = load_sp;
	unsigned short x87;
	unsigned int mxcsr;

	__asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(mxcsr), "=m"(x87));
	if (_setjmp(self.registers) == 0) {
		*save_sp = &self; /* from here on it may be gone to */
		if (fs_base != 0)
			__asm__ volatile("wrfsbase %0" : : "r"(fs_base) : "memory");
		if (to->start == NULL)
			_longjmp(to->registers, 1);
		setcontext(&to->start->ucontext);
	}
	/* What a function call keeps and _longjmp(3) does not: the control words. */
	__asm__ volatile("ldmxcsr %0; fldcw %1" : : "m"(mxcsr), "m"(x87));
}
