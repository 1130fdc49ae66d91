/* Who wants a lock gets it, though its owner waits whenever it has it and only then. */
#include "guest.h"

#include <semaphore.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static sem_t semaphore;
static bool use_semaphore;
static volatile bool stop;
static int turns;

static void take(void)
{
	check((use_semaphore ? sem_wait(&semaphore) : pthread_mutex_lock(&mutex)) == 0);
}

static void give(void)
{
	check((use_semaphore ? sem_post(&semaphore) : pthread_mutex_unlock(&mutex)) == 0);
}

/* Kernel threads get the lock within a hundred turns of its owner, or two when there is no peace. */
#define MANY_TURNS 20000

/* As who collects garbage does. It gives up after so many turns, and that is said. */
static void *wait_locked(void *arg)
{
	for (turns = 0; turns < MANY_TURNS && !stop; turns++) {
		take();
		usleep(200);
		give();
		for (volatile int i = 0; i < 10000; i++)
			;
	}
	return arg;
}

static void *take_five_times(void *arg)
{
	for (int round = 0; round < 5; round++) {
		take();
		give();
		usleep(100);
	}
	return arg;
}

int main(void)
{
	check(sem_init(&semaphore, 0, 1) == 0);
	for (int i = 0; i < 2; i++) {
		pthread_t owner, others[4];

		use_semaphore = i == 1;
		stop = false;
		owner = start(wait_locked, NULL);
		for (int k = 0; k < 4; k++)
			others[k] = start(take_five_times, NULL);
		for (int k = 0; k < 4; k++)
			finish(others[k]);
		stop = true;
		finish(owner);
		say("%s: taken five times by each%s", use_semaphore ? "semaphore" : "mutex",
		    turns == MANY_TURNS ? ", when its owner left" : "");
	}
	return 0;
}
