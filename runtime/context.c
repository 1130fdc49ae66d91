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
	from->fiber = __tsan_get_current_fiber(); /* a task's, or that of its coroutine */
	__tsan_switch_to_fiber(to->fiber, 0);
#endif
	to->left = from;
	(void)for_good;
}

UNSEEN void weft__context_leaving(struct weft__context *from, struct weft__context *to)
{
	leave(from, to, 0);
}

/*
 * Which stack has been left is learnt by who runs next: a thread's own, which nobody made, or that of
 * a coroutine in which a task has parked.
 */
static void finish(struct weft__context *context, void *fake_stack)
{
#ifdef __SANITIZE_ADDRESS__
	const void *base;
	size_t bytes;

	__sanitizer_finish_switch_fiber(fake_stack, &base, &bytes);
	context->left->stack_base = (void *)base;
	context->left->stack_bytes = bytes;
#endif
	(void)context;
	(void)fake_stack;
}

UNSEEN void weft__context_arrived(struct weft__context *context)
{
	finish(context, context->fake_stack);
}

void weft__context_begun(struct weft__context *context)
{
	finish(context, NULL);
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

/* What the tools are to know of a stack that is made. */
static void introduce(struct weft__context *context, void *stack_base, size_t stack_bytes)
{
	(void)VALGRIND_STACK_REGISTER(stack_base, (char *)stack_base + stack_bytes);
#ifdef WEFT__SANITIZED
	context->stack_base = stack_base;
	context->stack_bytes = stack_bytes;
	context->fake_stack = NULL;
#ifdef __SANITIZE_THREAD__
	context->fiber = __tsan_create_fiber(0);
#endif
#endif
	(void)context;
}

void weft__context_make(struct weft__context *context, void *stack_base, size_t stack_bytes,
			void (*entry)(void *arg), void *arg, uintptr_t fs_base)
{
	char *top = (char *)stack_base + stack_bytes;

	introduce(context, stack_base, stack_bytes);
	context->fs_base = fs_base;
#ifdef WEFT__SANITIZED
	struct first_run *first;

	top -= (sizeof(*first) + 15) & ~(size_t)15;
	first = (struct first_run *)(void *)top;
	*first = (struct first_run){context, entry, arg};
	entry = run_first;
	arg = first;
#endif
	context->sp = weft__context_prepare(top, entry, arg);
}

#ifdef WEFT__SANITIZED
struct ending {
	struct weft__context *context;
	weft__ending_entry *entry;
	void *arg;
};

static void run_ending(void *cookie)
{
	struct ending *ending = cookie;

	weft__context_leave(ending->context, ending->entry(ending->arg));
}

void weft__context_make_ending(struct weft__context *context, void *stack_base, size_t stack_bytes,
			       weft__ending_entry *entry, void *arg)
{
	struct ending *ending;

	stack_bytes -= (sizeof(*ending) + 15) & ~(size_t)15;
	ending = (struct ending *)(void *)((char *)stack_base + stack_bytes);
	*ending = (struct ending){context, entry, arg};
	weft__context_make(context, stack_base, stack_bytes, run_ending, ending, 0);
}
#else
void weft__context_make_ending(struct weft__context *context, void *stack_base, size_t stack_bytes,
			       weft__ending_entry *entry, void *arg)
{
	introduce(context, stack_base, stack_bytes);
	context->fs_base = 0;
	context->sp = weft__context_prepare_ending((char *)stack_base + stack_bytes, entry, arg);
}
#endif

void weft__context_make_passed(struct weft__context *context, void *stack_base, size_t stack_bytes,
			       weft__passed_entry *entry, void *arg)
{
	introduce(context, stack_base, stack_bytes);
	context->fs_base = 0;
	context->sp = weft__context_prepare_passed((char *)stack_base + stack_bytes, entry, arg);
}

UNSEEN void weft__context_pass_last(struct weft__context *from, struct weft__context *to,
				    void *value, int error)
{
	leave(from, to, 1);
	weft__context_swap_passing(&from->sp, to->sp, value, NULL, error);
	__builtin_unreachable();
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
