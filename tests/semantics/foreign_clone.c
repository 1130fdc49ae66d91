/*
 * clone(2) by the library's own function: a thread, and a process that shares all memory, both
 * with the caller's thread pointer. They wait for threads and threads for them.
 */
#include "guest.h"

#include <sched.h>
#include <sys/mman.h>

#define ROUNDS 300
#define STACK_BYTES 65536

static uint32_t ball, gone;

static void play(uint32_t me)
{
	for (int i = 0; i < ROUNDS; i++) {
		while (__atomic_load_n(&ball, __ATOMIC_SEQ_CST) != me)
			futex(&ball, FUTEX_WAIT_PRIVATE, !me, NULL, NULL, 0);
		__atomic_store_n(&ball, !me, __ATOMIC_SEQ_CST);
		futex(&ball, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	}
}

static void *play_first(void *arg)
{
	play(0);
	return arg;
}

static int play_second(void *unused)
{
	(void)unused;
	play(1);
	return 7;
}

static void play_with(const char *what, int flags)
{
	char *stack =
		mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t id;
	pthread_t thread;
	int status, child;

	check(stack != MAP_FAILED);
	ball = 0;
	thread = start(play_first, NULL);
	child = clone(play_second, stack + STACK_BYTES,
		      flags | CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
			      CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID,
		      NULL, &gone, NULL, &gone);
	check(child > 0);
	finish(thread);
	say("%s: played", what);
	while ((id = __atomic_load_n(&gone, __ATOMIC_SEQ_CST)) != 0)
		futex(&gone, FUTEX_WAIT, id, NULL, NULL, 0);
	say("%s: gone", what);
	if ((flags & CLONE_THREAD) == 0) {
		check(waitpid(child, &status, 0) == child);
		say_status(what, status);
	}
}

int main(void)
{
	become_threaded();
	play_with("a thread", CLONE_THREAD | CLONE_SYSVSEM);
	play_with("a process", SIGCHLD);
	play_with("another thread", CLONE_THREAD | CLONE_SYSVSEM);
	return 0;
}
