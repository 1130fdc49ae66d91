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

/* Memory that is in use, in KB. */
static long resident(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	long pages = -1;

	check(file != NULL && fscanf(file, "%*d %ld", &pages) == 1);
	fclose(file);
	return pages * 4;
}

/* Many, a few at a time. */
static void run_many(long threads)
{
	pthread_t some[10];

	for (; threads > 0; threads -= 10) {
		for (int i = 0; i < 10; i++)
			some[i] = start(return_at_once, NULL);
		for (int i = 0; i < 10; i++)
			finish(some[i]);
	}
}

static void leave_nothing(void)
{
	long before;

	run_many(1000);
	before = resident();
	run_many(60000);
	say("60,000 threads %s", resident() < before + 200 ? "left nothing" : "left something");
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
	leave_nothing();
	return 0;
}
