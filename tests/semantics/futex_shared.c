/* Futexes shared between processes: waits and wakes cross the process boundary both ways. */
#include "guest.h"

#include <sys/mman.h>

struct shared {
	uint32_t turn;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	int value;
};

static struct shared *shared;

static void wait_while(uint32_t value)
{
	while (__atomic_load_n(&shared->turn, __ATOMIC_SEQ_CST) == value)
		futex(&shared->turn, FUTEX_WAIT, value, NULL, NULL, 0);
}

static void set_turn(uint32_t value)
{
	__atomic_store_n(&shared->turn, value, __ATOMIC_SEQ_CST);
	futex(&shared->turn, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void *play(void *arg)
{
	uint32_t mine = (uint32_t)(uintptr_t)arg;

	for (int i = 0; i < 200; i++) {
		wait_while(!mine);
		set_turn(!mine);
	}
	return arg;
}

static void *bump_by_cond(void *arg)
{
	int mine = (int)(intptr_t)arg;

	pthread_mutex_lock(&shared->mutex);
	for (int i = 0; i < 200; i++) {
		while (shared->value % 2 != mine)
			pthread_cond_wait(&shared->changed, &shared->mutex);
		shared->value++;
		pthread_cond_broadcast(&shared->changed);
	}
	pthread_mutex_unlock(&shared->mutex);
	return arg;
}

static void play_against_child(void *(*run)(void *))
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		finish(start(run, (void *)1));
		_exit(0);
	}
	finish(start(run, (void *)0));
	check(waitpid(child, &status, 0) == child);
	say_status("child", status);
}

int main(void)
{
	pthread_mutexattr_t mutex_attr;
	pthread_condattr_t cond_attr;

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(shared != MAP_FAILED);
	pthread_mutexattr_init(&mutex_attr);
	pthread_mutexattr_setpshared(&mutex_attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&shared->mutex, &mutex_attr);
	pthread_condattr_init(&cond_attr);
	pthread_condattr_setpshared(&cond_attr, PTHREAD_PROCESS_SHARED);
	pthread_cond_init(&shared->changed, &cond_attr);

	become_threaded();
	play_against_child(play);
	say("turn: %u", shared->turn);
	play_against_child(bump_by_cond);
	say("value: %d", shared->value);
	return 0;
}
