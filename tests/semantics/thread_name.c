/* Thread names: each thread has its own, set and read back by itself and by others. */
#include "guest.h"

#include <semaphore.h>

static sem_t named, seen;
static pthread_t main_thread;

/* The file itself, by the process's id and by the word. */
static void use_file(void)
{
	void *volatile nowhere = (void *)8;
	char path[64], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", getpid(), gettid());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	check(fd >= 0);
	show(fcntl(fd, F_GETFD));
	show(read(fd, text, sizeof(text)));
	say("it says %s", text);
	show(read(fd, text, sizeof(text)));
	show(write(fd, "x", 1));
	close(fd);
	fd = open(path, O_WRONLY);
	show(write(fd, "a name that is far too long", 27));
	show(write(fd, nowhere, 1));
	show(read(fd, text, 1));
	close(fd);
	fd = open("/proc/thread-self/comm", O_RDONLY);
	memset(text, 0, sizeof(text));
	show(read(fd, text, sizeof(text)));
	say("it says %s", text);
	close(fd);
}

static void *name_main(void *main)
{
	char name[16] = "";

	show_error(pthread_getname_np(pthread_self(), name, sizeof(name)));
	say("inherited name: %s", name);
	show_error(pthread_setname_np(*(pthread_t *)main, "third"));
	return NULL;
}

static void *name_itself(void *arg)
{
	char name[16] = "";

	/* A new thread has its parent's name. */
	show_error(pthread_getname_np(pthread_self(), name, sizeof(name)));
	say("inherited name: %s", name);
	show_error(pthread_setname_np(pthread_self(), "worker"));
	show_error(pthread_getname_np(pthread_self(), name, sizeof(name)));
	say("own name: %s", name);
	sem_post(&named);
	sem_wait(&seen);
	show_error(pthread_getname_np(pthread_self(), name, sizeof(name)));
	say("the name that main gave: %s", name);
	show_error(pthread_getname_np(main_thread, name, sizeof(name)));
	say("main's name seen from the worker: %s", name);
	use_file();
	return arg;
}

int main(void)
{
	char name[16] = "";
	pthread_t thread;

	show_error(pthread_setname_np(pthread_self(), "first"));
	main_thread = pthread_self();
	thread = start(name_itself, NULL);
	sem_wait(&named);
	show_error(pthread_getname_np(thread, name, sizeof(name)));
	say("the worker's name seen from main: %s", name);
	show_error(pthread_getname_np(pthread_self(), name, sizeof(name)));
	say("main's name: %s", name);
	show_error(pthread_setname_np(thread, "fifteen letters"));
	show_error(pthread_getname_np(thread, name, sizeof(name)));
	say("the name it was given: %s", name);
	show_error(pthread_getname_np(thread, name, 15));
	show_error(pthread_setname_np(thread, "sixteen letters!"));
	show_error(pthread_setname_np(thread, ""));
	show_error(pthread_getname_np(thread, name, sizeof(name)));
	say("and none: \"%s\"", name);
	show_error(pthread_setname_np(thread, "fifteen letters"));
	sem_post(&seen);
	finish(thread);
	show(open("/proc/self/task/536870911/comm", O_RDONLY));
	show_error(pthread_setname_np(pthread_self(), "a name far too long"));
	show_error(pthread_setname_np(pthread_self(), "second"));
	finish(start(name_main, &main_thread));
	finish(start(name_main, &main_thread));
	return 0;
}
