/*
 * See offload.h.
 *
 * Jobs are pushed by tasks and popped by offload threads, under one spin lock that is held for a
 * few instructions. Idle threads wait on `posted` by raw futex: the program's parking lot must
 * not see them. Who pushes a job for which no thread is idle makes one, a kernel thread of which
 * libc does not know (kernel_thread.h).
 *
 * Of each order the first job is queued, and the others stand behind it: the thread that has done it
 * goes on with the next. So they come in their order, and nobody is woken in between.
 *
 * A thread that has found nothing to do for IDLE_NS ends: while there is only the carrier, the
 * kernel finds a descriptor's file without counting who uses it, and memory is spared.
 *
 * A thread has the ids and all else that the carrier had when it was made. When those change, a new
 * generation begins: threads of the one before do what was queued for them, and end.
 *
 * A job whose task is interrupted is stopped: taken out of the queue, or its thread is sent a
 * signal. That may come at any time, when the call has ended and the next one is being made too:
 * the handler looks at what the thread is at, and a call that ended with -EINTR for no reason of its
 * own is made again. One that ends by itself is only interrupted where the kernel does: a program
 * does not expect that of a disk.
 */
#include "offload.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "kernel_thread.h"
#include "memory.h"
#include "scheduler.h"
#include "stats.h"

#define IDLE_NS 500000000L

/* stoppable_x86_64.S */
long weft__stoppable(const volatile int *stopped, long nr, const long arg[6]);
extern const char weft__stoppable_call[], weft__stoppable_end[];

bool (*weft__offload_waits)(const struct weft__job *call);
unsigned int weft__offload_most = 64;
bool weft__offload_stops;

/* The job this offload thread is at; NULL in all other threads. */
static __thread struct weft__job *job_here __attribute__((tls_model("initial-exec")));

/* Whether this offload thread has made a process. */
static __thread bool is_parent __attribute__((tls_model("initial-exec")));

static struct {
	int lock;
	struct weft__job *first, **last;
	struct weft__job *orders; /* the first of each; atomic for who only asks for NULL */
	unsigned int generation;
	/* Of this generation. One that begins is idle; `lasting` jobs are queued or being done. */
	unsigned int threads, idle, queued, lasting;
	uint32_t posted;
	unsigned int begun; /* of this generation: they wait for jobs, or are at one */
	bool stay;          /* though idle: no others can be made */
} pool;

static void lock_pool(void)
{
	while (__atomic_exchange_n(&pool.lock, 1, __ATOMIC_ACQUIRE) != 0)
		__builtin_ia32_pause();
}

static void unlock_pool(void)
{
	__atomic_store_n(&pool.lock, 0, __ATOMIC_RELEASE);
}

static void post(int threads)
{
	__atomic_add_fetch(&pool.posted, 1, __ATOMIC_RELEASE);
	weft__raw(SYS_futex, &pool.posted, FUTEX_WAKE_PRIVATE, threads);
}

/* With the lock, like all up to wait_for_job(). */
static void append(struct weft__job *job)
{
	job->next = NULL;
	job->generation = pool.generation;
	if (pool.first == NULL)
		pool.last = &pool.first;
	*pool.last = job;
	pool.last = &job->next;
	pool.queued++;
}

static void remove_at(struct weft__job **place)
{
	struct weft__job *job = *place;

	*place = job->next;
	if (job->next == NULL)
		pool.last = place;
	if (job->generation == pool.generation)
		pool.queued--;
}

/* The oldest job of a thread's own generation. */
static struct weft__job *take(unsigned int generation, int tid)
{
	struct weft__job **place = &pool.first, *job;

	while (*place != NULL && (*place)->generation != generation)
		place = &(*place)->next;
	job = *place;
	if (job == NULL)
		return NULL;
	remove_at(place);
	job->tid = tid;
	if (generation == pool.generation)
		pool.idle--;
	return job;
}

/* NULL: the thread's time is over. */
static struct weft__job *wait_for_job(unsigned int generation, int tid)
{
	struct timespec patience = {0, IDLE_NS};
	struct weft__job *job;
	bool over = false;
	long waited = 0;

	for (;;) {
		uint32_t posted = __atomic_load_n(&pool.posted, __ATOMIC_ACQUIRE);

		lock_pool();
		job = take(generation, tid);
		if (generation != pool.generation) {
			over = true;
		} else if (job == NULL && waited == -ETIMEDOUT && !pool.stay) {
			pool.threads--;
			pool.idle--;
			pool.begun--;
			over = true;
		}
		unlock_pool();
		if (job != NULL || over)
			return job;
		waited = weft__raw(SYS_futex, &pool.posted, FUTEX_WAIT_PRIVATE, posted,
				   is_parent ? NULL : &patience);
	}
}

/* Whoever takes the task out of the job decides: this wake, or that give-up. */
static void end_job(struct weft__job *job)
{
	struct weft__task *task = __atomic_exchange_n(&job->task, NULL, __ATOMIC_ACQ_REL);

	if (task != NULL)
		weft__wake_remote(task);
	else
		weft__free(job, sizeof(*job));
}

/* The signal that a call has sent to who made it, which is this thread: it blocks them. */
static int take_signal(long result)
{
	uint64_t set = UINT64_C(1) << (SIGPIPE - 1) | UINT64_C(1) << (SIGXFSZ - 1);
	struct timespec now = {0, 0};
	long signal;

	if ((result != -EPIPE && result != -EFBIG) || weft__denied[SYS_rt_sigtimedwait])
		return 0;
	signal = weft__raw(SYS_rt_sigtimedwait, &set, NULL, &now, sizeof(set));
	return signal < 0 ? 0 : (int)signal;
}

/* The first of an order has been done, or cannot be: who is first now, or NULL. With the lock. */
static struct weft__job *next_in_order(struct weft__job *job)
{
	struct weft__job **place = &pool.orders, *next = job->behind;

	if (job->order == 0)
		return NULL;
	while (*place != job)
		place = &(*place)->next_first;
	if (next == NULL) {
		__atomic_store_n(place, job->next_first, __ATOMIC_RELAXED);
		return NULL;
	}
	next->behind = next->next;
	next->last = job->last;
	next->next_first = job->next_first;
	*place = next;
	return next;
}

static struct weft__job *run_job(struct weft__job *job, int tid)
{
	struct weft__job *next;

	job_here = job;
	if (job->run != NULL)
		job->result = job->run(job);
	else
		do
			job->result = weft__stoppable(&job->stopped, job->nr, job->arg);
		while (job->result == -EINTR && !job->stopped);
	job->signal = take_signal(job->result);
	lock_pool();
	job->tid = 0;
	next = next_in_order(job);
	if (next != NULL)
		next->tid = tid;
	if (job->generation == pool.generation) {
		if (next == NULL)
			pool.idle++;
		if (!job->ends)
			pool.lasting--;
	}
	unlock_pool();
	job_here = NULL;
	end_job(job);
	return next;
}

static void run_jobs(void *arg)
{
	uint64_t mask = ~(UINT64_C(1) << (WEFT__OFFLOAD_SIGNAL - 1));
	unsigned int generation = (unsigned int)(uintptr_t)arg;
	int tid = weft__kernel_thread_id();
	struct weft__job *job;

	weft__raw(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
	lock_pool();
	if (generation == pool.generation)
		pool.begun++;
	unlock_pool();
	while ((job = wait_for_job(generation, tid)) != NULL)
		while (job != NULL)
			job = run_job(job, tid);
	while (is_parent)
		weft__raw(SYS_pause);
}

void weft__offload_is_parent(void)
{
	is_parent = true;
}

/* Take a job out of the queue; false when a thread has it. With the lock. */
static bool withdraw(const struct weft__job *job)
{
	struct weft__job **place = &pool.first;

	while (*place != NULL && *place != job)
		place = &(*place)->next;
	if (*place == NULL)
		return false;
	remove_at(place);
	if (job->generation == pool.generation && !job->ends)
		pool.lasting--;
	return true;
}

/*
 * Where no data may go with it, the receiver is known by being an offload thread. None is sent from
 * whose handler there is no return: the job's end is waited for then.
 */
static void send_stop(int tid)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_code = SI_QUEUE;
	info.si_ptr = &pool;
	if (weft__denied[SYS_getpid] || weft__denied[SYS_rt_sigreturn])
		return;
	if (!weft__denied[SYS_rt_tgsigqueueinfo])
		weft__raw(SYS_rt_tgsigqueueinfo, weft__raw(SYS_getpid), tid, WEFT__OFFLOAD_SIGNAL,
			  &info);
	else if (!weft__denied[SYS_tgkill])
		weft__raw(SYS_tgkill, weft__raw(SYS_getpid), tid, WEFT__OFFLOAD_SIGNAL);
}

/* Have a job end soon; true when it has not begun, and will not. */
static bool stop(struct weft__job *job)
{
	bool unbegun;

	lock_pool();
	job->stopped = job->ends ? WEFT__STOP_BEGUN : WEFT__STOP;
	unbegun = !job->ends && withdraw(job);
	if (!unbegun && job->tid != 0)
		send_stop(job->tid);
	unlock_pool();
	return unbegun;
}

/* A call that the kernel has begun, and is about to start over, has left its mark in rcx. */
static bool is_to_end(const struct weft__job *job, uintptr_t pc, uintptr_t rcx)
{
	if (job->stopped == WEFT__STOP)
		return pc >= (uintptr_t)weft__stoppable && pc <= (uintptr_t)weft__stoppable_call;
	return job->stopped == WEFT__STOP_BEGUN && pc == (uintptr_t)weft__stoppable_call &&
	       rcx == (uintptr_t)weft__stoppable_end;
}

bool weft__offload_stop(const siginfo_t *info, ucontext_t *ucontext)
{
	greg_t *reg = ucontext->uc_mcontext.gregs;
	uintptr_t pc = (uintptr_t)reg[REG_RIP];

	if (info->si_signo != WEFT__OFFLOAD_SIGNAL)
		return false;
	if ((info->si_code != SI_QUEUE || info->si_ptr != &pool) &&
	    (info->si_code != SI_TKILL || job_here == NULL))
		return false;
	if (job_here != NULL && is_to_end(job_here, pc, (uintptr_t)reg[REG_RCX])) {
		reg[REG_RAX] = -EINTR;
		reg[REG_RIP] = (greg_t)(uintptr_t)weft__stoppable_end;
	}
	return true;
}

/* How many calls that may last are made at once: the others' are not to wait for them. */
static unsigned int most_lasting(void)
{
	unsigned int most = weft__offload_most;

	if (pool.stay) /* all waits may be theirs, and one for each was made */
		return most;
	return most - (most >= 4 ? most / 4 : most > 1 ? 1 : 0);
}

/* Put a job behind the first of its order; false when it is that itself. With the lock. */
static bool line_up(struct weft__job *job)
{
	struct weft__job *first = pool.orders;

	while (first != NULL && first->order != job->order)
		first = first->next_first;
	job->behind = job->next = NULL;
	job->generation = pool.generation;
	if (first == NULL) {
		job->next_first = pool.orders;
		__atomic_store_n(&pool.orders, job, __ATOMIC_RELAXED);
		return false;
	}
	if (first->behind == NULL)
		first->behind = job;
	else
		first->last->next = job;
	first->last = job;
	return true;
}

bool weft__offload_in_order(uint32_t order)
{
	struct weft__job *job;

	if (__atomic_load_n(&pool.orders, __ATOMIC_RELAXED) == NULL)
		return false;
	lock_pool();
	for (job = pool.orders; job != NULL && job->order != order; job = job->next_first)
		;
	unlock_pool();
	return job != NULL;
}

/* Make room for a job and queue it, with the lock; false when nobody could be expected to do it. */
static bool admit(struct weft__job *job, bool *ret_thread_wanted)
{
	bool short_of_threads = pool.queued >= pool.idle;
	bool full = pool.threads >= weft__offload_most;

	if (job->ends ? full && pool.lasting >= pool.threads : pool.lasting >= most_lasting())
		return false;
	if (job->order != 0 && line_up(job))
		return true;
	*ret_thread_wanted = short_of_threads && !full;
	if (*ret_thread_wanted) {
		pool.threads++;
		pool.idle++;
		if (pool.threads > weft__stats.offload_threads)
			weft__stats.offload_threads = pool.threads;
	}
	if (!job->ends)
		pool.lasting++;
	append(job);
	return true;
}

/* No thread could be made for a job; true when another has taken it, or will. */
static bool do_without(struct weft__job *job, unsigned int generation)
{
	bool taken;

	lock_pool();
	if (generation == pool.generation) {
		pool.threads--;
		pool.idle--;
	}
	taken = (job->ends && pool.threads > pool.lasting) || !withdraw(job);
	if (!taken)
		weft__check(next_in_order(job) == NULL); /* no task has run since it was queued */
	unlock_pool();
	return taken;
}

/* Queue a job; false when it cannot be done. */
static bool push(struct weft__job *job)
{
	bool admitted, thread_wanted = false, queued;
	unsigned int generation;

	lock_pool();
	generation = pool.generation;
	admitted = admit(job, &thread_wanted);
	queued = pool.queued > 0;
	unlock_pool();
	if (!admitted)
		return false;
	if (!thread_wanted && queued)
		post(1);
	else if (!thread_wanted)
		return true;
	else if (weft__kernel_thread_make(run_jobs, (void *)(uintptr_t)generation) != 0)
		return do_without(job, generation);
	return true;
}

/* End the wait for a job early; false when the job is somebody else's then. */
static bool give_up(struct weft__job *job)
{
	if (weft__offload_stops) {
		if (stop(job))
			return true;
	} else if (__atomic_exchange_n(&job->task, NULL, __ATOMIC_ACQ_REL) != NULL) {
		return false;
	}
	weft__park_firmly(); /* it ends soon, or has already: its wake is on the way */
	return true;
}

static int make_call(struct weft__job *call)
{
	struct weft__job *job;

	job = weft__alloc(sizeof(*job));
	if (job == NULL)
		return -ENOMEM;
	*job = *call;
	job->task = weft__current;
	job->result = -EINTR;
	job->stopped = job->signal = 0;
	job->tid = 0;
	if (job->data_arg >= 0)
		job->arg[job->data_arg] = (long)job->data;
	if (!push(job)) {
		weft__free(job, sizeof(*job));
		return -EAGAIN;
	}
	weft__count(weft__stats.offloads);
	call->result = -EINTR;
	call->signal = 0;
	if (job->run != NULL)
		weft__park_firmly();
	else if (weft__park(0) == -EINTR && !give_up(job))
		return 0;
	call->result = job->result;
	call->signal = job->signal;
	weft__free(job, sizeof(*job));
	return 0;
}

int weft__offload_call(struct weft__job *call)
{
	bool told;
	int err;

	if (weft__likely(weft__offload_waits == NULL))
		return make_call(call);
	told = weft__offload_waits(call);
	err = make_call(call);
	if (told)
		weft__offload_waits(NULL);
	return err;
}

long weft__offload(struct weft__job *call)
{
	int err = weft__offload_call(call);

	return err != 0 ? err : call->result;
}

void weft__offload_retire(void)
{
	bool any;

	lock_pool();
	any = pool.threads != 0;
	if (any) {
		pool.generation++;
		pool.threads = pool.idle = pool.queued = pool.lasting = pool.begun = 0;
	}
	unlock_pool();
	if (any)
		post(INT_MAX);
}

/* Make one thread for no job; whether it could be made. */
static bool add_idle(void)
{
	unsigned int generation;

	lock_pool();
	generation = pool.generation;
	pool.threads++;
	pool.idle++;
	if (pool.threads > weft__stats.offload_threads)
		weft__stats.offload_threads = pool.threads;
	unlock_pool();
	if (weft__kernel_thread_make(run_jobs, (void *)(uintptr_t)generation) == 0)
		return true;
	lock_pool();
	pool.threads--;
	pool.idle--;
	unlock_pool();
	return false;
}

void weft__offload_reserve(unsigned int threads)
{
	pool.stay = true;
	if (threads > weft__offload_most)
		weft__offload_most = threads;
	while (pool.threads < threads && add_idle())
		;
	while (__atomic_load_n(&pool.begun, __ATOMIC_ACQUIRE) < pool.threads)
		weft__raw(SYS_sched_yield);
}

bool weft__offload_makes(const bool denied[WEFT__DENIABLE])
{
	static const short needed[] = {SYS_futex,  SYS_mmap, SYS_mprotect,
				       SYS_munmap, SYS_exit, SYS_rt_sigprocmask};

	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++)
		if (denied[needed[i]])
			return false;
	return !denied[SYS_clone] || !denied[SYS_clone3];
}

void weft__offload_restrict(void)
{
	if (weft__denied[SYS_futex])
		weft__offload_most = 0;
	else if (!weft__offload_makes(weft__denied))
		weft__offload_most = pool.threads;
}

void weft__offload_clear(void)
{
	pool.lock = 0;
	pool.first = pool.orders = NULL;
	pool.queued = pool.idle = pool.threads = pool.lasting = pool.begun = 0;
	pool.stay = false;
	weft__kernel_threads_forked();
}
