/* main leaves by pthread_exit; the program lives on and ends with status 0 with its last thread. */
#include "guest.h"

static pthread_t first;

static void at_end(void)
{
	say("atexit handler ran");
}

static void *outlive_main(void *arg)
{
	void *value;

	(void)arg;
	check(pthread_join(first, &value) == 0);
	say("main left with %ld", (long)value);
	usleep(20000);
	say("the last thread leaves");
	return (void *)3;
}

int main(void)
{
	first = pthread_self();
	atexit(at_end);
	pthread_detach(start(outlive_main, NULL));
	say("main leaves");
	pthread_exit((void *)9);
}
