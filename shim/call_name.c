/*
 * Names of threads, as glibc reads and writes another's: in /proc/self/task/ID/comm (proc(5)).
 *
 * The kernel lists its one thread there. A task's file is one in memory that has the name in it;
 * what is written to it becomes the name. Nothing else in the folder is made up.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "descriptor.h"
#include "handlers.h"
#include "shim.h"
#include "thread.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif

#define LONGEST_PATH 48

/* With these open(2) means nothing special to such a file. */
#define PLAIN_FLAGS \
	(O_ACCMODE | O_CLOEXEC | O_LARGEFILE_BIT | O_NOCTTY | O_NONBLOCK | O_TRUNC | O_NOFOLLOW)
#define O_LARGEFILE_BIT 0100000 /* <fcntl.h> has 0 for it, but libc may pass it */

/* Go past a word; NULL when another stands there, or from was NULL. */
static const char *skip(const char *from, const char *word)
{
	size_t n = strlen(word);

	return from != NULL && strncmp(from, word, n) == 0 ? from + n : NULL;
}

static const char *skip_number(const char *from, long *number)
{
	const char *at = from;

	if (from == NULL)
		return NULL;
	for (*number = 0; *at >= '0' && *at <= '9' && at - from < 10; at++)
		*number = *number * 10 + (*at - '0');
	return at == from || *from == '0' ? NULL : at;
}

/* Whose name a path leads to; NULL: it is none, or not a task's. */
static struct weft__thread *named_by(const char *path)
{
	const char *at = skip(path, "/proc/self/task/");
	struct weft__thread *thread;
	long pid = 0, tid = 0;

	if (strcmp(path, "/proc/thread-self/comm") == 0) {
		thread = weft__thread_here();
		return thread == &weft__main_thread ? NULL : thread;
	}
	if (at == NULL) {
		at = skip(skip_number(skip(path, "/proc/"), &pid), "/task/");
		if (at == NULL || pid != getpid())
			return NULL;
	}
	at = skip_number(at, &tid);
	if (at == NULL || strcmp(at, "/comm") != 0 || tid < WEFT__FIRST_TID)
		return NULL;
	return weft__thread_by_tid(tid);
}

/*
 * Read the path of a name; false when it is none. Most are told by one look; a bad pointer is the
 * kernel's to complain of.
 */
static bool read_path(uintptr_t from, char path[LONGEST_PATH])
{
	uint32_t word, proc;

	memcpy(&proc, "/pro", sizeof(proc));
	if (weft__load(from, &word) != 0 || weft__likely(word != proc))
		return false;
	for (size_t i = 0; i < LONGEST_PATH; i++) {
		if (weft__copy(&path[i], (const void *)(from + i), 1) != 0)
			return false;
		if (path[i] == '\0')
			return i > 5 && strcmp(path + i - 5, "/comm") == 0;
	}
	return false;
}

static long make_file(const struct weft__thread *thread, long flags)
{
	char text[sizeof(thread->name) + 1], path[32];
	long memory, number;

	/* Linux 6.3 warns of one that may be executed; before that the flag is not known. */
	memory = weft__raw(SYS_memfd_create, "comm", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
	if (memory == -EINVAL)
		memory = weft__raw(SYS_memfd_create, "comm", MFD_CLOEXEC);
	if (memory < 0)
		return memory;
	snprintf(text, sizeof(text), "%s\n", thread->name);
	weft__raw(SYS_write, memory, text, strlen(text));
	/* Opened anew, it begins at its start and may be used as was asked. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", (int)memory);
	flags &= O_ACCMODE | O_CLOEXEC | O_NONBLOCK;
	number = weft__raw(SYS_openat, AT_FDCWD, path, flags);
	weft__raw(SYS_close, memory);
	return number;
}

static long open_name(const struct weft__thread *thread, long flags)
{
	long number = make_file(thread, flags);
	struct weft__fd *fd;

	if (number < 0 || (flags & O_ACCMODE) == O_RDONLY)
		return number;
	fd = weft__fd_at(number);
	if (fd == NULL) {
		weft__raw(SYS_close, number);
		return -ENOMEM;
	}
	fd->kind = WEFT__NAME;
	fd->tid = (uint32_t)thread->tid;
	return number;
}

long weft__open_name(uintptr_t at, long flags)
{
	struct weft__thread *thread;
	char path[LONGEST_PATH];

	if (weft__likely(!read_path(at, path)) || (flags & ~(long)PLAIN_FLAGS) != 0)
		return WEFT__PASS;
	thread = named_by(path);
	if (thread != NULL)
		return open_name(thread, flags);
	if ((flags & O_ACCMODE) != O_RDONLY)
		weft__main_renamed = true;
	return WEFT__PASS;
}

long weft__write_name(const struct weft__call *c)
{
	struct weft__thread *thread = weft__thread_by_tid(c->fd->tid);
	char name[sizeof(thread->name)] = "";
	size_t n = (size_t)c->arg[2] < sizeof(name) - 1 ? (size_t)c->arg[2] : sizeof(name) - 1;

	if (weft__copy(name, (const void *)c->arg[1], n) != 0)
		return -EFAULT;
	if (thread == NULL)
		return -ESRCH;
	memcpy(thread->name, name, sizeof(name));
	return c->arg[2];
}
