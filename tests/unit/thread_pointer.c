/*
 * Contexts with a thread pointer of their own, as the preload library's tasks have one: here that
 * of a kernel thread which sleeps meanwhile.
 */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/auxv.h>

#include "unit.h"

#ifdef WEFT__HAVE_VALGRIND
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

#define HAVE_FSGSBASE 2 /* in AT_HWCAP2, asm/hwcap2.h */

struct lender {
	struct weft__task task; /* runs with the thread's pointer */
	pthread_t thread;
	uintptr_t fs_base;
	uint32_t lent, done;
	pthread_t seen;
	int seen_errno;
	bool ended;
};

static uintptr_t thread_pointer(void)
{
	uintptr_t fs_base;

	__asm__ volatile("mov %%fs:0, %0" : "=r"(fs_base));
	return fs_base;
}

static void wait_for(uint32_t *word)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == 0)
		weft__raw(SYS_futex, word, FUTEX_WAIT_PRIVATE, 0, NULL);
}

static void post(uint32_t *word)
{
	__atomic_store_n(word, 1, __ATOMIC_RELEASE);
	weft__raw(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1);
}

static void *lend(void *arg)
{
	struct lender *lender = arg;

	errno = 1234;
	weft__current = &lender->task;
	lender->fs_base = thread_pointer();
	post(&lender->lent);
	wait_for(&lender->done);
	weft__current = NULL;
	return NULL;
}

static void run_borrowed(void *arg)
{
	struct lender *lender = arg;

	for (unsigned int round = 0; round < 100; round++) {
		lender->seen = pthread_self();
		lender->seen_errno = errno;
		weft__yield();
	}
	lender->ended = true;
	weft__task_exit();
}

TaskTest(thread_pointer, a_context_runs_in_the_thread_pointer_it_was_given)
{
	struct lender lender = {.lent = 0};
	pthread_t self = pthread_self();
	void *stack = malloc(65536);

	if (UNDER_SANITIZER || RUNNING_ON_VALGRIND || (getauxval(AT_HWCAP2) & HAVE_FSGSBASE) == 0)
		cr_skip_test("the tools, or the kernel, know no wrfsbase");
	cr_assert_eq(pthread_create(&lender.thread, NULL, lend, &lender), 0);
	wait_for(&lender.lent);
	weft__task_init(&lender.task, weft__current->carrier);
	weft__context_make(&lender.task.context, stack, 65536, run_borrowed, &lender,
			   lender.fs_base);
	weft__current->context.fs_base = thread_pointer();
	weft__current->carrier->hub_context.fs_base = thread_pointer();
	weft__start(&lender.task);
	errno = 5678;

	while (!lender.ended) {
		weft__yield();
		cr_assert_eq(pthread_self(), self);
		cr_assert_eq(errno, 5678);
	}

	cr_assert_eq(lender.seen, lender.thread);
	cr_assert_eq(lender.seen_errno, 1234);
	post(&lender.done);
	pthread_join(lender.thread, NULL);
	weft__yield();
	weft__task_release(&lender.task);
	free(stack);
}
