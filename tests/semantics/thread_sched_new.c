/* Scheduling attributes at a thread's creation, by its attributes or its parent's, and where it runs. */
#include "guest.h"

#include <sched.h>
#include <sys/resource.h>

static cpu_set_t one, all;

static void *tell(void *arg)
{
	struct sched_param param;
	cpu_set_t where;
	int policy;

	CPU_ZERO(&where);
	check(pthread_getschedparam(pthread_self(), &policy, &param) == 0);
	check(pthread_getaffinity_np(pthread_self(), sizeof(where), &where) == 0);
	say("policy %d, priority %d, kernel's %d, nice %d, everywhere %d, in one place %d", policy,
	    param.sched_priority, sched_getscheduler(0), getpriority(PRIO_PROCESS, 0),
	    CPU_EQUAL(&where, &all) != 0, CPU_COUNT(&where) == 1);
	return arg;
}

static void *make_children(void *flags)
{
	struct sched_param param = {0};

	show(sched_setscheduler(0, SCHED_BATCH | (int)(intptr_t)flags, &param));
	show(setpriority(PRIO_PROCESS, 0, 5));
	show(sched_setaffinity(0, sizeof(one), &one));
	tell(NULL);
	finish(start(tell, NULL));
	param.sched_priority = 7;
	show_error(pthread_setschedparam(pthread_self(), SCHED_RR | (int)(intptr_t)flags, &param));
	finish(start(tell, NULL));
	return NULL;
}

static void make_with(int inherit, int policy, int priority, const cpu_set_t *where)
{
	struct sched_param param = {priority};
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	pthread_attr_init(&attr);
	show_error(pthread_attr_setinheritsched(&attr, inherit));
	show_error(pthread_attr_setschedpolicy(&attr, policy));
	show_error(pthread_attr_setschedparam(&attr, &param));
	if (where != NULL)
		show_error(pthread_attr_setaffinity_np(&attr, sizeof(*where), where));
	err = pthread_create(&thread, &attr, tell, NULL);
	if (err == 0)
		finish(thread);
	say("pthread_create: %s", strerrorname_np(err));
	pthread_attr_destroy(&attr);
}

static void make_all(void)
{
	cpu_set_t nowhere;

	CPU_ZERO(&nowhere);
	CPU_SET(1023, &nowhere);
	make_with(PTHREAD_INHERIT_SCHED, SCHED_FIFO, 5, NULL);
	make_with(PTHREAD_EXPLICIT_SCHED, SCHED_FIFO, 5, NULL);
	make_with(PTHREAD_EXPLICIT_SCHED, SCHED_OTHER, 0, &one);
	make_with(PTHREAD_EXPLICIT_SCHED, SCHED_OTHER, 0, &nowhere);
	finish(start(make_children, NULL));
	finish(start(make_children, (void *)(intptr_t)SCHED_RESET_ON_FORK));
	tell(NULL);
}

static void *wait_at(void *barrier)
{
	pthread_barrier_wait(barrier);
	pthread_barrier_wait(barrier);
	return tell(NULL);
}

static void change_from_outside(void)
{
	pthread_barrier_t both;
	struct sched_param param;
	pthread_t thread;
	cpu_set_t where;
	int policy;

	pthread_barrier_init(&both, NULL, 2);
	thread = start(wait_at, &both);
	pthread_barrier_wait(&both);
	show_error(pthread_setaffinity_np(thread, sizeof(one), &one));
	check(pthread_getaffinity_np(thread, sizeof(where), &where) == 0);
	say("moved: %d", CPU_EQUAL(&where, &one) != 0);
	CPU_ZERO(&where);
	show_error(pthread_setaffinity_np(thread, sizeof(where), &where));
	show_error(pthread_setaffinity_np(thread, sizeof(one), (void *)8));
	show_error(pthread_getaffinity_np(thread, 1, &where));
	param.sched_priority = 0;
	show_error(pthread_setschedparam(thread, SCHED_BATCH, &param));
	show_error(pthread_getschedparam(thread, &policy, &param));
	say("policy %d", policy);
	show_error(pthread_setschedprio(thread, 3));
	show_error(pthread_setschedprio(thread, 0));
	/* The one that is already there stays where it is when main moves. */
	pthread_barrier_wait(&both);
	finish(thread);
	thread = start(wait_at, &both);
	pthread_barrier_wait(&both);
	show(sched_setaffinity(0, sizeof(one), &one));
	pthread_barrier_wait(&both);
	finish(thread);
	finish(start(tell, NULL));
	show(sched_setaffinity(getpid(), sizeof(all), &all));
	tell(NULL);
}

int main(void)
{
	struct rlimit none = {0, 0};

	check(setrlimit(RLIMIT_NICE, &none) == 0 && setrlimit(RLIMIT_RTPRIO, &none) == 0);
	CPU_ZERO(&one);
	check(sched_getaffinity(0, sizeof(all), &all) == 0);
	for (int i = 0; CPU_COUNT(&one) == 0; i++)
		if (CPU_ISSET(i, &all))
			CPU_SET(i, &one);
	make_all();
	change_from_outside();
	if (geteuid() == 0)
		check(setuid(65534) == 0);
	say("as anybody");
	make_all();
	change_from_outside();
	return 0;
}
