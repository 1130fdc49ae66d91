/* vfork, posix_spawn, pidfd_spawn, system, popen, from threads and at once, while others are parked. */
#include "guest.h"

#include <spawn.h>

#define THREADS 10

extern char **environ;
static int never[2];

/* Since glibc 2.39. */
int pidfd_spawn(int *pidfd, const char *path, const posix_spawn_file_actions_t *actions,
		const posix_spawnattr_t *attributes, char *const args[], char *const variables[])
	__attribute__((weak));

static void *use_vfork(void *arg)
{
	volatile int seen = 0;
	pid_t child = vfork();
	int status;

	if (child == 0) {
		seen = 1;
		execl("/bin/sh", "sh", "-c", "exit 12", NULL);
		_exit(127);
	}
	check(child > 0 && seen == 1);
	check(waitpid(child, &status, 0) == child);
	return (void *)(intptr_t)(WEXITSTATUS(status) == 12 && arg == NULL);
}

static void *use_vfork_exit(void *arg)
{
	pid_t child = vfork();
	int status;

	if (child == 0)
		_exit(5);
	check(waitpid(child, &status, 0) == child);
	return (void *)(intptr_t)(WEXITSTATUS(status) == 5 && arg == NULL);
}

static void *use_spawn(void *arg)
{
	char *const args[] = {"sh", "-c", "sleep 0.02; exit 11", NULL};
	pid_t child;
	int status;

	check(posix_spawn(&child, "/bin/sh", NULL, NULL, args, environ) == 0);
	check(waitpid(child, &status, 0) == child);
	return (void *)(intptr_t)(WEXITSTATUS(status) == 11 && arg == NULL);
}

static void *use_pidfd_spawn(void *arg)
{
	char *const args[] = {"sh", "-c", "sleep 0.02; exit 10", NULL};
	siginfo_t info = {.si_status = 10};
	int pidfd;

	if (pidfd_spawn != NULL) {
		check(pidfd_spawn(&pidfd, "/bin/sh", NULL, NULL, args, environ) == 0);
		check(waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED) == 0);
		close(pidfd);
	}
	return (void *)(intptr_t)(info.si_status == 10 && arg == NULL);
}

static void *use_system(void *arg)
{
	int status = system("sleep 0.02; exit 9");

	return (void *)(intptr_t)(WIFEXITED(status) && WEXITSTATUS(status) == 9 && arg == NULL);
}

static void *use_popen(void *arg)
{
	FILE *stream = popen("sleep 0.02; echo out; cat /dev/null; exit 8", "r");
	char line[16] = "";
	int right;

	check(stream != NULL);
	right = fgets(line, sizeof(line), stream) != NULL && strcmp(line, "out\n") == 0;
	right &= fgets(line, sizeof(line), stream) == NULL;
	return (void *)(intptr_t)(right && WEXITSTATUS(pclose(stream)) == 8 && arg == NULL);
}

static void run_all(const char *name, void *(*run)(void *))
{
	pthread_t threads[THREADS];
	long right = (long)run(NULL);

	for (int i = 0; i < THREADS; i++)
		threads[i] = start(run, NULL);
	for (int i = 0; i < THREADS; i++)
		right += (long)finish(threads[i]);
	say("%s right: %ld", name, right);
}

int main(void)
{
	char *const args[] = {"nothing", NULL};
	pthread_t parked;
	FILE *stream;
	pid_t child;

	check(pipe(never) == 0);
	parked = start(read_byte, &never[0]);
	run_all("vfork and exec", use_vfork);
	run_all("vfork and _exit", use_vfork_exit);
	run_all("posix_spawn", use_spawn);
	run_all("pidfd_spawn", use_pidfd_spawn);
	run_all("system", use_system);
	run_all("popen", use_popen);
	show_error(posix_spawn(&child, "/nonexistent/program", NULL, NULL, args, environ));
	show(WEXITSTATUS(system("exec /nonexistent/program 2>/dev/null")));
	stream = popen("cat >/dev/null; exit 7", "w");
	check(fputs("into the child\n", stream) >= 0);
	show(WEXITSTATUS(pclose(stream)));
	write_all(never[1], "x", 1);
	finish(parked);
	return 0;
}
