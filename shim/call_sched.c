/*
 * Calls that ask how a thread is scheduled, or wish it (schedule.h).
 *
 * An id of 0 means the thread that calls. The main thread's, and other processes', are left to
 * the kernel: whoever gives the main thread a policy gives it to the carrier, with all tasks.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>

#include "carriers.h"
#include "handlers.h"
#include "schedule.h"
#include "shim.h"
#include "thread.h"

#define BY_PROCESS 1 /* IOPRIO_WHO_PROCESS */
#define PAGE 4096
#define MASK_BYTES 512 /* 4096 processors; with more the kernel answers for the carrier */

/* sched_setattr(2): <linux/sched/types.h> and <sched.h> cannot be included together. */
struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t clamp_min, clamp_max;
};

#define FIRST_SIZE 48
#define FLAG_RESET_ON_FORK 0x01U
#define FLAG_KEEP_POLICY 0x08U
#define FLAG_KEEP_PARAMS 0x10U
#define FLAGS_CLAMP 0x60U
#define FLAGS_ALL 0x7fU

/* The thread a call is about: 0 and a task, -ESRCH, or WEFT__PASS when the kernel knows better. */
static long subject(long id, struct weft__thread **thread)
{
	int tid = (int)id;

	*thread = tid == 0 ? weft__thread_here() : weft__thread_by_tid(tid);
	if (*thread == &weft__main_thread || (*thread == NULL && tid < WEFT__FIRST_TID))
		return WEFT__PASS;
	return *thread == NULL ? -ESRCH : 0;
}

/* A call about the main thread, which every carrier makes about itself. */
static long set_for_all(const struct weft__call *c)
{
	struct weft__call own = *c;
	long result;

	own.arg[c->nr == SYS_setpriority || c->nr == SYS_ioprio_set ? 1 : 0] = 0;
	result = weft__raw(own.nr, own.arg[0], own.arg[1], own.arg[2], own.arg[3]);
	if (!weft__failed(result))
		weft__call_for_others(&own);
	return result;
}

/* The kernel's answer for the main thread, whose children inherit what it set; or anybody else. */
static long let_kernel_set(const struct weft__call *c, const struct weft__thread *thread)
{
	long result;

	if (thread != &weft__main_thread)
		return WEFT__PASS;
	result = set_for_all(c);
	weft__schedule_learn(&weft__main_thread);
	return result;
}

static long set_policy(const struct weft__call *c, int policy, const struct sched_param *from)
{
	struct weft__wish wish = {.policy = policy};
	struct weft__thread *thread;
	struct sched_param param;
	long err;

	if (from == NULL || (int)c->arg[0] < 0)
		return -EINVAL;
	if (weft__copy(&param, from, sizeof(param)) != 0)
		return -EFAULT;
	err = subject(c->arg[0], &thread);
	if (err != 0)
		return err == WEFT__PASS ? let_kernel_set(c, thread) : err;
	if (policy >= 0) {
		wish.policy = policy & ~SCHED_RESET_ON_FORK;
		wish.reset_on_fork = (policy & SCHED_RESET_ON_FORK) != 0;
	}
	wish.priority = param.sched_priority;
	wish.nice = thread->schedule.nice;
	return weft__schedule_set(thread, &wish);
}

long on_sched_setscheduler(struct weft__call *c)
{
	if ((int)c->arg[1] < 0)
		return -EINVAL;
	return set_policy(c, (int)c->arg[1], (const struct sched_param *)c->arg[2]);
}

long on_sched_setparam(struct weft__call *c)
{
	return set_policy(c, -1, (const struct sched_param *)c->arg[1]);
}

long on_sched_getscheduler(struct weft__call *c)
{
	struct weft__thread *thread;
	long err = subject(c->arg[0], &thread);

	if (err != 0)
		return err;
	return thread->schedule.policy | (thread->schedule.reset_on_fork ? SCHED_RESET_ON_FORK : 0);
}

long on_sched_getparam(struct weft__call *c)
{
	struct sched_param param = {.sched_priority = 0};
	struct weft__thread *thread;
	long err = subject(c->arg[0], &thread);

	if (c->arg[1] == 0)
		return -EINVAL;
	if (err != 0)
		return err;
	param.sched_priority = thread->schedule.priority;
	return weft__copy((void *)c->arg[1], &param, sizeof(param));
}

/* Read what may be longer than weft knows, if the rest of it is zero (copy_struct_from_user()). */
static long read_attributes(uintptr_t from, struct attributes *to)
{
	uint32_t size, ours = sizeof(*to);
	char more;

	if (weft__load(from, &size) != 0)
		return -EFAULT;
	if (size == 0)
		size = FIRST_SIZE;
	for (size_t i = ours; i < size && size <= PAGE; i++) {
		if (weft__copy(&more, (const void *)(from + i), 1) != 0)
			return -EFAULT;
		if (more != 0)
			size = PAGE + 1;
	}
	if (size < FIRST_SIZE || size > PAGE)
		return weft__copy((void *)from, &ours, sizeof(ours)) != 0 ? -EFAULT : -E2BIG;
	memset(to, 0, sizeof(*to));
	if (weft__copy(to, (const void *)from, size < ours ? size : ours) != 0)
		return -EFAULT;
	return (to->flags & FLAGS_CLAMP) != 0 && size < ours ? -EINVAL : 0;
}

static long set_attributes(struct weft__thread *thread, const struct attributes *asked)
{
	const struct weft__schedule *now = &thread->schedule;
	struct weft__wish wish = {.policy = (int)asked->policy,
				  .priority = asked->priority > PAGE ? PAGE : (int)asked->priority,
				  .nice = asked->nice,
				  .reset_on_fork = (asked->flags & FLAG_RESET_ON_FORK) != 0,
				  .runtime = asked->runtime,
				  .deadline = asked->deadline,
				  .period = asked->period};

	if (wish.nice < -20)
		wish.nice = -20;
	if (wish.nice > 19)
		wish.nice = 19;
	if ((asked->flags & FLAG_KEEP_POLICY) != 0)
		wish.policy = -1;
	if ((asked->flags & FLAG_KEEP_PARAMS) != 0) {
		wish.priority = now->priority;
		wish.nice = now->nice;
	}
	if ((asked->flags & ~(uint64_t)FLAGS_ALL) != 0)
		return -EINVAL;
	if ((asked->flags & FLAGS_CLAMP) != 0)
		return -EOPNOTSUPP; /* as without CONFIG_UCLAMP_TASK */
	return weft__schedule_set(thread, &wish);
}

long on_sched_setattr(struct weft__call *c)
{
	struct attributes asked;
	struct weft__thread *thread;
	long err, unread;

	if (c->arg[1] == 0 || (int)c->arg[0] < 0 || (unsigned int)c->arg[2] != 0)
		return -EINVAL;
	err = subject(c->arg[0], &thread);
	if (err == WEFT__PASS)
		return let_kernel_set(c, thread);
	unread = read_attributes((uintptr_t)c->arg[1], &asked);
	if (unread != 0)
		return unread;
	if ((int)asked.policy < 0)
		return -EINVAL;
	return err != 0 ? err : set_attributes(thread, &asked);
}

/* The carrier's, with the task's own in their places. */
long on_sched_getattr(struct weft__call *c)
{
	struct attributes told;
	struct weft__thread *thread;
	long err = subject(c->arg[0], &thread), result;

	if (err == WEFT__PASS)
		return err;
	result = weft__raw(c->nr, 0, c->arg[1], c->arg[2], c->arg[3]);
	if (result != 0)
		return result;
	if (err != 0)
		return err;
	if (weft__copy(&told, (const void *)c->arg[1], FIRST_SIZE) != 0)
		return -EFAULT;
	told.policy = (uint32_t)thread->schedule.policy;
	told.priority = (uint32_t)thread->schedule.priority;
	told.nice = told.priority != 0 ? 0 : thread->schedule.nice;
	told.flags = (told.flags & ~(uint64_t)FLAG_RESET_ON_FORK) |
		     (thread->schedule.reset_on_fork ? FLAG_RESET_ON_FORK : 0);
	if (told.priority != 0)
		told.runtime = 0;
	return weft__copy((void *)c->arg[1], &told, FIRST_SIZE);
}

/* RR_TIMESLICE, 100 ms unless somebody has changed it. The fair ones' is the carrier's. */
long on_sched_rr_get_interval(struct weft__call *c)
{
	struct timespec slice = {0, 0};
	struct weft__thread *thread;
	long err = (int)c->arg[0] < 0 ? -EINVAL : subject(c->arg[0], &thread);

	if (err != 0)
		return err;
	if (thread->schedule.policy == SCHED_RR)
		slice.tv_nsec = 100000000;
	else if (thread->schedule.policy != SCHED_FIFO)
		weft__raw(c->nr, 0, &slice);
	return weft__copy((void *)c->arg[1], &slice, sizeof(slice));
}

/* When the main thread moves, the tasks that are where it was stay, as threads would. */
static void leave_others(void *mask)
{
	struct weft__processors *old = mask;

	for (struct weft__thread *thread = weft__thread_next(NULL); thread != NULL;
	     thread = weft__thread_next(thread))
		if (thread != &weft__main_thread && thread->schedule.processors == NULL)
			weft__schedule_place(thread, old->mask, old->bytes);
}

static long move_main(const struct weft__call *c)
{
	union {
		struct weft__processors set;
		unsigned char room[sizeof(struct weft__processors) + MASK_BYTES];
	} old;
	long n = weft__raw(SYS_sched_getaffinity, 0, MASK_BYTES, old.set.mask), result;

	result = set_for_all(c);
	if (result == 0 && n > 0) {
		old.set.bytes = (size_t)n;
		leave_others(&old);
	}
	return result;
}

/* Which processors it comes to, and whether there are any, is tried on the carrier and undone. */
long on_sched_setaffinity(struct weft__call *c)
{
	unsigned char old[MASK_BYTES], now[MASK_BYTES];
	struct weft__thread *thread;
	long err = subject(c->arg[0], &thread), bytes, n;

	if (err == WEFT__PASS)
		return thread == &weft__main_thread ? move_main(c) : err;
	bytes = weft__raw(SYS_sched_getaffinity, 0, sizeof(old), old);
	if (weft__failed(bytes))
		return WEFT__PASS;
	n = (unsigned int)c->arg[1] < bytes ? (unsigned int)c->arg[1] : bytes;
	if (weft__copy(now, (const void *)c->arg[2], (size_t)n) != 0)
		return -EFAULT;
	if (err != 0)
		return err;
	err = weft__raw(SYS_sched_setaffinity, 0, n, now);
	if (err == 0)
		bytes = weft__raw(SYS_sched_getaffinity, 0, sizeof(now), now);
	weft__raw(SYS_sched_setaffinity, 0, bytes, old);
	return err != 0 ? err : weft__schedule_place(thread, now, (size_t)bytes);
}

long on_sched_getaffinity(struct weft__call *c)
{
	const struct weft__processors *own;
	struct weft__thread *thread;
	long err = subject(c->arg[0], &thread), result;

	if (err == WEFT__PASS)
		return err;
	result = weft__raw(c->nr, 0, c->arg[1], c->arg[2]);
	if (result < 0 || err != 0)
		return result < 0 ? result : err;
	own = thread->schedule.processors;
	if (own != NULL && weft__copy((void *)c->arg[2], own->mask,
				      own->bytes < (size_t)result ? own->bytes : (size_t)result))
		return -EFAULT;
	return result;
}

long on_getpriority(struct weft__call *c)
{
	struct weft__thread *thread;
	long err = (int)c->arg[0] == PRIO_PROCESS ? subject(c->arg[1], &thread) : WEFT__PASS;

	return err != 0 ? err : 20 - thread->schedule.nice;
}

long on_setpriority(struct weft__call *c)
{
	struct weft__thread *thread;
	int nice = (int)c->arg[2];
	long err;

	if ((int)c->arg[0] != PRIO_PROCESS)
		return WEFT__PASS;
	err = subject(c->arg[1], &thread);
	if (err != 0)
		return err == WEFT__PASS ? let_kernel_set(c, thread) : err;
	nice = nice < -20 ? -20 : nice > 19 ? 19 : nice;
	if (nice < thread->schedule.nice && !weft__schedule_may_nice(nice))
		return -EACCES;
	thread->schedule.nice = (int16_t)nice;
	return 0;
}

long on_ioprio_get(struct weft__call *c)
{
	struct weft__thread *thread;
	long err = (int)c->arg[0] == BY_PROCESS ? subject(c->arg[1], &thread) : WEFT__PASS;

	return err != 0 ? err : thread->schedule.io_priority;
}

/* Whether it may be is tried on the carrier and undone: anybody may go back to what was. */
long on_ioprio_set(struct weft__call *c)
{
	struct weft__thread *thread;
	long err, old;

	if ((int)c->arg[0] != BY_PROCESS)
		return WEFT__PASS;
	err = subject(c->arg[1], &thread);
	if (err == WEFT__PASS)
		return let_kernel_set(c, thread);
	old = weft__raw(SYS_ioprio_get, BY_PROCESS, 0);
	if (err == 0) {
		err = weft__raw(c->nr, BY_PROCESS, 0, c->arg[2]);
		if (err == 0)
			thread->schedule.io_priority =
				(uint16_t)weft__raw(SYS_ioprio_get, BY_PROCESS, 0);
		weft__raw(c->nr, BY_PROCESS, 0, old);
	}
	return err;
}

long on_get_robust_list(struct weft__call *c)
{
	size_t bytes = sizeof(struct robust_list_head);
	struct weft__thread *thread;
	long err = subject(c->arg[0], &thread);

	if (err != 0)
		return err;
	if (weft__copy((void *)c->arg[2], &bytes, sizeof(bytes)) != 0)
		return -EFAULT;
	return weft__copy((void *)c->arg[1], &thread->robust_list, sizeof(thread->robust_list));
}
