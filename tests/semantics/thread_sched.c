/* Scheduling attributes: each thread has its own, judged by the kernel's rules, as root or not. */
#include "guest.h"

#include <sched.h>
#include <sys/resource.h>

/* sched_setattr(2); <linux/sched/types.h> and <sched.h> cannot be included together. */
struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t clamp_min, clamp_max;
	uint64_t beyond;
};

static pthread_barrier_t both;
static pid_t target;

static void tell(const char *when, pid_t id)
{
	struct sched_param param = {-1};
	struct attributes now = {0};

	say("%s: policy %d", when, sched_getscheduler(id));
	check(sched_getparam(id, &param) == 0);
	check(syscall(SYS_sched_getattr, id, &now, 48, 0) == 0);
	say("    priority %d, attributes %u %lu %d %u, nice %d, io %ld", param.sched_priority,
	    now.policy, (unsigned long)now.flags, now.nice, now.priority,
	    getpriority(PRIO_PROCESS, (id_t)id), syscall(SYS_ioprio_get, 1, id));
}

static int set_policy(pid_t id, int policy, int priority)
{
	struct sched_param param = {priority};

	return sched_setscheduler(id, policy, &param);
}

static int set_priority(pid_t id, int priority)
{
	struct sched_param param = {priority};

	return sched_setparam(id, &param);
}

static long set_attributes(pid_t id, uint32_t size, uint32_t policy, uint64_t flags, int nice,
			   uint32_t priority, uint64_t beyond)
{
	struct attributes now = {.size = size,
				 .policy = policy,
				 .flags = flags,
				 .nice = nice,
				 .priority = priority,
				 .beyond = beyond};
	long result = syscall(SYS_sched_setattr, id, &now, 0);

	if (result != 0 && errno == E2BIG)
		say("the size that is known: %d", now.size == 56);
	return result;
}

static void set_policies(pid_t id)
{
	show(set_policy(id, SCHED_BATCH, 0));
	tell("batch", id);
	show(set_policy(id, SCHED_OTHER, 0));
	show(set_policy(id, SCHED_OTHER, 1));
	show(set_policy(id, SCHED_FIFO, 0));
	show(set_policy(id, SCHED_FIFO, 100));
	show(set_policy(id, 77, 0));
	show(set_policy(id, -1, 0));
	show(set_policy(-1, SCHED_OTHER, 0));
	show(set_policy(id, SCHED_FIFO, 20));
	tell("fifo", id);
	show(set_priority(id, 30));
	show(set_priority(id, 0));
	show(set_policy(id, SCHED_RR, 10));
	tell("round robin", id);
	show(set_policy(id, SCHED_OTHER, 0));
	show(sched_setscheduler(id, SCHED_OTHER, NULL));
	show(sched_getparam(id, NULL));
}

static void set_nice(pid_t id)
{
	show(setpriority(PRIO_PROCESS, (id_t)id, 3));
	show(setpriority(PRIO_PROCESS, (id_t)id, 2));
	tell("nice", id);
	show(setpriority(PRIO_PROCESS, (id_t)id, 100));
	tell("nicest", id);
	show(setpriority(PRIO_PROCESS, (id_t)id, -100));
	tell("back", id);
	show(set_policy(id, SCHED_IDLE, 0));
	tell("idle", id);
	show(set_policy(id, SCHED_OTHER, 0));
}

static void set_more(pid_t id)
{
	show(set_attributes(id, 48, SCHED_OTHER, 0, 19, 0, 0));
	show(set_attributes(id, 0, SCHED_OTHER, 0, 19, 0, 0));
	show(set_attributes(id, 64, SCHED_OTHER, 0, 19, 0, 0));
	show(set_attributes(id, 64, SCHED_OTHER, 0, 19, 0, 1));
	show(set_attributes(id, 47, SCHED_OTHER, 0, 19, 0, 0));
	show(set_attributes(id, 48, SCHED_OTHER, 0x1000, 19, 0, 0));
	show(set_attributes(id, 48, SCHED_FIFO, 0, 0, 5, 0));
	show(set_attributes(id, 48, SCHED_DEADLINE, 0, 0, 0, 0));
	show(set_attributes(id, 48, 0, 8, 19, 6, 0));
	tell("attributes", id);
	show(set_attributes(id, 48, 0, 16, 0, 0, 0));
	show(syscall(SYS_sched_getattr, id, &both, 47, 0));
	show(syscall(SYS_sched_setattr, id, NULL, 0));
	show(syscall(SYS_ioprio_set, 1, id, 2 << 13 | 7));
	show(syscall(SYS_ioprio_set, 1, id, 2 << 13 | 8));
	show(syscall(SYS_ioprio_set, 1, id, 5 << 13));
	show(syscall(SYS_ioprio_set, 1, id, 1 << 13 | 4));
	tell("io", id);
	show(set_policy(id, SCHED_BATCH | SCHED_RESET_ON_FORK, 0));
	tell("reset on fork", id);
	show(set_policy(id, SCHED_BATCH, 0));
	tell("no longer", id);
}

static void *target_thread(void *arg)
{
	target = gettid();
	tell("inherited", 0);
	pthread_barrier_wait(&both);
	pthread_barrier_wait(&both);
	return arg;
}

static void *own_thread(void *arg)
{
	tell("inherited", 0);
	set_policies(0);
	set_nice(gettid());
	return arg;
}

static void change_another(void)
{
	pthread_t thread = start(target_thread, NULL);
	struct timespec slice;

	pthread_barrier_wait(&both);
	tell("another", target);
	set_policies(target);
	set_nice(target);
	set_more(target);
	show(sched_rr_get_interval(target, &slice));
	show(sched_rr_get_interval(-1, &slice));
	pthread_barrier_wait(&both);
	finish(thread);
	tell("main as before", 0);
	tell("main by its id", getpid());
}

static void errors(void)
{
	show(sched_getscheduler(536870911));
	show(set_policy(536870911, SCHED_OTHER, 0));
	show(set_priority(536870911, 0));
	show(set_attributes(536870911, 48, SCHED_OTHER, 0, 0, 0, 0));
	show(getpriority(PRIO_PROCESS, 536870911));
	show(setpriority(PRIO_PROCESS, 536870911, 0));
	show(syscall(SYS_ioprio_get, 1, 536870911));
	show(syscall(SYS_get_robust_list, 536870911, &both, &both));
}

int main(void)
{
	struct rlimit none = {0, 0};

	check(setrlimit(RLIMIT_NICE, &none) == 0 && setrlimit(RLIMIT_RTPRIO, &none) == 0);
	pthread_barrier_init(&both, NULL, 2);
	become_threaded();
	change_another();
	finish(start(own_thread, NULL));
	errors();
	if (geteuid() == 0)
		check(setuid(65534) == 0);
	say("as anybody");
	change_another();
	finish(start(own_thread, NULL));
	return 0;
}
