/* Changed ids hold for calls that wait in the kernel too: for those that begin afterwards. */
#include "guest.h"

#include <sys/file.h>
#include <sys/stat.h>

#define WAITERS 3
#define OPENERS 4
#define ROUNDS 20
#define NOBODY 65534

static char folder[] = "/tmp/setidXXXXXX", fifo[64], file[64];

/* The FIFO is its owner's alone, and both its ends are open: nobody has to wait. */
static void *open_fifo(void *arg)
{
	int fd = open(fifo, O_RDONLY);

	if (fd < 0)
		return (void *)(intptr_t)errno;
	close(fd);
	(void)arg;
	return NULL;
}

static void say_who_may_open(const char *when)
{
	pthread_t threads[OPENERS];
	int opened = 0, refused = 0;

	for (int i = 0; i < OPENERS; i++)
		threads[i] = start(open_fifo, NULL);
	for (int i = 0; i < OPENERS; i++) {
		intptr_t err = (intptr_t)finish(threads[i]);

		opened += err == 0;
		refused += err == EACCES;
	}
	say("%s: %d opened, %d refused", when, opened, refused);
}

static void *wait_for_lock(void *arg)
{
	int fd = open(file, O_RDWR);

	check(fd >= 0 && flock(fd, LOCK_SH) == 0);
	close(fd);
	return arg;
}

static void *set_user(void *user)
{
	check(setresuid((uid_t)-1, *(uid_t *)user, (uid_t)-1) == 0);
	return NULL;
}

/* To and fro, with calls of all threads between. */
static void change_often(uid_t other)
{
	uid_t mine = geteuid();
	int as_mine = 0, as_other = 0;

	for (int i = 0; i < ROUNDS; i++) {
		finish(start(set_user, &other));
		as_other += finish(start(open_fifo, NULL)) == NULL;
		finish(start(set_user, &mine));
		as_mine += finish(start(open_fifo, NULL)) == NULL;
	}
	say("opened as the one: %d, as the other: %d", as_mine, as_other);
}

int main(void)
{
	uid_t user = geteuid() == 0 ? NOBODY : geteuid();
	pthread_t waiters[WAITERS];
	int held, ends;

	check(mkdtemp(folder) != NULL && chmod(folder, 0755) == 0);
	snprintf(fifo, sizeof(fifo), "%s/fifo", folder);
	snprintf(file, sizeof(file), "%s/file", folder);
	check(mkfifo(fifo, 0600) == 0);
	ends = open(fifo, O_RDWR);
	held = open(file, O_RDWR | O_CREAT, 0666);
	check(ends >= 0 && held >= 0 && flock(held, LOCK_EX) == 0);
	say_who_may_open("at first");
	for (int i = 0; i < WAITERS; i++)
		waiters[i] = start(wait_for_lock, NULL);
	settle();
	change_often(user);
	finish(start(set_user, &user));
	say_who_may_open("as another, while some wait");
	flock(held, LOCK_UN);
	for (int i = 0; i < WAITERS; i++)
		finish(waiters[i]);
	say_who_may_open("as another, when they are done");
	check(setresuid((uid_t)-1, getuid(), (uid_t)-1) == 0);
	say_who_may_open("as before");
	unlink(fifo);
	unlink(file);
	rmdir(folder);
	return 0;
}
