/* Changing ids in a threaded program: every thread, those that wait in the kernel too, and errors. */
#include "guest.h"

#include <grp.h>
#include <sys/file.h>

#define WAITERS 5
#define NOBODY 65534

static int pipes[2], held, mine;

struct ids {
	uid_t real, effective, saved;
	gid_t real_group, effective_group, saved_group;
	int groups;
};

static struct ids ask(void)
{
	struct ids ids;

	memset(&ids, 0, sizeof(ids));
	check(getresuid(&ids.real, &ids.effective, &ids.saved) == 0);
	check(getresgid(&ids.real_group, &ids.effective_group, &ids.saved_group) == 0);
	ids.groups = getgroups(0, NULL);
	return ids;
}

static void *ask_when_told(void *arg)
{
	struct ids *ids = arg;
	char byte;

	check(read(pipes[0], &byte, 1) == 1);
	*ids = ask();
	return NULL;
}

static void *wait_for_lock(void *arg)
{
	check(flock(mine, LOCK_EX) == 0);
	return arg;
}

static void *wait_for_child(void *arg)
{
	check(waitid(P_ALL, 0, &(siginfo_t){0}, WEXITED) == 0);
	return arg;
}

/* What the kernel says of the process: the ids of its first thread. */
static int status_agrees(const struct ids *ids)
{
	unsigned int real, effective, saved;
	FILE *file = fopen("/proc/self/status", "r");
	char line[256];
	int agrees = 0;

	check(file != NULL);
	while (fgets(line, sizeof(line), file) != NULL) {
		if (sscanf(line, "Uid: %u %u %u", &real, &effective, &saved) == 3)
			agrees += real == ids->real && effective == ids->effective &&
				  saved == ids->saved;
		if (sscanf(line, "Gid: %u %u %u", &real, &effective, &saved) == 3)
			agrees += real == ids->real_group && effective == ids->effective_group &&
				  saved == ids->saved_group;
	}
	fclose(file);
	return agrees == 2;
}

/* Run one change while threads wait, here, in a lock and for a child; all see it afterwards. */
static void change(const char *what, long result)
{
	pthread_t threads[WAITERS];
	struct ids expected = ask(), seen[WAITERS];
	int same = 0;

	if (result == -1)
		say("%s: %s", what, strerrorname_np(errno));
	else
		say("%s: done", what);
	for (int i = 0; i < WAITERS; i++)
		threads[i] = start(ask_when_told, &seen[i]);
	write_all(pipes[1], "12345", WAITERS);
	for (int i = 0; i < WAITERS; i++) {
		finish(threads[i]);
		same += memcmp(&seen[i], &expected, sizeof(expected)) == 0;
	}
	say("  threads that see it: %d, so does the kernel: %d", same, status_agrees(&expected));
}

static void change_all(void)
{
	gid_t group = NOBODY;
	int root = geteuid() == 0;
	uid_t user = root ? NOBODY : geteuid();

	/* Who is nobody may not, and says the same as root: the lines are equal on purpose. */
	change("setgroups", root ? setgroups(1, &group) : 0);
	change("setresgid", setresgid((gid_t)-1, root ? NOBODY : getegid(), (gid_t)-1));
	change("setegid back", setegid(getgid()));
	change("setregid", setregid(root ? NOBODY : getgid(), root ? NOBODY : getgid()));
	change("setgid", setgid(getgid()));
	change("seteuid", seteuid(user));
	change("seteuid back", seteuid(getuid()));
	change("setresuid", setresuid(user, user, root ? 0 : user));
	change("setreuid", setreuid(user, user));
	change("setuid", setuid(user));
	change("setuid(0)", setuid(0));
	change("setgid(0)", setgid(0));
	change("setgroups again", setgroups(1, &group));
}

static void *change_elsewhere(void *arg)
{
	change_all();
	return arg;
}

int main(void)
{
	char name[] = "/tmp/setidXXXXXX";
	pthread_t locker;
	int alive[2];
	pid_t child;
	char byte;

	mine = mkstemp(name);
	held = open(name, O_RDWR);
	unlink(name);
	check(mine >= 0 && held >= 0 && flock(held, LOCK_EX) == 0 && pipe(pipes) == 0);
	become_threaded();
	check(pipe(alive) == 0);
	child = fork();
	if (child == 0) {
		close(alive[1]);
		_exit(read(alive[0], &byte, 1) != 0); /* it ends when the parent does */
	}
	locker = start(wait_for_lock, NULL);
	pthread_detach(start(wait_for_child, NULL));
	settle();
	finish(start(change_elsewhere, NULL));
	flock(held, LOCK_UN);
	finish(locker);
	return 0;
}
