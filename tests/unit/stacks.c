/* The pool of stacks. It is the library's own: these run in unit_ucontext only. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "native_stack.h"
#include "unit.h"

#define MANY 1000
#define PAGE 4096

struct stack {
	char *start;
	size_t bytes;
};

static struct stack take(size_t bytes)
{
	struct stack stack = {NULL, 0};

	stack.start = weft__stack_take(bytes, &stack.bytes);
	cr_assert_not_null(stack.start);
	return stack;
}

static void give(struct stack stack)
{
	weft__stack_give(stack.start, stack.bytes);
}

/* Whether a page is in memory. */
static bool is_resident(const char *at)
{
	unsigned char resident = 0;

	mincore((void *)((uintptr_t)at & ~(uintptr_t)(PAGE - 1)), 1, &resident);
	return (resident & 1) != 0;
}

Test(stacks, all_of_a_stack_can_be_written_to)
{
	struct stack stack = take(0);

	memset(stack.start, 1, stack.bytes);

	cr_assert_geq(stack.bytes, WEFT__STACK_BYTES - PAGE - 64);
	cr_assert_eq((uintptr_t)(stack.start + stack.bytes) % 64, 0);
	give(stack);
}

Test(stacks, below_a_stack_nothing_can_be_written_to)
{
	struct stack stack = take(0);
	int status;
	pid_t child = fork();

	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		*(volatile char *)(stack.start - 1) = 1;
		_exit(0);
	}
	waitpid(child, &status, 0);

	/* A sanitizer's handler would make an exit of it. */
	cr_assert(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
	give(stack);
}

Test(stacks, one_that_is_used_again_has_its_guard_still)
{
	struct stack stacks[MANY];
	int status;
	pid_t child;

	for (int i = 0; i < MANY; i++)
		stacks[i] = take(0);
	for (int i = 0; i < MANY - 1; i++)
		give(stacks[i]);
	for (int i = 0; i < MANY - 1; i++)
		stacks[i] = take(0);

	for (int i = 0; i < MANY; i += MANY / 10) {
		child = fork();
		if (child == 0) {
			signal(SIGSEGV, SIG_DFL);
			*(volatile char *)(stacks[i].start - 1) = 1;
			_exit(0);
		}
		waitpid(child, &status, 0);
		cr_expect(WIFSIGNALED(status) || WEXITSTATUS(status) != 0, "stack %d", i);
	}
}

Test(stacks, the_last_one_given_back_is_the_next_one_taken)
{
	struct stack first = take(0), second = take(0);

	give(first);
	give(second);

	cr_assert_eq(take(0).start, second.start);
	cr_assert_eq(take(0).start, first.start);
}

Test(stacks, sizes_are_kept_apart)
{
	struct stack small = take(16384), large = take(1 << 20);

	give(small);

	cr_assert_neq(take(1 << 20).start, small.start);
	cr_assert_eq(take(16384).start, small.start);
	cr_assert_geq(large.bytes, (1 << 20) - PAGE - 64);
}

Test(stacks, one_of_no_size_that_exists_is_not_to_be_had)
{
	size_t bytes = 7;

	cr_assert_null(weft__stack_take(WEFT__MOST_STACK_BYTES + 1, &bytes));
	cr_assert_null(weft__stack_take(SIZE_MAX, &bytes));

	cr_assert_eq(bytes, 7);
}

Test(stacks, ten_thousand_need_few_mappings)
{
	static struct stack stacks[10000];
	unsigned int before;

	give(take(0));
	before = count_mappings();
	for (size_t i = 0; i < COUNT(stacks); i++) {
		stacks[i] = take(0);
		stacks[i].start[stacks[i].bytes - 1] = 1;
	}

	cr_assert_lt(count_mappings(), before + 200 + SPARE_MAPPINGS, "%u mappings, then %u",
		     before, count_mappings());
}

Test(stacks, the_memory_of_most_is_given_back)
{
	static struct stack stacks[10000];
	unsigned int resident = 0;

	for (size_t i = 0; i < COUNT(stacks); i++) {
		stacks[i] = take(0);
		stacks[i].start[stacks[i].bytes - 1] = 1;
	}
	/* From each chunk one is still used, so that none is unmapped. */
	for (size_t i = 0; i < COUNT(stacks); i++)
		if (i % 32 != 0)
			give(stacks[i]);

	for (size_t i = 0; i < COUNT(stacks); i++)
		if (i % 32 != 0)
			resident += is_resident(stacks[i].start + stacks[i].bytes - 1);
	cr_assert_lt(resident, 1000);
}

Test(stacks, the_address_space_of_most_is_given_back)
{
	static struct stack stacks[10000];
	struct rlimit before;
	size_t bytes;
	void *stack;

	if (UNDER_SANITIZER)
		cr_skip_test("address space cannot be limited under a sanitizer");
	for (size_t i = 0; i < COUNT(stacks); i++)
		stacks[i] = take(0);
	limit_memory(0, &before);
	for (size_t i = 0; i < COUNT(stacks); i++)
		give(stacks[i]);
	/* They took 1280 MB, all in all. */
	stack = weft__stack_take(512 << 20, &bytes);
	setrlimit(RLIMIT_AS, &before);

	cr_assert_not_null(stack);
}

Test(stacks, without_room_for_a_chunk_there_may_be_for_one)
{
	struct rlimit before;
	size_t bytes;
	void *stack;

	if (UNDER_SANITIZER)
		cr_skip_test("address space cannot be limited under a sanitizer");
	give(take(16384)); /* whatever comes once */
	limit_memory(3 << 20, &before);
	stack = weft__stack_take(1 << 20, &bytes);
	setrlimit(RLIMIT_AS, &before);

	cr_assert_not_null(stack);
}

Test(stacks, without_room_there_is_none)
{
	struct rlimit before;
	size_t bytes = 7;
	void *stack;

	if (UNDER_SANITIZER)
		cr_skip_test("address space cannot be limited under a sanitizer");
	give(take(16384));
	limit_memory(1 << 19, &before);
	stack = weft__stack_take(1 << 20, &bytes);
	setrlimit(RLIMIT_AS, &before);

	cr_assert_null(stack);
	cr_assert_eq(bytes, 7);
}

static void take_one(void *ret_stack)
{
	*(struct stack *)ret_stack = take(0);
	give(*(struct stack *)ret_stack);
}

Test(stacks, what_a_thread_has_kept_is_others_when_it_has_ended)
{
	struct stack theirs, ours[64];
	bool found = false;

	on_foreign_thread(take_one, &theirs);
	for (size_t i = 0; i < COUNT(ours); i++) {
		ours[i] = take(0);
		found = found || ours[i].start == theirs.start;
	}

	cr_assert(found);
}

static void take_and_give_many(void *unused)
{
	static struct stack stacks[4][200];
	static unsigned int threads;
	struct stack *mine = stacks[__atomic_fetch_add(&threads, 1, __ATOMIC_RELAXED)];

	(void)unused;
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 200; i++) {
			mine[i] = take(0);
			mine[i].start[mine[i].bytes - 1] = (char)i;
		}
		for (int i = 0; i < 200; i++) {
			cr_expect_eq(mine[i].start[mine[i].bytes - 1], (char)i);
			give(mine[i]);
		}
	}
}

static void *take_in_thread(void *arg)
{
	take_and_give_many(arg);
	return NULL;
}

Test(stacks, threads_do_not_get_the_same)
{
	pthread_t threads[4];

	for (size_t i = 0; i < COUNT(threads); i++)
		pthread_create(&threads[i], NULL, take_in_thread, NULL);
	for (size_t i = 0; i < COUNT(threads); i++)
		pthread_join(threads[i], NULL);
}

static void *take_all_the_time(void *stop)
{
	struct stack stacks[100];

	while (!__atomic_load_n((bool *)stop, __ATOMIC_RELAXED)) {
		for (size_t i = 0; i < COUNT(stacks); i++)
			stacks[i] = take(0);
		for (size_t i = 0; i < COUNT(stacks); i++)
			give(stacks[i]);
	}
	return NULL;
}

Test(stacks, a_child_after_a_fork_can_take_one, .timeout = HANG_S)
{
	bool stop = false;
	pthread_t thread;
	int status = 0;

	if (UNDER_SANITIZER)
		cr_skip_test("a sanitizer's own locks are not made for it");
	pthread_create(&thread, NULL, take_all_the_time, &stop);
	for (int i = 0; i < 200 && status == 0; i++) {
		pid_t child = fork();

		if (child == 0) {
			alarm(HANG_S / 2);
			for (int n = 0; n < 100; n++)
				take(0);
			_exit(0);
		}
		waitpid(child, &status, 0);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);

	cr_assert_eq(status, 0);
}
