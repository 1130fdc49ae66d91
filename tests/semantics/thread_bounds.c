/* pthread_getattr_np: what a stack's bounds are, of oneself, of others, of main, of one's own memory. */
#include "guest.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>

struct bounds {
	uintptr_t low;
	size_t bytes, guard;
};

static pthread_barrier_t both;
static struct bounds seen_by_itself;

static struct bounds bounds_of(pthread_t thread)
{
	struct bounds bounds;
	pthread_attr_t attr;
	void *low;

	check(pthread_getattr_np(thread, &attr) == 0);
	check(pthread_attr_getstack(&attr, &low, &bounds.bytes) == 0);
	check(pthread_attr_getguardsize(&attr, &bounds.guard) == 0);
	bounds.low = (uintptr_t)low;
	pthread_attr_destroy(&attr);
	return bounds;
}

static void *look(void *arg)
{
	char local;

	seen_by_itself = bounds_of(pthread_self());
	say("a local lies within: %d",
	    (uintptr_t)&local - seen_by_itself.low < seen_by_itself.bytes);
	pthread_barrier_wait(&both);
	pthread_barrier_wait(&both);
	return arg;
}

static void look_from_both_sides(const pthread_attr_t *attr)
{
	struct bounds bounds;
	pthread_t thread;

	check(pthread_create(&thread, attr, look, NULL) == 0);
	pthread_barrier_wait(&both);
	bounds = bounds_of(thread);
	say("seen alike by another: %d", bounds.low == seen_by_itself.low &&
						 bounds.bytes == seen_by_itself.bytes &&
						 bounds.guard == seen_by_itself.guard);
	say("%zu KB and a guard of %zu", bounds.bytes >> 10, bounds.guard);
	pthread_barrier_wait(&both);
	finish(thread);
}

/* Every page of the bounds can be used; the one below cannot. */
static void *touch_all(void *arg)
{
	struct bounds bounds = bounds_of(pthread_self());
	volatile char *page = (volatile char *)bounds.low;
	int pair[2];

	check(pipe(pair) == 0);
	say("the lowest byte: %c, below it: %s", (*page = 'x'),
	    write(pair[1], (const char *)page - 1, 1) == -1 ? strerrorname_np(errno) : "there");
	close(pair[0]);
	close(pair[1]);
	return arg;
}

static void look_at_main(void)
{
	struct bounds bounds = bounds_of(pthread_self());
	struct rlimit limit;
	char local;

	check(getrlimit(RLIMIT_STACK, &limit) == 0);
	say("main: a local lies within: %d, no more than the limit: %d, guard %zu",
	    (uintptr_t)&local - bounds.low < bounds.bytes, bounds.bytes <= limit.rlim_cur,
	    bounds.guard);
}

int main(void)
{
	size_t bytes = 512 << 10;
	struct bounds bounds;
	pthread_attr_t attr;
	void *own;

	pthread_barrier_init(&both, NULL, 2);
	look_at_main();
	look_from_both_sides(NULL);
	pthread_attr_init(&attr);
	check(pthread_attr_setstacksize(&attr, 300 << 10) == 0);
	check(pthread_attr_setguardsize(&attr, 10000) == 0);
	look_from_both_sides(&attr);
	check(pthread_attr_setguardsize(&attr, 0) == 0);
	look_from_both_sides(&attr);
	own = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(own != MAP_FAILED && pthread_attr_setstack(&attr, own, bytes) == 0);
	look_from_both_sides(&attr);
	say("it is the memory given: %d", seen_by_itself.low == (uintptr_t)own);
	finish(start(touch_all, NULL));
	finish(start(touch_all, NULL));
	look_at_main();
	bounds = bounds_of(pthread_self());
	say("main's does not change: %d", bounds.low == bounds_of(pthread_self()).low);
	return 0;
}
