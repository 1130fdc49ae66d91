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
/*
 * ThreadSanitizer counts calls on a stack of its own for each fiber: what is between the change of
 * the fiber and that of the stack must neither enter nor leave a function it sees.
 */
#define UNSEEN __attribute__((no_sanitize("thread")))

static inline __attribute__((always_inline)) UNSEEN void
leave(struct weft__context *from, struct weft__context *to, int for_good)
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
	to->left = from;
	(void)for_good;
}

UNSEEN void weft__context_leaving(struct weft__context *from, struct weft__context *to)
{
	leave(from, to, 0);
}

/* A thread's own stack, which nobody made, is learnt by who runs next. */
static void finish(struct weft__context *context, void *fake_stack)
{
#ifdef __SANITIZE_ADDRESS__
	const void *base;
	size_t bytes;

	__sanitizer_finish_switch_fiber(fake_stack, &base, &bytes);
	if (context->left->stack_base == NULL) {
		context->left->stack_base = (void *)base;
		context->left->stack_bytes = bytes;
	}
#endif
	(void)context;
	(void)fake_stack;
}

UNSEEN void weft__context_arrived(struct weft__context *context)
{
	finish(context, context->fake_stack);
}

struct first_run {
	struct weft__context *context;
	void (*entry)(void *arg);
	void *arg;
};

static void run_first(void *cookie)
{
	struct first_run first = *(struct first_run *)cookie;

	finish(first.context, NULL);
	first.entry(first.arg);
	__builtin_unreachable();
}
#else
#define UNSEEN

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

UNSEEN void weft__context_visit(struct weft__context *from, struct weft__context *to)
{
	weft__context_switch(from, to);
}

UNSEEN void weft__context_leave(struct weft__context *from, struct weft__context *to)
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
