/*
 * See thread.h.
 *
 *   by_tid[low bits of the id] -> threads, linked by next_by_tid
 *
 * There are as many places as there have been threads at once, so the table's other pages are never
 * in memory: one more at a time, which takes from another what belongs to it (linear_hash.h). Ids are
 * handed out in sequence, so most threads have a place each.
 */
#include "descriptor.h"
#include "thread.h"

#include <errno.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <weft/monkey.h>

#include "catch.h"
#include "cpu.h"
#include "denied.h"
#include "families.h"
#include "futex.h"
#include "process.h"
#include "handlers.h"
#include "kernel_handler.h"
#include "linear_hash.h"
#include "memory.h"
#include "shim.h"
#include "stacks.h"

#define TID_PLACES ((uint32_t)1 << 20)
#define FEW_PLACES 1024U /* to begin with, and where there is no memory for so many */
#define TIDS (WEFT__LAST_TID - WEFT__FIRST_TID + 1)

/* The least that the main thread's stack can grow to, but for tiny limits (setrlimit(2)). */
#define MAIN_STACK_BYTES ((uintptr_t)1024 * 1024)

extern void *__libc_stack_end; /* ld.so's */

struct weft__thread weft__main_thread;
__thread bool weft__creating_thread;
__thread uintptr_t weft__next_entry;
bool weft__main_renamed;
struct weft__carrier *weft__making_hub;

static struct weft__thread *few_by_tid[FEW_PLACES], **by_tid;
static uint32_t tid_places;                /* in use; 0: nobody has an id yet */
static uint32_t most_tid_places, with_tid; /* that there is room for; threads that are in it */
static int first_tid, next_tid;            /* of this process */

static struct weft__thread **tid_place(long tid)
{
	return &by_tid[weft__place_of((uint32_t)tid, tid_places)];
}

/* Mapped anew rather than cleared: it costs what is used of it. */
static void begin_table(void)
{
	size_t bytes = TID_PLACES * sizeof(struct weft__thread *);
	long table;

	if (most_tid_places == TID_PLACES)
		weft__raw(SYS_munmap, by_tid, bytes);
	table = weft__raw(SYS_mmap, NULL, bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	most_tid_places = weft__failed(table) ? FEW_PLACES : TID_PLACES;
	by_tid = weft__failed(table) ? few_by_tid : (struct weft__thread **)table;
	tid_places = FEW_PLACES;
	with_tid = 0;
	memset(few_by_tid, 0, sizeof(few_by_tid));
}

/* One place more. */
static void add_place(void)
{
	struct weft__thread **from = tid_place((long)tid_places), *thread = *from;

	*from = NULL;
	tid_places++;
	while (thread != NULL) {
		struct weft__thread *next = thread->next_by_tid, **place = tid_place(thread->tid);

		thread->next_by_tid = *place;
		*place = thread;
		thread = next;
	}
}

struct weft__thread *weft__thread_by_tid(long tid)
{
	struct weft__thread *me = weft__thread_here();
	struct weft__thread *thread = tid_places == 0 ? NULL : *tid_place(tid);

	if (me != NULL && me->is_copy && me->tid == tid)
		return me;
	while (thread != NULL && thread->tid != tid)
		thread = thread->next_by_tid;
	return thread;
}

static void enter_tid(struct weft__thread *thread)
{
	struct weft__thread **place;

	if (++with_tid > tid_places && tid_places < most_tid_places)
		add_place();
	place = tid_place(thread->tid);
	thread->next_by_tid = *place;
	*place = thread;
}

static void forget_tid(const struct weft__thread *thread)
{
	struct weft__thread **place = tid_place(thread->tid);

	while (*place != NULL && *place != thread)
		place = &(*place)->next_by_tid;
	if (*place == NULL)
		return;
	*place = thread->next_by_tid;
	with_tid--;
}

/*
 * Its stack is out of use: now others may know, who look at the word that the kernel would clear
 * here, and take the stack for another.
 */
static void tell_of_end(uintptr_t clear_tid)
{
	if (clear_tid != 0 && weft__copy((void *)clear_tid, &(int){0}, sizeof(int)) == 0)
		weft__futex_wake(clear_tid, 1);
}

void weft__thread_leave(struct weft__thread *me)
{
	weft__mask_end(me);
	forget_tid(me);
	/* With one carrier nobody runs before the stack is left, and who joins need not wait for the hub. */
	if (!weft__parallel) {
		tell_of_end(me->clear_tid);
		me->clear_tid = 0;
	}
}

static bool admits(const struct weft__thread *thread, int signal)
{
	uint64_t admitted = ~weft__mask_of(thread) | thread->waiting_for;

	return thread->task.state != WEFT__DEAD && (admitted & weft__signal_bit(signal)) != 0;
}

struct weft__thread *weft__thread_admitting(int signal)
{
	if (admits(&weft__main_thread, signal))
		return &weft__main_thread;
	if (weft__current != NULL && admits(weft__thread_here(), signal))
		return weft__thread_here();
	return weft__mask_admitting(signal);
}

intptr_t weft__current_offset(void)
{
	uintptr_t fs_base;

	__asm__("rdfsbase %0" : "=r"(fs_base));
	return (intptr_t)((uintptr_t)&weft__current - fs_base);
}

static void init_thread(struct weft__thread *thread, struct weft__carrier *carrier, int tid)
{
	*thread = (struct weft__thread){.tid = tid, .altstack = {.ss_flags = SS_DISABLE}};
	weft__task_init(&thread->task, carrier);
	weft__list_init(&thread->queue);
	weft__list_init(&thread->waits);
	enter_tid(thread);
}

/*
 * Where this process begins to count. Locks in memory that processes share are known by their
 * owners' ids, so no two processes may have the same: they begin far from each other, processes
 * with neighbouring ids the farthest (Fibonacci hashing; Knuth, TAOCP 6.4).
 */
static void begin_tids(void)
{
	uint32_t pid = (uint32_t)weft__raw(SYS_getpid);

	first_tid = WEFT__FIRST_TID + (int)((uint64_t)(pid * 2654435769U) * TIDS >> 32);
	next_tid = first_tid;
}

bool weft__tid_was_ours(long tid)
{
	return tid >= WEFT__FIRST_TID && tid <= WEFT__LAST_TID &&
	       (tid - first_tid + TIDS) % TIDS < (next_tid - first_tid + TIDS) % TIDS;
}

static void bury_main(struct weft__task *task)
{
	tell_of_end(((struct weft__thread *)task)->clear_tid);
}

void weft__adopt_main(struct weft__carrier *carrier)
{
	struct weft__thread *thread = &weft__main_thread;
	size_t bytes;

	begin_table();
	init_thread(thread, carrier, (int)weft__raw(SYS_gettid));
	thread->task.bury = bury_main;
	weft__raw(SYS_prctl, PR_GET_NAME, thread->name);
	weft__main_renamed = false;
	weft__schedule_learn(thread);
	__asm__("rdfsbase %0" : "=r"(thread->task.context.fs_base));
	thread->stack_top = (uintptr_t)__libc_stack_end;
	thread->stack = thread->stack_top - MAIN_STACK_BYTES;
	begin_tids();
	carrier->tasks = 1;
	carrier->running = &thread->task;
	weft__cpu_begin(carrier, &thread->task);
	weft__mask_begin(thread);
	/* What the kernel would do for it when it ends, the task does before (pthread_exit). */
	weft__raw(SYS_prctl, PR_GET_TID_ADDRESS, &thread->clear_tid);
	weft__raw(SYS_get_robust_list, 0, &thread->robust_list, &bytes);
}

static int new_tid(void)
{
	int tid;

	do {
		tid = next_tid;
		next_tid = tid < WEFT__LAST_TID ? tid + 1 : WEFT__FIRST_TID;
	} while (weft__thread_by_tid(tid) != NULL);
	return tid;
}

void weft__thread_free_parts(struct weft__thread *thread)
{
	weft__task_release(&thread->task);
	weft__schedule_drop(thread);
	weft__spare_stack_free(thread->spare_stack);
}

void weft__thread_init_copy(struct weft__thread *copy, struct weft__thread *of)
{
	*copy = (struct weft__thread){.tid = of->tid,
				      .is_copy = true,
				      .stack = of->stack,
				      .stack_top = of->stack_top,
				      .entry = of->entry,
				      .altstack = of->altstack};
	weft__task_init(&copy->task, of->task.carrier);
	copy->task.inside = 1;
	copy->task.context.fs_base = of->task.context.fs_base;
	weft__list_init(&copy->queue);
	weft__list_init(&copy->waits);
	memcpy(copy->name, of->name, sizeof(copy->name));
	weft__schedule_inherit(copy, of);
	weft__mask_inherit(copy, of);
}

static void bury_on_stack(struct weft__task *task)
{
	uintptr_t clear_tid = ((struct weft__thread *)task)->clear_tid;

	weft__thread_free_parts((struct weft__thread *)task);
	tell_of_end(clear_tid);
}

static void bury(struct weft__task *task)
{
	uintptr_t clear_tid = ((struct weft__thread *)task)->clear_tid;

	weft__thread_free_parts((struct weft__thread *)task);
	weft__free(task, sizeof(struct weft__thread));
	tell_of_end(clear_tid);
}

/*
 * The new thread's first frame: the parent's, with its own stack pointer, a result of 0, and the
 * red zone left free below the top as the entry expects it.
 */
static void *child_frame(const struct weft__call *c, uintptr_t stack_top)
{
	struct weft__call *frame =
		(struct weft__call *)((stack_top - 128 - sizeof(*frame)) & ~(uintptr_t)15);

	*frame = *c;
	frame->sp = stack_top;
	return frame;
}

/* Its maker, or whoever else ran before, may have ended: that one's stack is libc's again. */
static void begin_thread(void *frame)
{
	weft__holds_lock = weft__parallel;
	if (weft__current->carrier->dead != NULL)
		weft__bury_dead(weft__current->carrier);
	weft__entry_child(frame);
}

void weft__set_current(uintptr_t fs_base, struct weft__task *task)
{
	*(struct weft__task **)(fs_base + (uintptr_t)weft__current_offset()) = task;
}

/* What a thread is made of, however the call says it (clone(2) or clone3(2)). */
struct birth {
	uint64_t flags;
	uintptr_t stack, stack_top, parent_tid, child_tid, tls;
};

/*
 * Room for the record of a thread. Those of very many threads stand at the top of their stacks, of
 * which a page is in use anyway and is given back with the stack. Not those of few: on one place in
 * each page they would drive each other out of the processor's caches. Nor where the program may keep
 * something at the top: only with clone3(2) has libc nothing there.
 */
static struct weft__thread *make_record(const struct weft__call *c, struct birth *birth)
{
	struct weft__thread *thread;

	if (c->nr != SYS_clone3 || !weft__creating_thread ||
	    !weft__thread_stack_is_slot(birth->stack))
		return weft__alloc(sizeof(*thread));
	birth->stack_top = (birth->stack_top - sizeof(*thread)) & ~(uintptr_t)63;
	return (struct weft__thread *)birth->stack_top;
}

static long make_thread(const struct weft__call *c, struct birth *birth)
{
	struct weft__thread *parent = weft__thread_here(), *thread = make_record(c, birth);
	struct weft__call *frame;

	if (thread == NULL)
		return -EAGAIN;
	frame = child_frame(c, birth->stack_top);
	init_thread(thread, weft__making_hub != NULL ? weft__making_hub : parent->task.carrier,
		    new_tid());
	thread->task.inside = 1;
	thread->task.bury = (uintptr_t)thread == birth->stack_top ? bury_on_stack : bury;
	thread->stack = birth->stack;
	thread->stack_top = birth->stack_top;
	thread->entry = weft__next_entry;
	weft__next_entry = 0;
	if (weft__main_renamed && parent == &weft__main_thread && !weft__denied[SYS_prctl])
		weft__raw(SYS_prctl, PR_GET_NAME, parent->name);
	memcpy(thread->name, parent->name, sizeof(thread->name));
	weft__schedule_inherit(thread, parent);
	/* The hub may not run for long, and would admit what the program's threads all block. */
	if (weft__making_hub != NULL)
		weft__mask_fill(thread);
	else
		weft__mask_inherit(thread, parent);
	if ((birth->flags & CLONE_PARENT_SETTID) != 0)
		weft__copy((void *)birth->parent_tid, &thread->tid, sizeof(thread->tid));
	if ((birth->flags & CLONE_CHILD_SETTID) != 0)
		weft__copy((void *)birth->child_tid, &thread->tid, sizeof(thread->tid));
	if ((birth->flags & CLONE_CHILD_CLEARTID) != 0)
		thread->clear_tid = birth->child_tid;
	weft__context_make(&thread->task.context, (void *)birth->stack,
			   (size_t)((uintptr_t)frame - birth->stack), begin_thread, frame,
			   birth->tls);
	weft__set_current(birth->tls, &thread->task);
	if (weft__making_hub != NULL) {
		/* It is no thread to the program: it has no id and is not counted. */
		weft__making_hub = NULL;
		thread->is_hub = true;
		forget_tid(thread);
		thread->task.carrier->hub_context = thread->task.context;
	} else {
		weft__start(&thread->task);
	}
	return thread->tid;
}

#define THREAD_FLAGS (CLONE_VM | CLONE_THREAD | CLONE_SETTLS)

/* Whether the thread is to be none of weft's: those of the program are not asked for, weft's own are. */
static bool is_kernels_thread(void)
{
	return !weft__has_family(WEFT_THREAD) && !weft__creating_thread && weft__making_hub == NULL;
}

/* What kind of child is asked for; a WEFT__ result, or the id of a new task. */
static long make_child(struct weft__call *c, struct birth *birth)
{
	/* Who may not make threads any more gets the kernel's answer. */
	if ((birth->flags & THREAD_FLAGS) == THREAD_FLAGS)
		return weft__denied[c->nr] || is_kernels_thread() ? WEFT__PASS
								  : make_thread(c, birth);
	if ((birth->flags & CLONE_VM) == 0)
		return weft__fork(c, birth->stack_top);
	if ((birth->flags & (CLONE_VM | CLONE_VFORK | CLONE_SETTLS)) == (CLONE_VM | CLONE_VFORK))
		return weft__spawn(c, birth->stack_top);
	weft__fd_forked();
	return WEFT__PASS;
}

/* How much below a thread pointer is copied: more than libraries keep there (static TLS). */
#define TLS_BYTES ((size_t)64 * 1024)
/* And above it: more than glibc's struct pthread. */
#define TCB_BYTES ((size_t)4096)
#define PIECE 4096U

/*
 * A thread pointer for a thread that is to share the caller's, which would be taken for the
 * caller's task: a copy, in which it is no task. It is not given back.
 */
static uintptr_t copy_thread_pointer(void)
{
	uintptr_t from, to;
	long memory = weft__raw(SYS_mmap, 0, TLS_BYTES + TCB_BYTES, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (weft__failed(memory))
		return 0;
	__asm__("rdfsbase %0" : "=r"(from));
	to = (uintptr_t)memory + TLS_BYTES;
	weft__copy((void *)to, (void *)from, TCB_BYTES / 2);
	for (size_t below = PIECE; below <= TLS_BYTES; below += PIECE)
		if (weft__copy((void *)(to - below), (void *)(from - below), PIECE) != 0)
			break;
	((uintptr_t *)to)[0] = to; /* where code finds the thread pointer itself */
	((uintptr_t *)to)[2] = to;
	weft__set_current(to, NULL);
	return to;
}

/* Memory is shared and the thread pointer would be: libc's calls must know the two apart. */
static void set_apart(struct weft__call *c)
{
	uintptr_t own;

	if ((c->arg[0] & (CLONE_VM | CLONE_VFORK | CLONE_SETTLS)) != CLONE_VM || c->arg[1] == 0)
		return;
	own = copy_thread_pointer();
	if (own == 0)
		return;
	c->arg[0] |= CLONE_SETTLS;
	c->arg[4] = (long)own;
	__atomic_store_n(&weft__foreign_waiters, true, __ATOMIC_RELAXED);
}

long on_clone3(struct weft__call *c)
{
	struct clone_args args = {.flags = 0};
	struct birth birth;
	long result;

	if ((size_t)c->arg[1] < CLONE_ARGS_SIZE_VER0)
		return WEFT__PASS; /* the kernel says what is wrong with it */
	if (weft__copy(&args, (void *)c->arg[0],
		       (size_t)c->arg[1] < sizeof(args) ? (size_t)c->arg[1] : sizeof(args)) != 0)
		return -EFAULT;
	birth = (struct birth){.flags = args.flags,
			       .stack = args.stack,
			       .stack_top = args.stack + args.stack_size,
			       .parent_tid = args.parent_tid,
			       .child_tid = args.child_tid,
			       .tls = args.tls};
	result = make_child(c, &birth);
	return result == WEFT__PASS ? weft__catch_clone(c, birth.stack_top) : result;
}

long on_clone(struct weft__call *c)
{
	struct birth birth = {.flags = (uint64_t)c->arg[0],
			      .stack = 0,
			      .stack_top = (uintptr_t)c->arg[1],
			      .parent_tid = (uintptr_t)c->arg[2],
			      .child_tid = (uintptr_t)c->arg[3],
			      .tls = (uintptr_t)c->arg[4]};

	long result = make_child(c, &birth);

	if (result != WEFT__PASS)
		return result;
	set_apart(c);
	return weft__catch_clone(c, birth.stack_top);
}
