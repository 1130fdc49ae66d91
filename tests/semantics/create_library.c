/*
 * A library that interposes pthread_create as sanitizers do: it returns when the new thread runs. And
 * like theirs its variables take more room in each thread than a small stack has.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#define MOST_BYTES (600 * 1024)

typedef int create_function(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

struct beginning {
	void *(*run)(void *);
	void *arg;
	atomic_bool runs;
};

__thread char of_thread[MOST_BYTES];
atomic_int threads_begun;

create_function pthread_create;

static void *begin(void *arg)
{
	struct beginning *beginning = arg;
	void *(*run)(void *) = beginning->run;

	arg = beginning->arg;
	memset(of_thread, 1, sizeof(of_thread));
	threads_begun++;
	beginning->runs = true;
	return run(arg);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
	static create_function *next;
	struct beginning beginning = {run, arg, false};
	int err;

	if (next == NULL)
		next = (create_function *)dlsym(RTLD_NEXT, "pthread_create");
	err = next(thread, attr, begin, &beginning);
	while (err == 0 && !beginning.runs)
		sched_yield();
	return err;
}
