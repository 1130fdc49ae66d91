/*
 * See offload.h.
 *
 * Jobs are pushed by tasks and popped by offload threads, under one spin lock that is held for a
 * few instructions. Idle threads wait on `posted` by raw futex: the program's parking lot must
 * not see them. Who pushes a job for which no thread is idle makes one, a kernel thread of which
 * libc does not know (kernel_thread.h).
 *
 * A thread has the ids and all else that the carrier had when it was made. When those change, a new
 * generation begins: threads of the one before do what was queued for them, and end.
 *
 * A job whose task is interrupted is stopped: taken out of the queue, or its thread is sent a
 * signal. That may come at any time, when the call has ended and the next one is being made too:
 * the handler looks at what the thread is at, and a call that ended with -EINTR for no reason of its
 * own is made again.
 */
#include "offload.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>

#include "kernel_thread.h"
#include "memory.h"
#include "scheduler.h"
#include "stats.h"

/* stoppable_x86_64.S */
long weft__stoppable(const volatile int *stopped, long nr, const long arg[6]);
extern const char weft__stoppable_call[], weft__stoppable_end[];

unsigned int weft__offload_most = 64;
bool weft__offload_stops;

/* The job this offload thread is at; NULL in all other threads. */
static __thread struct weft__job *job_here __attribute__((tls_model("initial-exec")));

static struct {
	int lock;
	struct weft__job *first, **last;
	unsigned int generation;
	unsigned int threads, idle, queued; /* of this generation; one that begins is idle */
	uint32_t posted;
	unsigned int begun; /* of this generation: they wait for jobs, or are at one */
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
	struct weft__job *job;
	bool retired;

	for (;;) {
		uint32_t posted = __atomic_load_n(&pool.posted, __ATOMIC_ACQUIRE);

		lock_pool();
		job = take(generation, tid);
		retired = generation != pool.generation;
		unlock_pool();
		if (job != NULL || retired)
			return job;
		weft__raw(SYS_futex, &pool.posted, FUTEX_WAIT_PRIVATE, posted, NULL);
	}
}

/* Whoever takes the task out of the job decides: this wake, or that give-up. */
static void end_job(struct weft__job *job)
{
	struct weft_task *task = __atomic_exchange_n(&job->task, NULL, __ATOMIC_ACQ_REL);

	if (task != NULL)
		weft__wake_remote(task);
	else
		weft__free(job, sizeof(*job));
}

static void run_job(struct weft__job *job)
{
	job_here = job;
	do
		job->result = weft__stoppable(&job->stopped, job->nr, job->arg);
	while (job->result == -EINTR && !job->stopped);
	lock_pool();
	job->tid = 0;
	if (job->generation == pool.generation)
		pool.idle++;
	unlock_pool();
	job_here = NULL;
	end_job(job);
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
		run_job(job);
}

/* Take a job out of the queue; false when a thread has it. With the lock. */
static bool unqueue(const struct weft__job *job)
{
	struct weft__job **place = &pool.first;

	while (*place != NULL && *place != job)
		place = &(*place)->next;
	if (*place == NULL)
		return false;
	remove_at(place);
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
	job->stopped = 1;
	unbegun = unqueue(job);
	if (!unbegun && job->tid != 0)
		send_stop(job->tid);
	unlock_pool();
	return unbegun;
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
	if (job_here != NULL && job_here->stopped && pc >= (uintptr_t)weft__stoppable &&
	    pc <= (uintptr_t)weft__stoppable_call) {
		reg[REG_RAX] = -EINTR;
		reg[REG_RIP] = (greg_t)(uintptr_t)weft__stoppable_end;
	}
	return true;
}

/* No thread could be made for a job; true when another has taken it meanwhile. */
static bool withdraw(const struct weft__job *job, unsigned int generation)
{
	bool taken;

	lock_pool();
	if (generation == pool.generation) {
		pool.threads--;
		pool.idle--;
	}
	taken = !unqueue(job);
	unlock_pool();
	return taken;
}

/*
 * Queue a job that will have a thread to itself: one before it may wait for what this one's caller
 * does. False when there is none.
 */
static bool push(struct weft__job *job)
{
	unsigned int generation;
	bool short_of_threads;

	lock_pool();
	generation = pool.generation;
	short_of_threads = pool.queued >= pool.idle;
	if (short_of_threads && pool.threads >= weft__offload_most) {
		unlock_pool();
		return false;
	}
	if (short_of_threads) {
		pool.threads++;
		pool.idle++;
		if (pool.threads > weft__stats.offload_threads)
			weft__stats.offload_threads = pool.threads;
	}
	append(job);
	unlock_pool();
	if (!short_of_threads)
		post(1);
	else if (weft__kernel_thread_make(run_jobs, (void *)(uintptr_t)generation) != 0)
		return withdraw(job, generation);
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

int weft__offload_call(const struct weft__job *call, long *ret_result)
{
	struct weft__job *job;

	job = weft__alloc(sizeof(*job));
	if (job == NULL)
		return -ENOMEM;
	*job = *call;
	job->task = weft__current;
	job->result = -EINTR;
	job->stopped = 0;
	job->tid = 0;
	if (job->data_arg >= 0)
		job->arg[job->data_arg] = (long)job->data;
	if (!push(job)) {
		weft__free(job, sizeof(*job));
		return -EAGAIN;
	}
	weft__count(weft__stats.offloads);
	*ret_result = -EINTR;
	if (weft__park(0) == -EINTR && !give_up(job))
		return 0;
	*ret_result = job->result;
	weft__free(job, sizeof(*job));
	return 0;
}

long weft__offload(const struct weft__job *call)
{
	long result;
	int err = weft__offload_call(call, &result);

	return err != 0 ? err : result;
}

void weft__offload_retire(void)
{
	bool any;

	lock_pool();
	any = pool.threads != 0;
	if (any) {
		pool.generation++;
		pool.threads = pool.idle = pool.queued = pool.begun = 0;
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
	if (threads > weft__offload_most)
		threads = weft__offload_most;
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
	pool.first = NULL;
	pool.queued = pool.idle = pool.threads = pool.begun = 0;
	weft__kernel_threads_forked();
}
