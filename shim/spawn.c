/*
 * Processes that borrow this one's memory until they exec or exit: vfork(2), and clone(2) as
 * posix_spawn(3), system(3) and popen(3) use it.
 *
 * The kernel stops the thread that makes one meanwhile. So that is an offload thread: it takes the
 * task's thread pointer and registers, in which the task is nobody for that while, and the child
 * goes on where the task would have. After vfork it does so on the task's own stack, where the task
 * lies parked below: that part is put aside first.
 *
 * In a program that traces processes the carrier itself makes the child, and is stopped.
 */
#include <errno.h>
#include <signal.h>

#include "descriptor.h"
#include "handlers.h"
#include "memory.h"
#include "names.h"
#include "offload.h"
#include "process.h"
#include "shim.h"
#include "thread.h"

/* From a stack pointer to the frame that the entry makes below it: the red zone, and rounding. */
#define FRAME_BYTES (sizeof(struct weft__call) + 128 + 16)

/* entry_x86_64.S */
long weft__clone_for(struct weft__call *c, uintptr_t fs_base);

/* The task has pushed the job and is about to park: wait until it has left its stack. */
static uintptr_t parked_at(struct weft__task *task)
{
	void *sp;

	while ((sp = __atomic_load_n(&task->context.sp, __ATOMIC_ACQUIRE)) == NULL)
		__builtin_ia32_pause();
	return (uintptr_t)sp;
}

static void set_mask(uint64_t mask, uint64_t *before)
{
	weft__raw(SYS_rt_sigprocmask, SIG_SETMASK, &mask, before, sizeof(mask));
}

/* On an offload thread. No signal may find it with another's thread pointer. */
static long make_process(struct weft__job *job)
{
	struct weft__call *c = (struct weft__call *)job->arg[0];
	struct weft__task *task = (struct weft__task *)job->arg[1];
	uintptr_t low = parked_at(task), fs_base = task->context.fs_base;
	/* A caught call may have its frame on another stack (catch.c), which the child does not use. */
	bool here = c->sp - (uintptr_t)c <= FRAME_BYTES;
	size_t bytes = here ? c->sp - low : 0;
	void *aside = here ? weft__alloc(bytes) : NULL;
	uint64_t before;
	long result;

	if (here && aside == NULL)
		return -ENOMEM;
	weft__copy(aside, (void *)low, bytes);
	set_mask(UINT64_MAX, &before);
	weft__set_current(fs_base, NULL);
	result = weft__clone_for(c, fs_base);
	weft__set_current(fs_base, task);
	set_mask(before, NULL);
	weft__copy((void *)low, aside, bytes);
	if (here)
		weft__free(aside, bytes);
	if (result > 0)
		weft__offload_is_parent();
	return result;
}

long weft__spawn(struct weft__call *c, uintptr_t stack_top)
{
	struct weft__thread *me = weft__thread_here();
	struct weft__job job = {.run = make_process,
				.arg = {(long)c, (long)&me->task},
				.data_arg = -1,
				.ends = true};

	weft__fd_forked();
	/* Who makes a child is who may trace it, and only the carrier makes ptrace(2) calls. */
	if (weft__program_traces())
		goto in_place;
	weft__count_park(c->nr);
	c->child_sp = stack_top != 0 ? stack_top : c->sp;
	c->child_mask = weft__mask_of(me);
	me->task.context.sp = NULL;
	if (weft__offload_call(&job) == 0)
		return job.result;
in_place:
	weft__blocks(c);
	weft__vfork_begin();
	return WEFT__VFORK;
}

long on_vfork(struct weft__call *c)
{
	return weft__spawn(c, 0);
}
