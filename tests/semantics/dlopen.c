/* A library loaded while threads run, and one thread that looks names up in it. */
#include "guest.h"

#include <dlfcn.h>

static void *use_library(void *arg)
{
	void *library = dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL);
	double (*root)(double);

	check(library != NULL);
	*(void **)&root = dlsym(library, "sqrt");
	check(root != NULL);
	usleep(1000);
	say("sqrt(%ld) = %g", (long)arg, root((double)(long)arg));
	check(dlclose(library) == 0);
	check(dlopen("no-such-library.so", RTLD_NOW) == NULL && dlerror() != NULL);
	return NULL;
}

int main(void)
{
	for (long i = 1; i <= 5; i++)
		finish(start(use_library, (void *)(i * i)));
	return 0;
}
