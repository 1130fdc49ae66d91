/*
 * Mutexes of each kind, a condition, a barrier, semaphores and a rwlock in memory that two
 * processes share: a program with its forked child, and with another that it starts anew.
 */
#include "guest.h"

#include <semaphore.h>
#include <sys/mman.h>

#define THREADS 3
#define ROUNDS 400
#define KINDS 4

enum { NORMAL, RECURSIVE, CHECKED, ROBUST };

struct shared {
	pthread_mutex_t mutex[KINDS];
	long count[KINDS];
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int turn;
	long turns;
	pthread_barrier_t barrier;
	long serial, passed;
	sem_t ball[2], items;
	long caught[2];
	pthread_rwlock_t rwlock;
	long left, right, torn;
	uint32_t word;
	char semaphore_name[32];
};

static struct shared *shared;
static int side; /* 0 who starts the other, 1 the other */
static char *again[] = {"again", NULL};

static void init_mutex(pthread_mutex_t *mutex, int type, int robust)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_settype(&attr, type);
	pthread_mutexattr_setrobust(&attr, robust);
	check(pthread_mutex_init(mutex, &attr) == 0);
	pthread_mutexattr_destroy(&attr);
}

static void init_shared(void)
{
	pthread_barrierattr_t barrier_attr;
	pthread_condattr_t cond_attr;
	pthread_rwlockattr_t rwlock_attr;

	memset(shared, 0, sizeof(*shared));
	init_mutex(&shared->mutex[NORMAL], PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED);
	init_mutex(&shared->mutex[RECURSIVE], PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_STALLED);
	init_mutex(&shared->mutex[CHECKED], PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_STALLED);
	init_mutex(&shared->mutex[ROBUST], PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST);
	init_mutex(&shared->lock, PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED);
	pthread_condattr_init(&cond_attr);
	pthread_condattr_setpshared(&cond_attr, PTHREAD_PROCESS_SHARED);
	pthread_cond_init(&shared->changed, &cond_attr);
	pthread_barrierattr_init(&barrier_attr);
	pthread_barrierattr_setpshared(&barrier_attr, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&shared->barrier, &barrier_attr, 2 * THREADS);
	pthread_rwlockattr_init(&rwlock_attr);
	pthread_rwlockattr_setpshared(&rwlock_attr, PTHREAD_PROCESS_SHARED);
	pthread_rwlock_init(&shared->rwlock, &rwlock_attr);
	sem_init(&shared->ball[0], 1, 1);
	sem_init(&shared->ball[1], 1, 0);
	sem_init(&shared->items, 1, 0);
	snprintf(shared->semaphore_name, sizeof(shared->semaphore_name), "/guest.%d", getpid());
	sem_unlink(shared->semaphore_name); /* of a process that had this id and was killed */
}

static void *use_mutexes(void *arg)
{
	for (int i = 0; i < ROUNDS; i++)
		for (int kind = 0; kind < KINDS; kind++) {
			long seen;

			check(pthread_mutex_lock(&shared->mutex[kind]) == 0);
			if (kind == RECURSIVE)
				check(pthread_mutex_lock(&shared->mutex[kind]) == 0);
			if (kind == CHECKED)
				check(pthread_mutex_lock(&shared->mutex[kind]) == EDEADLK);
			seen = shared->count[kind];
			if (i % 16 == 0)
				sched_yield();
			shared->count[kind] = seen + 1;
			if (kind == RECURSIVE)
				check(pthread_mutex_unlock(&shared->mutex[kind]) == 0);
			check(pthread_mutex_unlock(&shared->mutex[kind]) == 0);
		}
	return arg;
}

static void *take_turns(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&shared->lock);
		while (shared->turn != side)
			pthread_cond_wait(&shared->changed, &shared->lock);
		shared->turn = !side;
		shared->turns++;
		pthread_cond_broadcast(&shared->changed);
		pthread_mutex_unlock(&shared->lock);
	}
	return arg;
}

static void *meet(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		int result;

		__atomic_add_fetch(&shared->passed, 1, __ATOMIC_SEQ_CST);
		result = pthread_barrier_wait(&shared->barrier);
		check(__atomic_load_n(&shared->passed, __ATOMIC_SEQ_CST) >= 2L * THREADS * (i + 1));
		if (result == PTHREAD_BARRIER_SERIAL_THREAD)
			__atomic_add_fetch(&shared->serial, 1, __ATOMIC_SEQ_CST);
	}
	return arg;
}

static void *play_ball(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		check(sem_wait(&shared->ball[side]) == 0);
		shared->caught[side]++;
		check(sem_post(&shared->ball[!side]) == 0);
	}
	return arg;
}

/* One side makes, the other takes; by a semaphore with a name as well. */
static void *make_and_take(void *arg)
{
	sem_t *named = sem_open(shared->semaphore_name, O_CREAT, 0600, 0);

	check(named != SEM_FAILED);
	for (int i = 0; i < ROUNDS; i++) {
		check((side == 0 ? sem_post(named) : sem_wait(named)) == 0);
		check((side == 0 ? sem_wait(&shared->items) : sem_post(&shared->items)) == 0);
	}
	sem_close(named);
	return arg;
}

static void *read_and_write(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		check(pthread_rwlock_rdlock(&shared->rwlock) == 0);
		if (shared->left != shared->right)
			shared->torn++;
		check(pthread_rwlock_unlock(&shared->rwlock) == 0);
		check(pthread_rwlock_wrlock(&shared->rwlock) == 0);
		shared->left++;
		if (i % 16 == 0)
			sched_yield();
		shared->right++;
		check(pthread_rwlock_unlock(&shared->rwlock) == 0);
	}
	return arg;
}

static void run(void *(*each)(void *), int threads)
{
	pthread_t thread[THREADS];

	for (int i = 0; i < threads; i++)
		thread[i] = start(each, NULL);
	for (int i = 0; i < threads; i++)
		finish(thread[i]);
}

static void play(void)
{
	run(use_mutexes, THREADS);
	run(take_turns, THREADS);
	run(meet, THREADS);
	run(play_ball, 1);
	run(make_and_take, THREADS);
	run(read_and_write, THREADS);
}

static pid_t start_other(int anew)
{
	pid_t child = fork();
	char *no_environment[] = {NULL};

	if (child != 0)
		return child;
	side = 1;
	if (anew)
		execve("/proc/self/exe", again, no_environment);
	else
		play();
	_exit(anew);
}

static void play_with(int anew)
{
	pid_t child;
	int status;

	say(anew ? "with a program started anew" : "with a child");
	init_shared();
	child = start_other(anew);
	check(child > 0);
	play();
	check(waitpid(child, &status, 0) == child);
	sem_unlink(shared->semaphore_name);
	say_status("the other", status);
	for (int kind = 0; kind < KINDS; kind++)
		say("mutex %d: %ld", kind, shared->count[kind]);
	say("turns: %ld, left over: %d", shared->turns, shared->turn);
	say("met: %ld, serial: %ld", shared->passed, shared->serial);
	say("caught: %ld %ld", shared->caught[0], shared->caught[1]);
	say("written: %ld %ld, torn: %ld", shared->left, shared->right, shared->torn);
}

/* The memory is a file without a name, at a number that survives execve. */
#define MEMORY 100

int main(int argc, char **argv)
{
	if (strcmp(argv[0], again[0]) != 0) {
		int memory = memfd_create("shared", 0);

		check(memory >= 0 && ftruncate(memory, sizeof(*shared)) == 0);
		check(dup2(memory, MEMORY) == MEMORY);
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, MEMORY, 0);
	check(shared != MAP_FAILED);
	if (strcmp(argv[0], again[0]) == 0) {
		side = 1;
		play();
		return 0;
	}
	(void)argc;
	play_with(0);
	play_with(1);
	return 0;
}
