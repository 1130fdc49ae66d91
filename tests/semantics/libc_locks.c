/*
 * Threads that are in libc's locks most of the time, each in another: memory, thread stacks, loaded
 * libraries, streams, and children and file locks, for which they wait in the kernel. Nobody may be
 * kept from going on for ever. The count of rounds is an argument.
 */
#include "guest.h"

#include <dlfcn.h>
#include <sys/file.h>

#define EACH 3

static int rounds = 20;
static char file[] = "/tmp/libc_locksXXXXXX";

static void *take_memory(void *arg)
{
	char *blocks[64];

	for (int i = 0; i < rounds * 10; i++) {
		for (size_t j = 0; j < 64; j++) {
			blocks[j] = malloc(16 << j % 12);
			check(blocks[j] != NULL);
			blocks[j][0] = 'x';
		}
		for (size_t j = 0; j < 64; j++)
			free(blocks[j]);
	}
	return arg;
}

static void *make_threads(void *arg)
{
	for (int i = 0; i < rounds * 5; i++)
		finish(start(return_at_once, arg));
	return arg;
}

static void *load_libraries(void *arg)
{
	static const char *const names[] = {"libresolv.so.2", "libutil.so.1"};

	for (int i = 0; i < rounds; i++) {
		void *library = dlopen(names[i % 2], RTLD_NOW);

		check(library != NULL);
		check(dlclose(library) == 0);
	}
	return arg;
}

static void *run_commands(void *arg)
{
	char line[16];

	for (int i = 0; i < (rounds + 3) / 4; i++) {
		FILE *file_in = popen("echo hello", "r");

		check(file_in != NULL && fgets(line, sizeof(line), file_in) != NULL);
		check(pclose(file_in) == 0);
	}
	return arg;
}

static void *wait_for_children(void *arg)
{
	siginfo_t info;

	for (int i = 0; i < (rounds + 3) / 4; i++) {
		pid_t child = fork();

		if (child == 0)
			_exit(0);
		check(child > 0);
		check(waitid(P_PID, (id_t)child, &info, WEXITED | WSTOPPED) == 0);
		check(info.si_pid == child);
	}
	return arg;
}

static void *take_file_lock(void *arg)
{
	int fd = open(file, O_RDWR);

	check(fd >= 0);
	for (int i = 0; i < rounds; i++) {
		check(flock(fd, LOCK_EX) == 0);
		sched_yield();
		check(flock(fd, LOCK_UN) == 0);
	}
	close(fd);
	return arg;
}

int main(int argc, char **argv)
{
	static void *(*const run[])(void *) = {take_memory,  make_threads,      load_libraries,
					       run_commands, wait_for_children, take_file_lock};
	pthread_t threads[6][EACH];

	if (argc > 1)
		rounds = atoi(argv[1]);
	check(close(mkstemp(file)) == 0);
	for (int i = 0; i < 6; i++)
		for (int j = 0; j < EACH; j++)
			threads[i][j] = start(run[i], NULL);
	for (int i = 0; i < 6; i++)
		for (int j = 0; j < EACH; j++)
			finish(threads[i][j]);
	unlink(file);
	say("all have come to their end");
	return 0;
}
