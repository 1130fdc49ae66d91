/* The first thread of a program may be one that libc makes for itself. */
#include "guest.h"

#include <aio.h>
#include <semaphore.h>

static sem_t notified;

static void notify(union sigval value)
{
	(void)value;
	sem_post(&notified);
}

static void *wait_for_main(void *semaphore)
{
	check(sem_wait(semaphore) == 0);
	return NULL;
}

int main(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = notify};
	struct itimerspec soon = {{0, 0}, {0, 1000000}};
	char text[] = "written by another thread";
	struct aiocb block = {.aio_buf = text, .aio_nbytes = sizeof(text)};
	const struct aiocb *const list[] = {&block};
	FILE *file = tmpfile();
	pthread_t thread;
	timer_t timer;
	sem_t go;

	check(sem_init(&notified, 0, 0) == 0 && sem_init(&go, 0, 0) == 0 && file != NULL);
	check(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	check(timer_settime(timer, 0, &soon, NULL) == 0);
	check(sem_wait(&notified) == 0);
	say("a timer's thread");
	block.aio_fildes = fileno(file);
	check(aio_write(&block) == 0);
	while (aio_error(&block) == EINPROGRESS)
		check(aio_suspend(list, 1, NULL) == 0);
	say("aio_return: %d", (int)aio_return(&block));
	thread = start(wait_for_main, &go);
	usleep(1000);
	check(sem_post(&go) == 0);
	finish(thread);
	say("a thread of its own");
	return 0;
}
