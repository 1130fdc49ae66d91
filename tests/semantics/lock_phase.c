/* Who wants a lock gets it, though its owner gives it up for moments only. */
#include "guest.h"

#include <semaphore.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static sem_t semaphore;
static bool use_semaphore;
static volatile bool stop;
static int sink;

static void take(void)
{
	check((use_semaphore ? sem_wait(&semaphore) : pthread_mutex_lock(&mutex)) == 0);
}

static void give(void)
{
	check((use_semaphore ? sem_post(&semaphore) : pthread_mutex_unlock(&mutex)) == 0);
}

static void *write_locked(void *arg)
{
	while (!stop) {
		take();
		check(write(sink, ".", 1) == 1);
		give();
	}
	return arg;
}

/* Another process reads all, so that the writer never has to wait. */
static pid_t start_reader(void)
{
	static char room[65536];
	int end[2];
	pid_t child;

	check(pipe(end) == 0);
	child = fork();
	check(child >= 0);
	if (child == 0) {
		close(end[1]);
		while (read(end[0], room, sizeof(room)) > 0)
			;
		_exit(0);
	}
	close(end[0]);
	sink = end[1];
	return child;
}

int main(void)
{
	pid_t reader = start_reader();

	check(sem_init(&semaphore, 0, 1) == 0);
	for (int i = 0; i < 2; i++) {
		pthread_t writer;

		use_semaphore = i == 1;
		stop = false;
		writer = start(write_locked, NULL);
		for (int round = 0; round < 5; round++) {
			usleep(2000);
			take();
			give();
		}
		stop = true;
		finish(writer);
		say("%s: taken five times", use_semaphore ? "semaphore" : "mutex");
	}
	close(sink);
	check(waitpid(reader, NULL, 0) == reader);
	return 0;
}
