/* See schedule.h. The rules are those of __sched_setscheduler() of Linux, up to 6.18. */
#include "schedule.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>

#include "denied.h"
#include "memory.h"
#include "shim.h"
#include "thread.h"

#ifndef SCHED_DEADLINE
#define SCHED_DEADLINE 6
#endif
#define SCHED_EXT 7 /* Linux 6.12 */

#define HIGHEST_PRIORITY 99
#define SHORTEST_RUNTIME 1024 /* DL_SCALE */
#define BY_PROCESS 1          /* IOPRIO_WHO_PROCESS */

static bool is_real_time(int policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

static bool is_fair(int policy)
{
	return policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_EXT;
}

static uint64_t limit_of(int resource)
{
	struct rlimit limit = {0, 0};

	weft__raw(SYS_getrlimit, resource, &limit);
	return limit.rlim_cur;
}

/* Whether the calling thread is of the first user namespace: the kernel asks for a capability there. */
static bool in_first_namespace(void)
{
	static const char all[] = " 4294967295\n";
	char map[64];
	long file = weft__raw(SYS_openat, AT_FDCWD, "/proc/self/uid_map", O_RDONLY | O_CLOEXEC), n;

	if (file < 0)
		return true; /* a kernel without namespaces, or no /proc */
	n = weft__raw(SYS_read, file, map, sizeof(map));
	weft__raw(SYS_close, file);
	return n >= (long)sizeof(all) &&
	       memcmp(map + n - (sizeof(all) - 1), all, sizeof(all) - 1) == 0;
}

static bool may_anything(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct sets[2] = {{.effective = 0}};

	weft__raw(SYS_capget, &header, sets);
	return (sets[0].effective & 1U << CAP_SYS_NICE) != 0 && in_first_namespace();
}

/* RLIMIT_NICE counts from 1 for a nice value of 19 to 40 for -20. */
static bool limit_allows_nice(int nice)
{
	return (uint64_t)(20 - nice) <= limit_of(RLIMIT_NICE);
}

bool weft__schedule_may_nice(int nice)
{
	return limit_allows_nice(nice) || may_anything();
}

static bool is_valid(const struct weft__wish *wish, int policy)
{
	if (wish->priority < 0 || wish->priority > HIGHEST_PRIORITY)
		return false;
	if (policy == SCHED_DEADLINE && (wish->deadline == 0 || wish->runtime < SHORTEST_RUNTIME ||
					 wish->runtime > wish->deadline ||
					 (wish->period != 0 && wish->period < wish->deadline)))
		return false;
	return is_real_time(policy) == (wish->priority != 0);
}

/* Whether anybody may: what is left needs CAP_SYS_NICE. */
static bool is_modest(const struct weft__schedule *now, const struct weft__wish *wish, int policy)
{
	if (is_fair(policy) && wish->nice < now->nice && !limit_allows_nice(wish->nice))
		return false;
	if (is_real_time(policy)) {
		uint64_t limit = limit_of(RLIMIT_RTPRIO);

		if (policy != now->policy && limit == 0)
			return false;
		if (wish->priority > now->priority && (uint64_t)wish->priority > limit)
			return false;
	}
	if (policy == SCHED_DEADLINE)
		return false;
	if (now->policy == SCHED_IDLE && policy != SCHED_IDLE && !limit_allows_nice(now->nice))
		return false;
	return !now->reset_on_fork || wish->reset_on_fork || wish->policy < 0;
}

/* Where it waits, it stands before those of lower priority. */
static void set_priority(struct weft__thread *thread)
{
	thread->task.priority = thread->schedule.priority;
}

long weft__schedule_set(struct weft__thread *thread, const struct weft__wish *wish)
{
	struct weft__schedule *now = &thread->schedule;
	int policy = wish->policy < 0 ? now->policy : wish->policy;

	if (!is_fair(policy) && !is_real_time(policy) && policy != SCHED_IDLE &&
	    policy != SCHED_DEADLINE)
		return -EINVAL;
	if (!is_valid(wish, policy))
		return -EINVAL;
	if (!is_modest(now, wish, policy) && !may_anything())
		return -EPERM;
	if (policy == SCHED_DEADLINE)
		return -EBUSY; /* the carrier's time cannot be promised to one task */
	if (wish->policy >= 0)
		now->reset_on_fork = wish->reset_on_fork;
	now->policy = (uint8_t)policy;
	now->priority = (uint8_t)wish->priority;
	if (is_fair(policy))
		now->nice = (int16_t)wish->nice;
	set_priority(thread);
	return 0;
}

void weft__schedule_learn(struct weft__thread *main)
{
	struct weft__schedule *now = &main->schedule;
	struct sched_param param = {.sched_priority = 0};
	long policy = weft__raw(SYS_sched_getscheduler, 0);

	weft__raw(SYS_sched_getparam, 0, &param);
	now->policy = (uint8_t)(policy & ~(long)SCHED_RESET_ON_FORK);
	now->reset_on_fork = (policy & SCHED_RESET_ON_FORK) != 0;
	now->priority = is_real_time(now->policy) ? (uint8_t)param.sched_priority : 0;
	now->nice = (int16_t)(20 - weft__raw(SYS_getpriority, PRIO_PROCESS, 0));
	now->io_priority = (uint16_t)weft__raw(SYS_ioprio_get, BY_PROCESS, 0);
	set_priority(main);
}

void weft__schedule_inherit(struct weft__thread *thread, const struct weft__thread *parent)
{
	const struct weft__processors *from = parent->schedule.processors;
	struct weft__schedule *now = &thread->schedule;

	*now = parent->schedule;
	now->processors = NULL;
	if (from != NULL)
		weft__schedule_place(thread, from->mask, from->bytes);
	if (weft__unlikely(now->reset_on_fork)) {
		if (is_real_time(now->policy)) {
			now->policy = SCHED_OTHER;
			now->priority = 0;
			now->nice = 0;
		} else if (now->nice < 0) {
			now->nice = 0;
		}
		now->reset_on_fork = false;
	}
	set_priority(thread);
}

void weft__schedule_drop(struct weft__thread *thread)
{
	struct weft__processors *processors = thread->schedule.processors;

	if (processors != NULL)
		weft__free(processors, sizeof(*processors) + processors->bytes);
}

long weft__schedule_place(struct weft__thread *thread, const unsigned char *mask, size_t bytes)
{
	struct weft__processors *copy = weft__alloc(sizeof(*copy) + bytes);

	if (copy == NULL)
		return -ENOMEM;
	copy->bytes = bytes;
	memcpy(copy->mask, mask, bytes);
	weft__schedule_drop(thread);
	thread->schedule.processors = copy;
	weft__schedule_show(thread);
	return 0;
}

/* The first of some processors; -1 when they are all that the carrier may use. */
static __attribute__((noinline)) int32_t confined_to(const struct weft__processors *own)
{
	unsigned char carrier[1024] = {0};
	int32_t first = -1;
	bool confined = false;
	long n;

	if (weft__denied[SYS_sched_getaffinity])
		return -1;
	n = weft__raw(SYS_sched_getaffinity, 0, sizeof(carrier), carrier);
	for (long i = 0; i < n * 8; i++) {
		bool may = (size_t)i / 8 < own->bytes && (own->mask[i / 8] >> i % 8 & 1) != 0;

		if (may && first < 0)
			first = (int32_t)i;
		confined = confined || (!may && (carrier[i / 8] >> i % 8 & 1) != 0);
	}
	return confined ? first : -1;
}

void weft__schedule_show(const struct weft__thread *thread)
{
	int32_t processor, ids[2]; /* cpu_id_start and cpu_id of struct rseq */

	if (thread->rseq == 0)
		return;
	processor =
		thread->schedule.processors == NULL ? -1 : confined_to(thread->schedule.processors);
	ids[0] = processor < 0 ? 0 : processor;
	ids[1] = processor;
	weft__copy((void *)thread->rseq, ids, sizeof(ids));
}
