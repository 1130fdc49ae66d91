/*
 * See offload.h.
 *
 * Jobs are pushed by tasks and popped by offload threads, under one spin lock that is held for a
 * few instructions. Idle threads wait on `posted` by raw futex: the program's parking lot must
 * not see them. Threads are made by the hub, whose own thread pointer is no task's, so that
 * libc makes a kernel thread and not a task.
 */
#include "offload.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <uv.h>

#include "scheduler.h"
#include "stats.h"

unsigned int weft__offload_most = 64;

static struct {
	int lock;
	struct weft__job *first, **last;
	unsigned int queued, idle, threads;
	unsigned int starting; /* made, and not yet there to take a job */
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

	if (task != NULL) {
		weft__wake_remote(task);
		return;
	}
	/* A wake that nobody hears of was somebody else's. */
	if (job->nr == SYS_futex && job->result == 0)
		weft__raw(SYS_futex, job->arg[0], FUTEX_WAKE, 1);
	free(job);
}

static void run_jobs(void *unused)
{
	uint64_t all = UINT64_MAX;

	(void)unused;
	weft__raw(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof(all));
	__atomic_sub_fetch(&pool.starting, 1, __ATOMIC_RELAXED);
	for (;;) {
		struct weft__job *job = wait_for_job();

		job->result = weft__raw6(job->nr, job->arg[0], job->arg[1], job->arg[2],
					 job->arg[3], job->arg[4], job->arg[5]);
		end_job(job);
	}
}

/* Whether a job would wait behind others: they may be waiting for what this one's caller does. */
static bool is_full(void)
{
	unsigned int idle = __atomic_load_n(&pool.idle, __ATOMIC_RELAXED),
		     threads = count_threads();
	unsigned int room = weft__offload_most > threads ? weft__offload_most - threads : 0;

	return __atomic_load_n(&pool.queued, __ATOMIC_RELAXED) >= room + idle;
}

long weft__offload(const struct weft__job *call)
{
	struct weft__job *job;
	long result;

	if (is_full())
		return -EAGAIN;
	job = malloc(sizeof(*job));
	if (job == NULL)
		return -ENOMEM;
	*job = *call;
	job->task = weft__current;
	if (job->data_arg >= 0)
		job->arg[job->data_arg] = (long)job->data;
	weft__count(weft__stats.offloads);
	push(job);
	if (weft__park(0) == -EINTR) {
		if (__atomic_exchange_n(&job->task, NULL, __ATOMIC_ACQ_REL) != NULL)
			return -EINTR;
		weft__park_firmly(); /* it is done already: its wake is on the way */
	}
	result = job->result;
	free(job);
	return result;
}

long weft__offload_waitv(struct weft__job *job)
{
	if (is_full())
		return WEFT__NO_THREAD;
	job->task = weft__current;
	job->cancel = 0;
	weft__count(weft__stats.offloads);
	push(job);
	if (weft__park(0) != -EINTR)
		return job->result;
	__atomic_store_n(&job->cancel, 1, __ATOMIC_RELEASE);
	weft__raw(SYS_futex, &job->cancel, FUTEX_WAKE_PRIVATE, 1);
	weft__park_firmly();
	return job->result > 0 ? job->result : -EINTR;
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
		job->result = job->nr == SYS_futex_waitv ? WEFT__NO_THREAD : -EAGAIN;
		end_job(job);
	}
}

void weft__offload_serve(void)
{
	uv_thread_t thread;

	while (__atomic_load_n(&pool.queued, __ATOMIC_RELAXED) >
		       __atomic_load_n(&pool.idle, __ATOMIC_RELAXED) +
			       __atomic_load_n(&pool.starting, __ATOMIC_RELAXED) &&
	       count_threads() < weft__offload_most) {
		__atomic_add_fetch(&pool.starting, 1, __ATOMIC_RELAXED);
		if (uv_thread_create(&thread, run_jobs, NULL) != 0) {
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
