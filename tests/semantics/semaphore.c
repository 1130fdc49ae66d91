/* Semaphores: counting, timed, tried, named, and shared with a child process. */
#include "guest.h"

#include <semaphore.h>
#include <sys/mman.h>

static sem_t items, spaces;
static int buffer[8], sum;

static void *produce(void *arg)
{
	for (int i = 1; i <= 2000; i++) {
		sem_wait(&spaces);
		buffer[i % 8] = i;
		sem_post(&items);
	}
	return arg;
}

static void *consume(void *arg)
{
	for (int i = 1; i <= 2000; i++) {
		sem_wait(&items);
		sum += buffer[i % 8];
		sem_post(&spaces);
	}
	return arg;
}

static void *wait_for_main(void *arg)
{
	struct timespec deadline = in_ms(CLOCK_REALTIME, 30000);

	show(sem_timedwait(arg, &deadline));
	return NULL;
}

static void answer_child(void)
{
	sem_t *pair = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child;

	check(pair != MAP_FAILED);
	show(sem_init(&pair[0], 1, 0));
	show(sem_init(&pair[1], 1, 0));
	child = fork();
	if (child == 0) {
		for (int i = 0; i < 100; i++) {
			sem_wait(&pair[0]);
			sem_post(&pair[1]);
		}
		_exit(0);
	}
	for (int i = 0; i < 100; i++) {
		sem_post(&pair[0]);
		sem_wait(&pair[1]);
	}
	check(waitpid(child, NULL, 0) == child);
	say("100 rounds with a child");
}

int main(void)
{
	struct timespec deadline = in_ms(CLOCK_REALTIME, 20), bad = {0, 1000000000};
	pthread_t producer, consumer, waiter;
	char name[64];
	sem_t *named;
	int value;

	show(sem_init(&items, 0, 0));
	show(sem_init(&spaces, 0, 8));
	producer = start(produce, NULL);
	consumer = start(consume, NULL);
	finish(producer);
	finish(consumer);
	say("sum %d", sum);

	show(sem_trywait(&items));
	show(sem_timedwait(&items, &deadline));
	say("not early: %d", now_ns(CLOCK_REALTIME) >= to_ns(deadline));
	show(sem_timedwait(&items, &bad));
	deadline = in_ms(CLOCK_MONOTONIC, 10);
	show(sem_clockwait(&items, CLOCK_MONOTONIC, &deadline));
	show(sem_getvalue(&spaces, &value));
	say("spaces: %d", value);

	waiter = start(wait_for_main, &items);
	settle();
	sem_post(&items);
	finish(waiter);

	snprintf(name, sizeof(name), "/guest-semaphore-%d", getpid());
	sem_unlink(name); /* of a process that had this id and was killed */
	named = sem_open(name, O_CREAT | O_EXCL, 0600, 0);
	check(named != SEM_FAILED);
	check(sem_unlink(name) == 0);
	waiter = start(wait_for_main, named);
	settle();
	sem_post(named);
	finish(waiter);
	show(sem_close(named));
	answer_child();
	return 0;
}
