/*
 * System calls by instructions in the program itself, in a library that is loaded while threads
 * run, and by syscall(2). Whoever waits in one is let go by another thread, which could not run if
 * the call kept it out: the hang limit would tell.
 */
#include "guest.h"

#include <dlfcn.h>
#include <libgen.h>

#include "inline_calls.h"

static int question[2], answer[2];
static uint32_t word;
static volatile bool slept;

static void *answer_all(void *arg)
{
	char byte;

	while (read(question[0], &byte, 1) == 1) {
		byte++;
		write_all(answer[1], &byte, 1);
	}
	return arg;
}

static void *wake_word(void *call)
{
	settle();
	__atomic_store_n(&word, 1, __ATOMIC_RELEASE);
	((const struct shape *)call)->call(SYS_futex, (long)&word, FUTEX_WAKE_PRIVATE, 1);
	return NULL;
}

static void ignore(int signal)
{
	(void)signal;
}

static void *end_sleep(void *sleeper)
{
	while (!slept) {
		usleep(1000);
		pthread_kill(*(pthread_t *)sleeper, SIGUSR1);
	}
	return NULL;
}

static void ask(const struct shape *shape, char byte)
{
	char answered = 0;

	write_all(question[1], &byte, 1);
	check(shape->call(SYS_read, answer[0], (long)&answered, 1) == 1);
	check(answered == byte + 1);
	say("%s: read what another thread wrote meanwhile", shape->name);
	check(shape->call(SYS_read, -1, (long)&answered, 1) == -EBADF);
}

static void wait_for_word(const struct shape *shape)
{
	pthread_t waker;
	long result;

	word = 0;
	waker = start(wake_word, (void *)shape);
	do
		result = shape->call(SYS_futex, (long)&word, FUTEX_WAIT_PRIVATE, 0);
	while (result == 0 && __atomic_load_n(&word, __ATOMIC_ACQUIRE) == 0);
	check(result == 0 || result == -EAGAIN);
	finish(waker);
	say("%s: woken on a futex", shape->name);
}

static void sleep_for_an_hour(const struct shape *shape)
{
	struct timespec hour = {3600, 0}, left = {0, 0};
	pthread_t me = pthread_self(), other;
	long result;

	slept = false;
	other = start(end_sleep, &me);
	result = shape->call(SYS_nanosleep, (long)&hour, (long)&left, 0);
	slept = true;
	finish(other);
	say("%s: sleep ends with %s, %s is left", shape->name, strerrorname_np((int)-result),
	    left.tv_sec > 0 ? "time" : "nothing");
}

static void go_through(const char *where, const struct shape *shapes)
{
	char byte = 'A';

	say("-- %s", where);
	for (const struct shape *shape = shapes; shape->name != NULL; shape++) {
		ask(shape, byte++);
		if (shape->nr >= 0)
			continue;
		sleep_for_an_hour(shape);
		wait_for_word(shape);
	}
}

static long by_libc(long nr, long a, long b, long c)
{
	long result = syscall(nr, a, b, c, NULL);

	return result == -1 ? -errno : result;
}

static const struct shape libc_shapes[] = {
	{"syscall(2)", by_libc, -1},
	{NULL, NULL, 0},
};

static const struct shape *load_shapes(void)
{
	char path[4096] = "";
	const struct shape *shapes;
	void *library;

	check(readlink("/proc/self/exe", path, sizeof(path) - 64) > 0);
	dirname(path);
	library = dlopen(strcat(path, "/inline_library.so"), RTLD_NOW | RTLD_LOCAL);
	check(library != NULL);
	shapes = dlsym(library, "inline_shapes");
	check(shapes != NULL && shapes != inline_shapes);
	return shapes;
}

int main(void)
{
	struct sigaction action = {.sa_handler = ignore};

	check(sigaction(SIGUSR1, &action, NULL) == 0);
	check(pipe(question) == 0 && pipe(answer) == 0);
	start(answer_all, NULL);
	go_through("the program", inline_shapes);
	go_through("a library loaded later", load_shapes());
	go_through("libc", libc_shapes);
	return 0;
}
