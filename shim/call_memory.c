/*
 * Memory that is read from files as it is mapped, buffers, and thread stacks.
 *
 * glibc maps a stack with no access, then opens all of it but the guard: two mappings a thread, of
 * which a process may have 65,530. So within pthread_create the mapping is made open at once, and
 * the guard becomes a mark in the page table (MADV_GUARD_INSTALL, Linux 6.13): neighbouring stacks
 * are then one mapping. That reserves no memory (MAP_NORESERVE), for of a mapping that does and is larger
 * than all the memory there is fork(2) makes no copy, where it would copy each stack.
 */
#include <sys/mman.h>

#include "blocking.h"
#include "buffers.h"
#include "guard.h"
#include "handlers.h"
#include "shim.h"
#include "signals.h"
#include "stacks.h"
#include "thread.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define MOST_UNRESERVED ((size_t)1 << 30)

/* Mapped open, guard still to be made: by this thread, which is in pthread_create. */
static __thread uintptr_t stack_start __attribute__((tls_model("initial-exec")));
static __thread uintptr_t stack_end __attribute__((tls_model("initial-exec")));

static bool guards_are_marks; /* the last one was: stacks without a mapping each are possible */

/* A stack so large may be more than there is memory for, which the kernel is to say. */
static long reserving(size_t bytes)
{
	return bytes > MOST_UNRESERVED ? 0 : MAP_NORESERVE;
}

long on_mmap(struct weft__call *c)
{
	long start;

	if (weft__buffer_asked_for(c))
		return weft__buffer_map(c);
	weft__buffer_forget();
	if ((c->arg[3] & (MAP_POPULATE | MAP_LOCKED)) != 0 &&
	    (c->arg[3] & (MAP_ANONYMOUS | MAP_NONBLOCK)) == 0)
		return weft__offloaded(c); /* reads the file */
	if (!weft__creating_thread || c->arg[2] != PROT_NONE || (c->arg[3] & MAP_STACK) == 0)
		return WEFT__PASS;
	start = guards_are_marks ? (long)weft__thread_stack_take((size_t)c->arg[1]) : 0;
	if (start == 0)
		start = weft__raw(SYS_mmap, c->arg[0], c->arg[1], PROT_READ | PROT_WRITE,
				  c->arg[3] | reserving((size_t)c->arg[1]), c->arg[4], c->arg[5]);
	if (!weft__failed(start)) {
		stack_start = (uintptr_t)start;
		stack_end = stack_start + (uintptr_t)c->arg[1];
	}
	return start;
}

/* Whether an advice reads or writes pages. */
static bool advice_waits(long advice)
{
	switch (advice) {
	case MADV_WILLNEED:
	case MADV_REMOVE:
	case MADV_PAGEOUT:
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
	case MADV_COLLAPSE:
		return true;
	default:
		return false;
	}
}

/*
 * A thread that ends gives back the pages of its stack that lie deeper than 16 KB (start_thread).
 * The stack goes to glibc's cache, which holds 40 MB at most, and is soon used again: done every
 * 16th time, the call costs a thread's life 10% less. Nobody else blocks every signal, the one for
 * cancellation included, and names the stack it stands on; newer glibcs let that for ids through.
 */
long on_madvise(struct weft__call *c)
{
	static unsigned int exits;
	const uint64_t rest = WEFT__UNBLOCKABLE | weft__signal_bit(WEFT__SIGNAL_SETXID);
	const struct weft__thread *me = weft__thread_here();

	weft__buffer_forget();
	if (advice_waits(c->arg[2]))
		return weft__offloaded(c);
	if (c->arg[2] != MADV_DONTNEED || (uintptr_t)c->arg[0] != me->stack ||
	    (weft__mask_of(me) | rest) != UINT64_MAX || ++exits % 16 == 0)
		return WEFT__PASS;
	return 0;
}

/* A buffer, or a stack that glibc keeps no longer. */
long on_munmap(struct weft__call *c)
{
	if (weft__buffer_keep(c))
		return 0;
	return weft__thread_stack_give((uintptr_t)c->arg[0], (size_t)c->arg[1]) ? 0 : WEFT__PASS;
}

long on_mprotect(struct weft__call *c)
{
	uintptr_t from = (uintptr_t)c->arg[0], to = from + (uintptr_t)c->arg[1];
	size_t guard;

	weft__buffer_forget();
	if (stack_start == 0 || from < stack_start || to != stack_end ||
	    c->arg[2] != (PROT_READ | PROT_WRITE))
		return WEFT__PASS;
	guard = from - stack_start;
	if (guard > 0) {
		guards_are_marks = weft__mark_guard(stack_start, guard);
		if (!guards_are_marks)
			weft__raw(SYS_mprotect, stack_start, guard, PROT_NONE);
	}
	stack_start = 0;
	return 0;
}

long on_memory(struct weft__call *c)
{
	(void)c;
	weft__buffer_forget();
	return WEFT__PASS;
}

long on_memory_offload(struct weft__call *c)
{
	weft__buffer_forget();
	return weft__offloaded(c);
}
