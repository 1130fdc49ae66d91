/*
 * Stack switching by getcontext(3) and swapcontext(3): for where the assembly does not reach, and
 * to hold the assembly against in the tests. Ten times slower, most of it two system calls.
 *
 * A suspended stack's sp is the address of the ucontext_t that swapcontext filled, on that stack.
 */
#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "context.h"

struct start {
	ucontext_t ucontext;
	void (*entry)(void *arg);
	void *arg;
};

/* makecontext(3) hands over ints: a pointer takes two of them. */
static void start(unsigned int high, unsigned int low)
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
	self->entry = entry;
	self->arg = arg;
	self->ucontext.uc_link = NULL;
	/* The size is not looked at but to find the top: the stack below is as deep as it is. */
	self->ucontext.uc_stack.ss_sp = (char *)at - 4096;
	self->ucontext.uc_stack.ss_size = 4096;
	makecontext(&self->ucontext, (void (*)(void))start, 2, (unsigned int)(at >> 32),
		    (unsigned int)at);
	return self;
}

void weft__context_swap(void **save_sp, void *load_sp, uintptr_t fs_base)
{
	ucontext_t self, *to = load_sp;

	/* swapcontext sets the mask it once saved; the mask belongs to the kernel thread. */
	weft__raw(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &to->uc_sigmask, 8);
	*save_sp = &self;
	if (fs_base != 0)
		__asm__ volatile("wrfsbase %0" : : "r"(fs_base) : "memory");
	swapcontext(&self, to);
}
