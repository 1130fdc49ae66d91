/*
 * The part of context switching that all implementations share: telling the tools that watch
 * stacks. Nothing here remains in a build without sanitizers but the swap itself; Valgrind asks
 * for one registration per stack, a few instructions that do nothing outside of it.
 */
#include "context.h"

#ifdef WEFT__HAVE_VALGRIND
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(start, end) 0
#endif

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

#ifdef WEFT__SANITIZED
static void leave(struct weft__context *from, struct weft__context *to, int for_good)
{
#ifdef __SANITIZE_ADDRESS__
	__sanitizer_start_switch_fiber(for_good ? NULL : &from->fake_stack, to->stack_base,
				       to->stack_bytes);
#endif
#ifdef __SANITIZE_THREAD__
	if (from->fiber == NULL)
		from->fiber = __tsan_get_current_fiber();
	__tsan_switch_to_fiber(to->fiber, 0);
#endif
	(void)from;
	(void)to;
	(void)for_good;
}

void weft__context_leaving(struct weft__context *from, struct weft__context *to)
{
	leave(from, to, 0);
}

void weft__context_arrived(struct weft__context *context)
{
#ifdef __SANITIZE_ADDRESS__
	__sanitizer_finish_switch_fiber(context->fake_stack, NULL, NULL);
#endif
	(void)context;
}

struct first_run {
	struct weft__context *context;
	void (*entry)(void *arg);
	void *arg;
};

static void run_first(void *cookie)
{
	struct first_run first = *(struct first_run *)cookie;

#ifdef __SANITIZE_ADDRESS__
	__sanitizer_finish_switch_fiber(NULL, NULL, NULL);
#endif
	first.entry(first.arg);
	__builtin_unreachable();
}
#else
static void leave(struct weft__context *from, struct weft__context *to, int for_good)
{
	(void)from;
	(void)to;
	(void)for_good;
}
#endif

void weft__context_make(struct weft__context *context, void *stack_base, size_t stack_bytes,
			void (*entry)(void *arg), void *arg, uintptr_t fs_base)
{
	char *top = (char *)stack_base + stack_bytes;

	(void)VALGRIND_STACK_REGISTER(stack_base, top);
	context->fs_base = fs_base;
#ifdef WEFT__SANITIZED
	struct first_run *first;

	top -= (sizeof(*first) + 15) & ~(size_t)15;
	first = (struct first_run *)(void *)top;
	*first = (struct first_run){context, entry, arg};
	context->stack_base = stack_base;
	context->stack_bytes = stack_bytes;
	context->fake_stack = NULL;
	entry = run_first;
	arg = first;
#ifdef __SANITIZE_THREAD__
	context->fiber = __tsan_create_fiber(0);
#endif
#endif
	context->sp = weft__context_prepare(top, entry, arg);
}

void weft__context_leave(struct weft__context *from, struct weft__context *to)
{
	leave(from, to, 1);
	weft__context_swap(&from->sp, to->sp, to->fs_base);
	__builtin_unreachable();
}

void weft__context_drop(struct weft__context *context)
{
#ifdef __SANITIZE_THREAD__
	__tsan_destroy_fiber(context->fiber);
#endif
	(void)context;
}
