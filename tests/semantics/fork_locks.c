/* fork while other threads hold locks, print, allocate, start programs, and by the thousand. The
 * first argument: how often each of two threads forks.
 */
#include "guest.h"

#include <malloc.h>
#include <spawn.h>

#define MANY 2000

static int never[2], stop;
static long forks = 60;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static FILE *null;
extern char **environ;

static void take(void)
{
	pthread_mutex_lock(&lock);
}

static void give(void)
{
	pthread_mutex_unlock(&lock);
}

static int is_stopped(void)
{
	return __atomic_load_n(&stop, __ATOMIC_RELAXED);
}

/* Holds the lock that the fork handlers take, across waits. */
static void *hold_lock(void *arg)
{
	while (!is_stopped()) {
		pthread_mutex_lock(&lock);
		usleep(200);
		pthread_mutex_unlock(&lock);
		usleep(200);
	}
	return arg;
}

/* Is often in the middle of stdio, with its stream locked. */
static void *print(void *arg)
{
	while (!is_stopped()) {
		flockfile(null);
		fprintf(null, "%d%s", 1, "text");
		usleep(100);
		fflush(null);
		funlockfile(null);
		sched_yield();
	}
	return arg;
}

static void *allocate(void *arg)
{
	while (!is_stopped()) {
		void *blocks[20];

		for (size_t i = 0; i < 20; i++)
			check((blocks[i] = malloc(i * 977 + 1)) != NULL);
		sched_yield();
		for (int i = 0; i < 20; i++)
			free(blocks[i]);
	}
	return arg;
}

static void *start_programs(void *arg)
{
	char *argv[] = {(char *)"true", NULL};

	while (!is_stopped()) {
		pid_t child;
		int status;

		check(posix_spawn(&child, "/bin/true", NULL, NULL, argv, environ) == 0);
		check(waitpid(child, &status, 0) == child && status == 0);
		usleep(1000);
	}
	return arg;
}

/* Use what the other threads, not there any more, may have had locked. */
static void live_as_child(int i)
{
	FILE *file = fopen("/dev/null", "w");
	char *text;

	check(file != NULL && fprintf(file, "%d", i) > 0 && fclose(file) == 0);
	check(asprintf(&text, "%d", i) > 0);
	free(text);
	check(pthread_mutex_trylock(&lock) == 0);
	give();
	check(fprintf(stdout, "%s", "") == 0);
	if (i % 10 == 0)
		become_threaded();
	_exit(i % 100);
}

static void *fork_often(void *ret_right)
{
	for (int i = 0; i < forks; i++) {
		pid_t child = fork();
		int status;

		check(child >= 0);
		if (child == 0)
			live_as_child(i);
		check(waitpid(child, &status, 0) == child);
		*(int *)ret_right += WIFEXITED(status) && WEXITSTATUS(status) == i % 100;
		usleep(100);
	}
	return NULL;
}

static void fork_among_locks(void)
{
	void *(*const work[])(void *) = {hold_lock, hold_lock, print, allocate, start_programs};
	pthread_t workers[5], forkers[2];
	int right[2] = {0, 0};

	for (int i = 0; i < 5; i++)
		workers[i] = start(work[i], NULL);
	for (int i = 0; i < 2; i++)
		forkers[i] = start(fork_often, &right[i]);
	for (int i = 0; i < 2; i++)
		finish(forkers[i]);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 5; i++)
		finish(workers[i]);
	say("children of threads among locks that ended well: %d", right[0] + right[1]);
}

static void fork_among_many(void)
{
	pthread_attr_t attr;
	pthread_t *threads = malloc(MANY * sizeof(*threads));
	int right = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	for (int i = 0; i < MANY; i++)
		check(pthread_create(&threads[i], &attr, read_byte, &never[0]) == 0);
	settle();
	for (int i = 0; i < 10; i++) {
		pid_t child = fork();
		int status;

		if (child == 0)
			live_as_child(i);
		check(waitpid(child, &status, 0) == child);
		right += WIFEXITED(status) && WEXITSTATUS(status) == i;
	}
	for (int i = 0; i < MANY; i++)
		write_all(never[1], "x", 1);
	for (int i = 0; i < MANY; i++)
		finish(threads[i]);
	free(threads);
	say("children of a program with %d threads that ended well: %d", MANY, right);
}

/* Each child makes a thread, and that forks the next. */
static void *fork_deeper(void *depth)
{
	int left = *(int *)depth, status;
	pid_t child;

	if (left == 0)
		return NULL;
	child = fork();
	check(child >= 0);
	if (child == 0) {
		left--;
		finish(start(fork_deeper, &left));
		_exit(left + 10);
	}
	check(waitpid(child, &status, 0) == child);
	check(WIFEXITED(status) && WEXITSTATUS(status) == left - 1 + 10);
	return NULL;
}

static int handled;

static void fork_in_handler(int signal)
{
	int status;
	pid_t child = _Fork();

	if (child == 0)
		_exit(signal == SIGUSR1 ? 21 : 22);
	if (waitpid(child, &status, 0) == child && WIFEXITED(status))
		__atomic_add_fetch(&handled, WEXITSTATUS(status), __ATOMIC_SEQ_CST);
}

static void *raise_some(void *arg)
{
	for (int i = 0; i < 5; i++)
		raise(SIGUSR1);
	return arg;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = fork_in_handler, .sa_flags = SA_RESTART};
	int depth = 6;
	pthread_t parked;

	if (argc > 1)
		forks = atol(argv[1]);
	check(pipe(never) == 0);
	check(pthread_atfork(take, give, give) == 0);
	null = fopen("/dev/null", "w");
	check(null != NULL);
	fork_among_locks();
	fork_among_many();
	finish(start(fork_deeper, &depth));
	say("six generations of threads");
	check(sigaction(SIGUSR1, &action, NULL) == 0);
	parked = start(read_byte, &never[0]);
	settle();
	finish(start(raise_some, NULL));
	check(pthread_kill(parked, SIGUSR1) == 0);
	settle();
	raise(SIGUSR1);
	write_all(never[1], "x", 1);
	finish(parked);
	say("forks in handlers, statuses together: %d", handled);
	return 0;
}
