/* Thread names: each thread has its own, set and read back by itself and by others. */
#include "guest.h"

#include <semaphore.h>

static sem_t named, seen;

static void *name_itself(void *arg)
{
	char name[16] = "";

	show_error(pthread_setname_np(pthread_self(), "worker"));
	show_error(pthread_getname_np(pthread_self(), name, sizeof(name)));
	say("own name: %s", name);
	sem_post(&named);
	sem_wait(&seen);
	return arg;
}

int main(void)
{
	char name[16] = "";
	pthread_t thread;

	show_error(pthread_setname_np(pthread_self(), "first"));
	thread = start(name_itself, NULL);
	sem_wait(&named);
	show_error(pthread_getname_np(thread, name, sizeof(name)));
	say("the worker's name seen from main: %s", name);
	show_error(pthread_getname_np(pthread_self(), name, sizeof(name)));
	say("main's name: %s", name);
	sem_post(&seen);
	finish(thread);
	show_error(pthread_setname_np(pthread_self(), "a name far too long"));
	return 0;
}
