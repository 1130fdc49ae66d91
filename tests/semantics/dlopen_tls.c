/* Libraries with thread variables, of either kind, loaded while threads are there. */
#include "guest.h"

#include <dlfcn.h>
#include <libgen.h>

#define THREADS 8

typedef int count_function(int by);

static pthread_barrier_t loaded;
static count_function *count[2];
static int results[THREADS][3];

static void *load(const char *name)
{
	char path[4096] = "";
	void *library;

	check(readlink("/proc/self/exe", path, sizeof(path) - 64) > 0);
	dirname(path);
	strcat(strcat(path, "/"), name);
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	check(library != NULL);
	return library;
}

static count_function *find(void *library)
{
	count_function *function;

	*(void **)&function = dlsym(library, "tls_count");
	check(function != NULL);
	return function;
}

/* Each thread is older than the libraries, and finds their variables as they begin. */
static void *use(void *arg)
{
	int *result = arg, by = (int)((result - results[0]) / 3 + 1);

	pthread_barrier_wait(&loaded);
	pthread_barrier_wait(&loaded);
	for (int i = 0; i < 10; i++) {
		result[0] = count[0](by);
		result[1] = count[1](by);
		usleep(500);
	}
	result[2] = count[0](0) == result[0] && count[1](0) == result[1];
	return NULL;
}

static void *use_new(void *arg)
{
	int *result = arg;

	result[0] = count[0](1);
	result[1] = count[1](1);
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];
	void *first, *second;
	int result[2];

	pthread_barrier_init(&loaded, NULL, THREADS + 1);
	for (int i = 0; i < THREADS; i++)
		threads[i] = start(use, results[i]);
	pthread_barrier_wait(&loaded);
	first = load("libtls_static.so");
	second = load("libtls_dynamic.so");
	count[0] = find(first);
	count[1] = find(second);
	pthread_barrier_wait(&loaded);
	for (int i = 0; i < THREADS; i++) {
		finish(threads[i]);
		say("thread %d: %d %d, as before %d", i, results[i][0], results[i][1],
		    results[i][2]);
	}
	say("main: %d %d", count[0](5), count[1](5));
	finish(start(use_new, result));
	say("a thread made later: %d %d", result[0], result[1]);
	check(dlclose(first) == 0 && dlclose(second) == 0);
	second = load("libtls_dynamic.so");
	count[0] = count[1] = find(second);
	finish(start(use_new, result));
	say("loaded again: %d %d", result[0], result[1]);
	return 0;
}
