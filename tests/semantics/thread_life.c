/* Threads from their creation to their end: values, join, detach, who is who. */
#include "guest.h"

#include <semaphore.h>

static sem_t gate, left;

static void *end_by_exit(void *arg)
{
	pthread_exit((char *)arg + 1);
}

static void *wait_at_gate(void *arg)
{
	sem_wait(&gate);
	return arg;
}

static void *leave_detached(void *arg)
{
	(void)arg;
	sem_wait(&gate);
	sem_post(&left);
	return NULL;
}

static void *return_self(void *arg)
{
	*(pthread_t *)arg = pthread_self();
	return NULL;
}

static void *join_itself(void *arg)
{
	(void)arg;
	show_error(pthread_join(pthread_self(), NULL));
	return NULL;
}

static void *start_another(void *arg)
{
	return finish(start(end_by_exit, arg));
}

int main(void)
{
	struct timespec deadline = in_ms(CLOCK_REALTIME, 20);
	pthread_t thread, inside;
	pthread_attr_t attr;
	void *value;

	sem_init(&gate, 0, 0);
	sem_init(&left, 0, 0);

	say("returned %ld", (long)finish(start(return_at_once, (void *)41)));
	say("exited with %ld", (long)finish(start(end_by_exit, (void *)41)));
	say("a thread's thread exited with %ld", (long)finish(start(start_another, (void *)7)));

	thread = start(return_self, &inside);
	finish(thread);
	say("pthread_self agrees with pthread_create: %d", pthread_equal(thread, inside) != 0);

	thread = start(wait_at_gate, (void *)5);
	show_error(pthread_tryjoin_np(thread, &value));
	show_error(pthread_timedjoin_np(thread, &value, &deadline));
	sem_post(&gate);
	say("joined late with %ld", (long)finish(thread));

	thread = start(leave_detached, NULL);
	show_error(pthread_detach(thread));
	show_error(pthread_join(thread, NULL));
	sem_post(&gate);
	sem_wait(&left);
	say("a detached thread ran");

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	show_error(pthread_create(&thread, &attr, leave_detached, NULL));
	sem_post(&gate);
	sem_wait(&left);
	say("a thread born detached ran");
	pthread_attr_destroy(&attr);

	finish(start(join_itself, NULL));
	return 0;
}
