/*
 * See kernel_thread.h. The mapping of a thread, from its start upwards:
 *
 *   a guard page | stack | variables of libweft.so | thread pointer: struct kernel_thread
 *
 * All of it that an idle one has touched is its last page.
 */
#include "kernel_thread.h"

#include <errno.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "denied.h"
#include "scheduler.h"

#ifdef WEFT__SANITIZED

/* The tools know threads by their pthread_create. */
struct beginning {
	void (*run)(void *arg);
	void *arg;
};

static void *begin(void *beginning)
{
	struct beginning call = *(struct beginning *)beginning;

	free(beginning);
	call.run(call.arg);
	return NULL;
}

int weft__kernel_thread_make(void (*run)(void *arg), void *arg)
{
	struct beginning *call = malloc(sizeof(*call));
	sigset_t all, before;
	pthread_t thread;
	int err;

	if (call == NULL)
		return -ENOMEM;
	*call = (struct beginning){run, arg};
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&thread, NULL, begin, call);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err == 0)
		pthread_detach(thread);
	else
		free(call);
	return -err;
}

int weft__kernel_thread_id(void)
{
	return (int)weft__raw(SYS_gettid);
}

bool weft__kernel_threads_left(void)
{
	return false;
}

void weft__kernel_threads_forked(void)
{
}

#else

#define PAGE ((size_t)4096)

/* The kernel's handler runs on it: a frame with AVX-512 takes 3 KB, one with AMX 11 KB. */
#define STACK_BYTES ((size_t)32 * 1024)

/* How far below weft__current the variables of libweft.so may reach: they are neighbours. */
#define NEIGHBOURS ((size_t)512)

#define THREAD_FLAGS \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | \
	 CLONE_SETTLS | CLONE_CHILD_SETTID)

/* What clone(2) or clone3(2) is given, kernel_thread_x86_64.S. */
struct clone_call {
	long nr, arg[5];
};

long weft__kernel_thread_clone(const struct clone_call *call, void (*begin)(void *arg), void *arg);
void weft__kernel_thread_leave(void *mapping, size_t bytes) __attribute__((noreturn));

struct kernel_thread {
	/* What code finds at the thread pointer (the psABI's and glibc's tcbhead_t). */
	struct kernel_thread *thread_pointer;
	void *no_vector;
	struct kernel_thread *self;
	uintptr_t guards[5];

	struct kernel_thread *next; /* in `all` */
	char *mapping;
	size_t bytes;
	pid_t tid; /* the kernel writes it before the thread begins */
	void (*run)(void *arg);
	void *arg;
};

static struct kernel_thread *all;
static int lock;

static void lock_all(void)
{
	while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE) != 0)
		__builtin_ia32_pause();
}

static void unlock_all(void)
{
	__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

static void forget(const struct kernel_thread *thread)
{
	struct kernel_thread **place = &all;

	lock_all();
	while (*place != thread)
		place = &(*place)->next;
	*place = thread->next;
	unlock_all();
}

static void set_mask(uint64_t mask, uint64_t *before)
{
	weft__raw(SYS_rt_sigprocmask, SIG_SETMASK, &mask, before, sizeof(mask));
}

/* Where it begins. It leaves no stack behind, so no signal may want one then. */
static void begin(void *arg)
{
	struct kernel_thread *me = arg;

	me->run(me->arg);
	set_mask(UINT64_MAX, NULL);
	forget(me);
	weft__kernel_thread_leave(me->mapping, me->bytes);
}

/* Below the thread pointer. There may be more of the program's between. */
static size_t bytes_of_variables(void)
{
	return (uintptr_t)__builtin_thread_pointer() - (uintptr_t)&weft__current + NEIGHBOURS;
}

static struct kernel_thread *map(void)
{
	size_t used = PAGE + STACK_BYTES + bytes_of_variables() + sizeof(struct kernel_thread);
	size_t bytes = (used + 64 + PAGE - 1) & ~(PAGE - 1);
	long mapping = weft__raw(SYS_mmap, NULL, bytes, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct kernel_thread *thread;

	if (weft__failed(mapping))
		return NULL;
	weft__raw(SYS_mprotect, mapping, PAGE, PROT_NONE);
	thread = (struct kernel_thread *)((uintptr_t)(mapping + (long)bytes -
						      (long)sizeof(*thread)) &
					  ~(uintptr_t)63);
	thread->thread_pointer = thread->self = thread;
	thread->mapping = (char *)mapping;
	thread->bytes = bytes;
	return thread;
}

static uintptr_t stack_top(const struct kernel_thread *thread)
{
	return ((uintptr_t)thread - bytes_of_variables()) & ~(uintptr_t)63;
}

int weft__kernel_thread_id(void)
{
	return ((const struct kernel_thread *)__builtin_thread_pointer())->tid;
}

/* A filter may know but the one of the two that the program's libc uses. */
static long clone_thread(struct kernel_thread *thread)
{
	struct clone_args args = {
		.flags = THREAD_FLAGS,
		.child_tid = (uintptr_t)&thread->tid,
		.stack = (uintptr_t)thread->mapping,
		.stack_size = stack_top(thread) - (uintptr_t)thread->mapping,
		.tls = (uintptr_t)thread,
	};
	struct clone_call call = {
		.nr = SYS_clone,
		.arg = {THREAD_FLAGS, (long)stack_top(thread), 0, (long)&thread->tid, (long)thread},
	};

	if (weft__unlikely(weft__denied[SYS_clone]))
		call = (struct clone_call){.nr = SYS_clone3, .arg = {(long)&args, sizeof(args)}};
	return weft__kernel_thread_clone(&call, begin, thread);
}

int weft__kernel_thread_make(void (*run)(void *arg), void *arg)
{
	struct kernel_thread *thread = map();
	uint64_t before = 0;
	long result;

	if (thread == NULL)
		return -ENOMEM;
	thread->run = run;
	thread->arg = arg;
	lock_all();
	thread->next = all;
	all = thread;
	unlock_all();
	set_mask(UINT64_MAX, &before);
	result = clone_thread(thread);
	set_mask(before, NULL);
	if (result > 0)
		return 0;
	forget(thread);
	weft__raw(SYS_munmap, thread->mapping, thread->bytes);
	return (int)result;
}

bool weft__kernel_threads_left(void)
{
	return __atomic_load_n(&all, __ATOMIC_ACQUIRE) != NULL;
}

void weft__kernel_threads_forked(void)
{
	struct kernel_thread *thread;

	lock = 0;
	while ((thread = all) != NULL) {
		all = thread->next;
		weft__raw(SYS_munmap, thread->mapping, thread->bytes);
	}
}

#endif
