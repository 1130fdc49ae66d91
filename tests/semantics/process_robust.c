/*
 * A robust mutex in shared memory tells one process that its owner, a thread of another or that
 * whole process, has ended; and two mappings of the same memory are the same lock.
 */
#include "guest.h"

#include <sys/mman.h>

struct shared {
	pthread_mutex_t mutex, inherits;
	uint32_t word, locked;
};

#define MEMORY 100 /* a number that survives execve */

static struct shared *shared;
static pthread_mutex_t *mutex;
static char *again[] = {"again", NULL, NULL};

static void *lock_and_leave(void *arg)
{
	check(pthread_mutex_lock(mutex) == 0);
	__atomic_store_n(&shared->locked, 1, __ATOMIC_SEQ_CST);
	return arg;
}

static void *lock_and_exit(void *arg)
{
	lock_and_leave(NULL);
	settle();
	_exit(3);
	return arg;
}

static void *lock_and_return_late(void *arg)
{
	lock_and_leave(NULL);
	settle();
	return arg;
}

static void *lock_and_abort(void *arg)
{
	lock_and_leave(NULL);
	settle();
	abort();
	return arg;
}

/* What the other process does: by a thread of its own, or by its first. */
static void be_other(int how)
{
	switch (how) {
	case 0: /* the thread ends, the process goes on */
		finish(start(lock_and_return_late, NULL));
		settle();
		_exit(0);
	case 1: /* a thread ends the process */
		finish(start(lock_and_exit, NULL));
		_exit(1);
	case 2: /* the first thread holds it, another is there */
		become_threaded();
		lock_and_exit(NULL);
		_exit(1);
	case 3: /* the first thread alone is killed */
		lock_and_leave(NULL);
		kill(getpid(), SIGKILL);
		_exit(1);
	default: /* a thread aborts the process */
		finish(start(lock_and_abort, NULL));
		_exit(1);
	}
}

static pid_t start_other(int how, int anew)
{
	char *no_environment[] = {NULL};
	char text[] = {(char)('0' + how), '\0'};
	pid_t child = fork();

	if (child != 0)
		return child;
	again[1] = text;
	if (anew)
		execve("/proc/self/exe", again, no_environment);
	else
		be_other(how);
	_exit(1);
}

static void *recover(void *arg)
{
	show_error(pthread_mutex_lock(mutex));
	show_error(pthread_mutex_consistent(mutex));
	show_error(pthread_mutex_unlock(mutex));
	show_error(pthread_mutex_lock(mutex));
	show_error(pthread_mutex_unlock(mutex));
	return arg;
}

static void outlive(int how, int anew, int waits_in_first)
{
	pid_t child;
	int status;

	say("way %d, %s", how, anew ? "started anew" : "a child");
	shared->locked = 0;
	child = start_other(how, anew);
	while (__atomic_load_n(&shared->locked, __ATOMIC_SEQ_CST) == 0)
		usleep(1000);
	if (waits_in_first)
		recover(NULL);
	else
		finish(start(recover, NULL));
	check(waitpid(child, &status, 0) == child);
	say_status("the other", status);
}

static void init_mutex(pthread_mutex_t *which, int protocol)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setprotocol(&attr, protocol);
	check(pthread_mutex_init(which, &attr) == 0);
	mutex = which;
}

static struct shared *map(void)
{
	void *at = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, MEMORY, 0);

	check(at != MAP_FAILED);
	return at;
}

static void *wait_there(void *arg)
{
	uint32_t *word = arg;

	while (__atomic_load_n(word, __ATOMIC_SEQ_CST) == 0)
		futex(word, FUTEX_WAIT, 0, NULL, NULL, 0);
	return NULL;
}

/* Wait by one address and wake by the other: the kernel knows the file and the place in it. */
static void map_twice(void)
{
	struct shared *other = map();
	pthread_t threads[4];
	long woken = 0;

	for (int i = 0; i < 4; i++)
		threads[i] = start(wait_there, i % 2 ? &shared->word : &other->word);
	settle();
	__atomic_store_n(&other->word, 1, __ATOMIC_SEQ_CST);
	while (woken < 4) {
		long n = futex(&other->word, FUTEX_WAKE, 4, NULL, NULL, 0);

		check(n >= 0);
		woken += n;
		if (n == 0)
			break; /* who had not begun to wait has seen the word */
	}
	for (int i = 0; i < 4; i++)
		finish(threads[i]);
	say("woken by the other address");
	munmap(other, sizeof(*other));
}

int main(int argc, char **argv)
{
	if (strcmp(argv[0], again[0]) == 0) {
		shared = map();
		mutex = &shared->mutex;
		be_other(argc > 1 ? argv[1][0] - '0' : 0);
	}
	check(dup2(memfd_create("shared", 0), MEMORY) == MEMORY);
	check(ftruncate(MEMORY, sizeof(*shared)) == 0);
	shared = map();
	init_mutex(&shared->mutex, PTHREAD_PRIO_NONE);
	become_threaded();
	for (int how = 0; how < 5; how++)
		for (int anew = 0; anew < 2; anew++) {
			outlive(how, anew, 0);
			outlive(how, anew, 1);
		}
	init_mutex(&shared->inherits, PTHREAD_PRIO_INHERIT);
	say("with priority inheritance");
	outlive(0, 0, 0);
	outlive(3, 0, 0);
	outlive(3, 0, 1);
	map_twice();
	return 0;
}
