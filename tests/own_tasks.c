/* A program that is linked against libweft, and runs tasks while it has a thread more. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <weft.h>

static int never[2];

static void *wait_for_ever(void *arg)
{
	char byte;

	if (read(never[0], &byte, 1) != 0)
		abort();
	return arg;
}

static void *count(void *arg)
{
	weft_yield();
	++*(int *)arg;
	return NULL;
}

static void *run(void *arg)
{
	for (int i = 0; i < 4; i++) {
		if (weft_spawn(NULL, count, arg) != 0)
			abort();
	}
	return count(arg);
}

int main(void)
{
	pthread_t thread;
	int tasks = 0, err;

	if (pipe(never) != 0 || pthread_create(&thread, NULL, wait_for_ever, NULL) != 0)
		abort();
	err = weft_run(run, &tasks, NULL);
	printf("%d: %d tasks\n", err, tasks);
	return 23;
}
