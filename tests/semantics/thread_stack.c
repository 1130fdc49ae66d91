/* Stacks: sizes asked for, bounds reported, a stack of the program's own, a large frame used. */
#include "guest.h"

#include <sys/mman.h>

#define DEEP_BYTES (3u << 20)

static void *look_at_own_stack(void *arg)
{
	pthread_attr_t attr;
	size_t bytes, guard;
	void *low;
	char local;

	(void)arg;
	check(pthread_getattr_np(pthread_self(), &attr) == 0);
	check(pthread_attr_getstack(&attr, &low, &bytes) == 0);
	check(pthread_attr_getguardsize(&attr, &guard) == 0);
	say("a local lies within the bounds: %d",
	    &local >= (char *)low && &local < (char *)low + bytes);
	pthread_attr_destroy(&attr);
	return (void *)bytes;
}

static __attribute__((noinline)) unsigned dig(unsigned depth)
{
	volatile char frame[4096];

	frame[0] = (char)depth;
	frame[4095] = 1;
	return depth == 0 ? 0 : dig(depth - 1) + (unsigned)frame[4095];
}

static void *go_deep(void *arg)
{
	(void)arg;
	return (void *)(uintptr_t)dig(DEEP_BYTES / 8192);
}

static void *run_with_stack(size_t bytes, void *(*run)(void *))
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	check(pthread_attr_setstacksize(&attr, bytes) == 0);
	check(pthread_create(&thread, &attr, run, NULL) == 0);
	pthread_attr_destroy(&attr);
	return finish(thread);
}

int main(void)
{
	size_t own_bytes = 256 << 10;
	pthread_attr_t attr;
	pthread_t thread;
	void *own;

	pthread_attr_init(&attr);
	show_error(pthread_attr_setstacksize(&attr, 100));
	say("64 KB asked for, got that much: %d",
	    (size_t)run_with_stack(64 << 10, look_at_own_stack) >= (60 << 10));
	say("16 MB asked for, got that much: %d",
	    (size_t)run_with_stack(16 << 20, look_at_own_stack) >= (15 << 20));
	say("went %lu frames deep", (unsigned long)run_with_stack(8 << 20, go_deep));
	say("and again: %lu", (unsigned long)run_with_stack(8 << 20, go_deep));

	own = mmap(NULL, own_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(own != MAP_FAILED);
	show_error(pthread_attr_setstack(&attr, own, own_bytes));
	check(pthread_create(&thread, &attr, look_at_own_stack, NULL) == 0);
	say("on the program's own stack, of the size given: %d",
	    (size_t)finish(thread) == own_bytes);
	show(munmap(own, own_bytes));

	become_threaded();
	look_at_own_stack(NULL);
	return 0;
}
