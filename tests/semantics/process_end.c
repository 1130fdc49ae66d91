/* Every way to end: from the first thread and another, with threads parked; and the order of it. */
#include "guest.h"

#include <sys/resource.h>
#include <threads.h>

static int never[2];
static volatile int *volatile nowhere;
static int nobody_left;

static void first(void)
{
	say("  atexit: registered first");
}

/* From glibc 2.41 on, a thread that ends when all others have ended waits for ever in exit(3). */
static void second(void)
{
	say("  atexit: registered second, threads still work");
	if (!nobody_left)
		become_threaded();
}

static void at_quick(void)
{
	say("  at_quick_exit");
}

static void on_end(int status, void *arg)
{
	say("  on_exit: %d, %s", status, (const char *)arg);
}

static void destroy(void *value)
{
	say("  destructor of a thread's key: %s", (const char *)value);
}

__attribute__((destructor)) static void unload(void)
{
	say("  destructor of the program");
}

static void do_exit(void)
{
	exit(11);
}

static void do_exit_now(void)
{
	_exit(12);
}

static void do_quick_exit(void)
{
	quick_exit(13);
}

static void do_abort(void)
{
	abort();
}

static void do_segv(void)
{
	raise(SIGSEGV);
}

static void do_fault(void)
{
	*nowhere = 1;
}

static void do_kill(void)
{
	kill(getpid(), SIGKILL);
}

static void do_term(void)
{
	raise(SIGTERM);
}

static void do_group(void)
{
	syscall(SYS_exit_group, 14);
}

static void do_thread_exit(void)
{
	pthread_exit((void *)"nobody asks");
}

static void do_thrd_exit(void)
{
	thrd_exit(5);
}

static void do_exit_twice(void)
{
	pthread_detach(start(return_at_once, NULL));
	exit(15);
}

static const struct way {
	const char *name;
	void (*end)(void);
	int last; /* only when no thread is left does it end the process */
} ways[] = {
	{"exit", do_exit, 0},
	{"_exit", do_exit_now, 0},
	{"quick_exit", do_quick_exit, 0},
	{"abort", do_abort, 0},
	{"SIGSEGV", do_segv, 0},
	{"a fault", do_fault, 0},
	{"SIGKILL", do_kill, 0},
	{"SIGTERM", do_term, 0},
	{"exit_group", do_group, 0},
	{"pthread_exit", do_thread_exit, 1},
	{"thrd_exit", do_thrd_exit, 1},
	{"exit beside a thread that ends", do_exit_twice, 0},
};

static pthread_key_t key;

static void *end_here(void *way)
{
	pthread_setspecific(key, ((const struct way *)way)->name);
	((const struct way *)way)->end();
	return NULL;
}

static void *wait_and_see(void *arg)
{
	settle();
	return arg;
}

static void run_child(const struct way *way, int from_thread)
{
	check(pthread_key_create(&key, destroy) == 0);
	atexit(first);
	atexit(second);
	on_exit(on_end, (void *)"its argument");
	at_quick_exit(at_quick);
	nobody_left = way->last;
	if (!way->last)
		start(read_byte, &never[0]);
	else
		start(wait_and_see, NULL);
	settle();
	if (from_thread) {
		start(end_here, (void *)way);
		if (way->last)
			pthread_exit(NULL);
		for (;;)
			pause();
	}
	end_here((void *)way);
}

static void run_ways(void)
{
	const struct rlimit no_core = {0, 0};

	setrlimit(RLIMIT_CORE, &no_core);
	for (int from_thread = 0; from_thread < 2; from_thread++)
		for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
			pid_t child = fork();
			int status;

			if (child == 0)
				run_child(&ways[i], from_thread);
			check(waitpid(child, &status, 0) == child);
			say("%s%s", ways[i].name, from_thread ? " in a thread" : "");
			say_status("  it ended", status);
		}
}

int main(void)
{
	check(pipe(never) == 0);
	run_ways();
	return 0;
}
