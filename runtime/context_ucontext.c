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
	void *value;         /* what it is passed; written by who goes to it */
	int error;
	jmp_buf registers;
};

struct start {
	struct state state;
	ucontext_t ucontext;
	void (*entry)(void *arg);         /* or: */
	weft__passed_entry *passed_entry; /* or: */
	weft__ending_entry *ending_entry;
	void *arg;
};

/* makecontext(3) hands over ints: a pointer takes two of them. */
static void begin(unsigned int high, unsigned int low)
{
	struct start *self = (struct start *)((uintptr_t)high << 32 | low);

	struct weft__context *next;
	void *left;

	if (self->passed_entry != NULL) {
		self->passed_entry(self->arg, self->state.value, self->state.error);
	} else if (self->ending_entry != NULL) {
		next = self->ending_entry(self->arg);
		weft__context_swap(&left, next->sp, next->fs_base);
	} else {
		self->entry(self->arg);
	}
	__builtin_unreachable();
}

static struct start *prepare(void *top, void *arg)
{
	uintptr_t at = ((uintptr_t)top - sizeof(struct start)) & ~(uintptr_t)63;
	struct start *self = (struct start *)at;

	getcontext(&self->ucontext);
	self->state.start = self;
	self->passed_entry = NULL;
	self->ending_entry = NULL;
	self->arg = arg;
	self->ucontext.uc_link = NULL;
	/* The size is not looked at but to find the top: the stack below is as deep as it is. */
	self->ucontext.uc_stack.ss_sp = (char *)at - 4096;
	self->ucontext.uc_stack.ss_size = 4096;
	makecontext(&self->ucontext, (void (*)(void))begin, 2, (unsigned int)(at >> 32),
		    (unsigned int)at);
	return self;
}

void *weft__context_prepare(void *top, void (*entry)(void *arg), void *arg)
{
	struct start *self = prepare(top, arg);

	self->entry = entry;
	return self;
}

void *weft__context_prepare_ending(void *top, weft__ending_entry *entry, void *arg)
{
	struct start *self = prepare(top, arg);

	self->ending_entry = entry;
	return self;
}

void *weft__context_prepare_passed(void *top, weft__passed_entry *entry, void *arg)
{
	struct start *self = prepare(top, arg);

	self->passed_entry = entry;
	return self;
}

static void swap(struct state *self, void **save_sp, struct state *to, uintptr_t fs_base)
{
	unsigned short x87;
	unsigned int mxcsr;

	__asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(mxcsr), "=m"(x87));
	if (_setjmp(self->registers) == 0) {
		*save_sp = self; /* from here on it may be gone to */
		if (fs_base != 0)
			__asm__ volatile("wrfsbase %0" : : "r"(fs_base) : "memory");
		if (to->start == NULL)
			_longjmp(to->registers, 1);
		setcontext(&to->start->ucontext);
	}
	/* What a function call keeps and _longjmp(3) does not: the control words. */
	__asm__ volatile("ldmxcsr %0; fldcw %1" : : "m"(mxcsr), "m"(x87));
}

int weft__context_swap_passing(void **save_sp, void *load_sp, void *value, void **ret_value,
			       int error)
{
	struct state self = {.start = NULL}, *to = load_sp;

	to->value = value;
	to->error = error;
	swap(&self, save_sp, to, 0);
	if (self.error == 0 && ret_value != NULL)
		*ret_value = self.value;
	return self.error;
}

void weft__context_swap(void **save_sp, void *load_sp, uintptr_t fs_base)
{
	struct state self = {.start = NULL};

	swap(&self, save_sp, load_sp, fs_base);
}
