/*
 * See offload.h.
 *
 * Jobs are pushed by tasks and popped by offload threads, under one spin lock that is held for a
 * few instructions. Idle threads wait on `posted` by raw futex: the program's parking lot must
 * not see them. Threads are made by the hub, whose own thread pointer is no task's, so that
 * libc makes a kernel thread and not a task.
 *
 * A job whose task is interrupted is stopped: taken out of the queue, or its thread is sent a
 * signal. That may come at any time, when the call has ended and the next one is being made too:
 * the handler looks at what the thread is at, and a call that ended with -EINTR for no reason of its
 * own is made again.
 */
#include "offload.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <uv.h>

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
	unsigned int queued, idle, threads, starting;
	uint32_t posted;
} pool;

static unsigned int count_threads(void)
{
	return __atomic_load_n(&pool.threads, __ATOMIC_RELAXED);
}

static void lock_pool(void)
{
	while (__atomic_exchange_n(&pool.lock, 1, __ATOMIC_ACQUIRE) != 0)
		__builtin_ia32_pause();
}

static void unlock_pool(void)
{
	__atomic_store_n(&pool.lock, 0, __ATOMIC_RELEASE);
}

static void push(struct weft__job *job)
{
	job->next = NULL;
	lock_pool();
	if (pool.first == NULL)
		pool.last = &pool.first;
	*pool.last = job;
	pool.last = &job->next;
	__atomic_add_fetch(&pool.queued, 1, __ATOMIC_RELAXED); /* read without the lock */
	unlock_pool();
	__atomic_add_fetch(&pool.posted, 1, __ATOMIC_RELEASE);
	weft__raw(SYS_futex, &pool.posted, FUTEX_WAKE_PRIVATE, 1);
}

static struct weft__job *pop(void)
{
	struct weft__job *job;

	lock_pool();
	job = pool.first;
	if (job != NULL) {
		pool.first = job->next;
		__atomic_sub_fetch(&pool.queued, 1, __ATOMIC_RELAXED);
	}
	unlock_pool();
	return job;
}

static struct weft__job *wait_for_job(void)
{
	struct weft__job *job;

	for (;;) {
		uint32_t posted = __atomic_load_n(&pool.posted, __ATOMIC_ACQUIRE);

		job = pop();
		if (job != NULL)
			return job;
		__atomic_add_fetch(&pool.idle, 1, __ATOMIC_RELAXED);
		weft__raw(SYS_futex, &pool.posted, FUTEX_WAIT_PRIVATE, posted, NULL);
		__atomic_sub_fetch(&pool.idle, 1, __ATOMIC_RELAXED);
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

static void note_thread(struct weft__job *job, int tid)
{
	lock_pool();
	job->tid = tid;
	unlock_pool();
}

static void run_job(struct weft__job *job, int tid)
{
	job_here = job;
	note_thread(job, tid);
	do
		job->result = weft__stoppable(&job->stopped, job->nr, job->arg);
	while (job->result == -EINTR && !job->stopped);
	note_thread(job, 0);
	job_here = NULL;
	end_job(job);
}

static void run_jobs(void *unused)
{
	uint64_t mask = ~(UINT64_C(1) << (WEFT__OFFLOAD_SIGNAL - 1));
	int tid = (int)weft__raw(SYS_gettid);

	(void)unused;
	weft__raw(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
	__atomic_sub_fetch(&pool.starting, 1, __ATOMIC_RELAXED);
	for (;;)
		run_job(wait_for_job(), tid);
}

/* Take a job out of the queue; false when a thread has it. With the lock. */
static bool unqueue(const struct weft__job *job)
{
	struct weft__job **place = &pool.first;

	while (*place != NULL && *place != job)
		place = &(*place)->next;
	if (*place == NULL)
		return false;
	*place = job->next;
	if (job->next == NULL)
		pool.last = place;
	__atomic_sub_fetch(&pool.queued, 1, __ATOMIC_RELAXED);
	return true;
}

/* Have a job end soon; true when it has not begun, and will not. */
static bool stop(struct weft__job *job)
{
	siginfo_t info;
	bool unbegun;

	memset(&info, 0, sizeof(info));
	info.si_code = SI_QUEUE;
	info.si_ptr = &pool;
	lock_pool();
	job->stopped = 1;
	unbegun = unqueue(job);
	if (!unbegun && job->tid != 0)
		weft__raw(SYS_rt_tgsigqueueinfo, weft__raw(SYS_getpid), job->tid,
			  WEFT__OFFLOAD_SIGNAL, &info);
	unlock_pool();
	return unbegun;
}

bool weft__offload_stop(const siginfo_t *info, ucontext_t *ucontext)
{
	greg_t *reg = ucontext->uc_mcontext.gregs;
	uintptr_t pc = (uintptr_t)reg[REG_RIP];

	if (info->si_signo != WEFT__OFFLOAD_SIGNAL || info->si_code != SI_QUEUE ||
	    info->si_ptr != &pool)
		return false;
	if (job_here != NULL && job_here->stopped && pc >= (uintptr_t)weft__stoppable &&
	    pc <= (uintptr_t)weft__stoppable_call) {
		reg[REG_RAX] = -EINTR;
		reg[REG_RIP] = (greg_t)(uintptr_t)weft__stoppable_end;
	}
	return true;
}

/* Whether a job has a thread to itself: one before it may wait for what this one's caller does. */
static bool has_room(void)
{
	unsigned int idle = __atomic_load_n(&pool.idle, __ATOMIC_RELAXED),
		     threads = count_threads();
	unsigned int room = weft__offload_most > threads ? weft__offload_most - threads : 0;

	return __atomic_load_n(&pool.queued, __ATOMIC_RELAXED) < room + idle;
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
	int err;

	if (!has_room())
		return -EAGAIN;
	job = weft__alloc(sizeof(*job));
	if (job == NULL)
		return -ENOMEM;
	*job = *call;
	job->task = weft__current;
	job->result = -EINTR;
	job->stopped = 0;
	job->tid = 0;
	job->refused = false;
	if (job->data_arg >= 0)
		job->arg[job->data_arg] = (long)job->data;
	weft__count(weft__stats.offloads);
	push(job);
	*ret_result = -EINTR;
	if (weft__park(0) == -EINTR && !give_up(job))
		return 0;
	*ret_result = job->result;
	err = job->refused ? -EAGAIN : 0;
	weft__free(job, sizeof(*job));
	return err;
}

long weft__offload(const struct weft__job *call)
{
	long result;
	int err = weft__offload_call(call, &result);

	return err != 0 ? err : result;
}

bool weft__offload_waits(void)
{
	return __atomic_load_n(&pool.queued, __ATOMIC_RELAXED) != 0;
}

/* There is no thread and none can be made: what is queued would wait for ever. */
static void refuse_jobs(void)
{
	struct weft__job *job;

	while ((job = pop()) != NULL) {
		job->refused = true;
		end_job(job);
	}
}

/* Signals of the process are not for it: not even before it blocks them itself. */
static int make_thread(void)
{
	uint64_t all = UINT64_MAX, before;
	uv_thread_t thread;
	int err;

	weft__raw(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof(all));
	err = uv_thread_create(&thread, run_jobs, NULL);
	weft__raw(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof(before));
	return err;
}

void weft__offload_serve(void)
{
	while (__atomic_load_n(&pool.queued, __ATOMIC_RELAXED) >
		       __atomic_load_n(&pool.idle, __ATOMIC_RELAXED) +
			       __atomic_load_n(&pool.starting, __ATOMIC_RELAXED) &&
	       count_threads() < weft__offload_most) {
		__atomic_add_fetch(&pool.starting, 1, __ATOMIC_RELAXED);
		if (make_thread() != 0) {
			__atomic_sub_fetch(&pool.starting, 1, __ATOMIC_RELAXED);
			if (count_threads() == 0)
				refuse_jobs();
			return;
		}
		__atomic_add_fetch(&pool.threads, 1, __ATOMIC_RELAXED);
		__atomic_store_n(&weft__stats.offload_threads, count_threads(), __ATOMIC_RELAXED);
	}
}

void weft__offload_clear(void)
{
	pool.lock = 0;
	pool.first = NULL;
	pool.queued = pool.idle = pool.threads = pool.starting = 0;
}
