/* See unit.h. */
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool on_threads;

static char notes[65536];

struct errand {
	void (*run)(void *arg);
	void *arg;
};

static void *run_errand(void *arg)
{
	struct errand errand = *(struct errand *)arg;

	free(arg);
	errand.run(errand.arg);
	return NULL;
}

static struct errand *make_errand(void (*run)(void *arg), void *arg)
{
	struct errand *errand = malloc(sizeof(*errand));

	cr_assert_not_null(errand);
	*errand = (struct errand){run, arg};
	return errand;
}

/* What has not begun leaves its argument. */
int run_tasks(void (*entry)(void *arg), void *arg)
{
	struct errand *errand = make_errand(entry, arg);
	int err = weft_run(run_errand, errand, NULL);

	if (err != 0)
		free(errand);
	return err;
}

weft_task *spawn(void (*entry)(void *arg), void *arg)
{
	weft_task *task = NULL;
	int err = weft_spawn(&task, run_errand, make_errand(entry, arg));

	cr_assert_eq(err, 0, "weft_spawn: %s", strerror(-err));
	return task;
}

void spawn_detached(void (*entry)(void *arg), void *arg)
{
	weft_release(spawn(entry, arg));
}

void join(weft_task *task)
{
	int err = weft_join(task, WEFT_FOREVER);

	cr_assert_eq(err, 0, "weft_join: %s", strerror(-err));
	weft_release(task);
}

struct weft__task *spawn_inner(void (*entry)(void *arg), void *arg)
{
	return &spawn(entry, arg)->task;
}

void join_inner(struct weft__task *task)
{
	join(weft__container(task, weft_task, task));
}

void release_inner(struct weft__task *task)
{
	weft_release(weft__container(task, weft_task, task));
}

void yield(unsigned int times)
{
	while (times-- > 0)
		weft_yield();
}

void until_waits(weft_task *task)
{
	bool waits = false;

	while (!waits) {
		cr_assert_not(weft_ended(task));
		weft_yield();
		weft__enter_threads();
		waits = task->wait != NULL && !task->wait->over;
		weft__leave_threads();
	}
}

void on_foreign_thread(void (*run)(void *arg), void *arg)
{
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, run_errand, make_errand(run, arg)), 0);
	pthread_join(thread, NULL);
}

void note(const char *what)
{
	strncat(notes, what, sizeof(notes) - strlen(notes) - 1);
}

const char *noted(void)
{
	return notes;
}

void note_task(void *text)
{
	note(text);
}

unsigned int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int count = 0;

	cr_assert_not_null(dir);
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count - 3; /* ".", ".." and the one of opendir itself */
}

unsigned int count_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned int count = 0;
	int c;

	cr_assert_not_null(maps);
	while ((c = getc(maps)) != EOF)
		count += c == '\n';
	fclose(maps);
	return count;
}

void limit_memory(unsigned long more, struct rlimit *before)
{
	FILE *statm = fopen("/proc/self/statm", "r");
	struct rlimit low;
	unsigned long pages = 0;

	cr_assert_eq(fscanf(statm, "%lu", &pages), 1);
	fclose(statm);
	getrlimit(RLIMIT_AS, before);
	low = *before;
	low.rlim_cur = pages * 4096 + more;
	setrlimit(RLIMIT_AS, &low);
}

void make_pipe(int ends[2])
{
	cr_assert_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
}

void put_byte(int fd)
{
	cr_assert_eq(write(fd, "x", 1), 1);
}
