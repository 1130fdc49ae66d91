/* What a switch of stacks keeps, and how a stack looks to who starts on it. */
#include <execinfo.h>
#include <setjmp.h>
#include <stdlib.h>
#include <unwind.h>

#include "unit.h"

#define ROUNDS 100

/*
 * keep_registers(seed, call): fill rbx, rbp, r12-r15 with seed, seed + 1, ..., call, and tell
 * whether they came back: 0 when they did.
 */
long keep_registers(long seed, void (*call)(void)) __attribute__((visibility("hidden")));

__asm__(".text\n"
	".type keep_registers, @function\n"
	"keep_registers:\n"
	"	push %rbx\n	push %rbp\n	push %r12\n	push %r13\n	push %r14\n"
	"	push %r15\n	push %rdi\n"
	"	lea 0(%rdi), %rbx\n	lea 1(%rdi), %rbp\n	lea 2(%rdi), %r12\n"
	"	lea 3(%rdi), %r13\n	lea 4(%rdi), %r14\n	lea 5(%rdi), %r15\n"
	"	call *%rsi\n"
	"	pop %rdi\n"
	"	sub %rdi, %rbx\n	sub %rdi, %rbp\n	sub %rdi, %r12\n"
	"	sub %rdi, %r13\n	sub %rdi, %r14\n	sub %rdi, %r15\n"
	"	sub $1, %rbp\n	sub $2, %r12\n	sub $3, %r13\n	sub $4, %r14\n"
	"	sub $5, %r15\n"
	"	mov %rbx, %rax\n	or %rbp, %rax\n	or %r12, %rax\n	or %r13, %rax\n"
	"	or %r14, %rax\n	or %r15, %rax\n"
	"	pop %r15\n	pop %r14\n	pop %r13\n	pop %r12\n	pop %rbp\n"
	"	pop %rbx\n"
	"	ret\n"
	".size keep_registers, . - keep_registers\n");

static void keep_registers_task(void *seed)
{
	for (unsigned int round = 0; round < ROUNDS; round++)
		cr_expect_eq(keep_registers((long)seed << 8, weft_yield), 0, "task %ld",
			     (long)seed);
}

TaskTest(context, a_switch_keeps_the_callee_saved_registers)
{
	struct weft__task *tasks[8];

	for (size_t i = 0; i < COUNT(tasks); i++)
		tasks[i] = spawn_inner(keep_registers_task, (void *)(i + 1));
	for (size_t i = 0; i < COUNT(tasks); i++)
		join_inner(tasks[i]);
}

static unsigned int sse_control(void)
{
	unsigned int word;

	__asm__ volatile("stmxcsr %0" : "=m"(word));
	return word;
}

static void set_sse_control(unsigned int word)
{
	__asm__ volatile("ldmxcsr %0" : : "m"(word));
}

static unsigned short x87_control(void)
{
	unsigned short word;

	__asm__ volatile("fnstcw %0" : "=m"(word));
	return word;
}

static void set_x87_control(unsigned short word)
{
	__asm__ volatile("fldcw %0" : : "m"(word));
}

/* Rounding modes are two bits: 13 and 14 of mxcsr, 10 and 11 of the x87 control word. */
static void keep_rounding_task(void *mode)
{
	unsigned int sse = (sse_control() & ~0x6000U) | (unsigned int)(uintptr_t)mode << 13;
	unsigned short x87 =
		(unsigned short)((x87_control() & ~0xc00U) | (unsigned int)(uintptr_t)mode << 10);

	set_sse_control(sse);
	set_x87_control(x87);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		weft_yield();
		cr_expect_eq(sse_control() & 0x6000, sse & 0x6000);
		cr_expect_eq(x87_control(), x87);
	}
}

TaskTest(context, a_switch_keeps_the_control_words_of_sse_and_x87)
{
	unsigned int sse = sse_control() & 0xffc0;
	unsigned short x87 = x87_control();
	struct weft__task *tasks[8];

	for (size_t i = 0; i < COUNT(tasks); i++)
		tasks[i] = spawn_inner(keep_rounding_task, (void *)(i % 4));
	for (size_t i = 0; i < COUNT(tasks); i++)
		join_inner(tasks[i]);

	cr_assert_eq(sse_control() & 0xffc0, sse);
	cr_assert_eq(x87_control(), x87);
}

static void save_rounding_task(void *rounding)
{
	*(unsigned int *)rounding = sse_control() >> 13 & 3;
}

TaskTest(context, a_task_starts_with_the_control_words_of_who_spawned_it)
{
	unsigned int before = sse_control(), rounding = 99;
	struct weft__task *task;

	set_sse_control((before & ~0x6000U) | 2U << 13);
	task = spawn_inner(save_rounding_task, &rounding);
	set_sse_control(before);
	join_inner(task);

	cr_assert_eq(rounding, 2);
}

/* A task whose entry is the first function on its stack. */
struct bare {
	struct weft__task task;
	void *stack;
	uintptr_t frame;
	_Unwind_Reason_Code unwound;
	unsigned int frames;
	bool saw_entry, buried;
};

static void bury_bare(struct weft__task *task)
{
	struct bare *bare = weft__container(task, struct bare, task);

	weft__task_release(task);
	free(bare->stack);
	bare->buried = true;
}

static void run_bare(struct bare *bare, void (*entry)(void *arg))
{
	weft__task_init(&bare->task, weft__current->carrier);
	bare->task.bury = bury_bare;
	bare->stack = aligned_alloc(64, 65536);
	weft__context_make(&bare->task.context, bare->stack, 65536, entry, bare, 0);
	weft__start(&bare->task);
	while (!bare->buried)
		weft_yield();
}

static void save_frame(void *arg)
{
	struct bare *bare = arg;

	bare->frame = (uintptr_t)__builtin_frame_address(0);
	weft__task_exit();
}

/* System V ABI, 3.2.2: rsp + 8 is a multiple of 16 at entry; the frame begins 8 below. */
TaskTest(context, a_stack_is_aligned_when_its_entry_is_called)
{
	struct bare bare = {.buried = false};

	run_bare(&bare, save_frame);

	cr_assert_eq(bare.frame % 16, 0, "%#lx", bare.frame);
}

static void unwind_from(void *arg);

static _Unwind_Reason_Code count_frame(struct _Unwind_Context *context, void *arg)
{
	struct bare *bare = arg;
	void *at = (void *)_Unwind_GetIP(context);

	if (at != NULL && _Unwind_FindEnclosingFunction(at) == (void *)unwind_from)
		bare->saw_entry = true;
	return ++bare->frames > 50 ? _URC_NORMAL_STOP : _URC_NO_REASON;
}

static __attribute__((noinline)) void unwind_from(void *arg)
{
	struct bare *bare = arg;

	bare->unwound = _Unwind_Backtrace(count_frame, bare);
	weft__task_exit();
}

TaskTest(context, unwinding_a_task_ends_at_the_start_of_its_stack)
{
	struct bare bare = {.buried = false};

	run_bare(&bare, unwind_from);

	cr_assert_eq(bare.unwound, _URC_END_OF_STACK);
	cr_assert(bare.saw_entry);
	cr_assert_lt(bare.frames, 10, "%u frames", bare.frames);
}

static void take_backtrace(void *ret_frames)
{
	void *frames[50];

	weft_yield();
	*(int *)ret_frames = backtrace(frames, COUNT(frames));
}

TaskTest(context, backtrace_of_a_task_that_has_switched_is_short)
{
	int frames = 0;

	join_inner(spawn_inner(take_backtrace, &frames));

	cr_assert(frames >= 2 && frames < 10, "%d frames", frames);
}

static void jump_task(void *unused)
{
	jmp_buf back;

	(void)unused;
	if (setjmp(back) == 0) {
		weft_yield();
		longjmp(back, 1);
	}
	note("back ");
}

/* AddressSanitizer looks at the bounds of the stack it is on when it sees one. */
TaskTest(context, a_task_can_jump_within_its_stack)
{
	struct weft__task *task;

#ifdef __SANITIZE_THREAD__
	cr_skip_test("ucontext switches by jumps, which ThreadSanitizer would follow");
#endif
	task = spawn_inner(jump_task, NULL);

	jump_task(NULL);
	join_inner(task);

	cr_assert_str_eq(noted(), "back back ");
}
