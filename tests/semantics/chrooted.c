/* Whoever locks itself in an empty folder, without /proc and without libraries, goes on as before. */
#include "after.h"

#include <dlfcn.h>
#include <sched.h>
#include <sys/stat.h>

static void lock_in(void)
{
	char folder[] = "/tmp/chrootedXXXXXX";

	check(mkdtemp(folder) != NULL && chmod(folder, 0755) == 0);
	if (geteuid() != 0) {
		check(rmdir(folder) == 0);
		say("skipped: not root, so nothing is locked");
		return;
	}
	show(chroot(folder));
	show(chdir("/"));
	show(open("/proc/self/maps", O_RDONLY));
	show(open("/tmp", O_RDONLY));
	say("a library: %s", dlopen("libutil.so.1.not", RTLD_NOW) == NULL ? "no" : "yes");
}

static void *look_around(void *arg)
{
	struct stat here, root;

	check(stat(".", &here) == 0 && stat("/", &root) == 0);
	(void)arg;
	return (void *)(intptr_t)(here.st_ino == root.st_ino);
}

static int mounts;

static int join_mounts(void)
{
	return setns(mounts, CLONE_NEWNS);
}

static int unshare_user(void)
{
	return unshare(CLONE_NEWUSER);
}

/* Who may is the system's to say. A thread that has been joined may take a moment to be gone. */
static const char *try_alone(int (*call)(void))
{
	for (int i = 0; i < 6000; i++) {
		if (call() == 0 || errno != EINVAL)
			return "may, or not";
		usleep(10000);
	}
	return "not alone";
}

/* With threads it may not; alone it may, whatever they have done before. */
static void unshare_alone(void)
{
	pid_t child = fork();
	int status;

	check(child >= 0);
	if (child == 0) {
		mounts = open("/proc/self/ns/mnt", O_RDONLY);
		begin_waiting();
		show(unshare_user());
		show(unshare(CLONE_VM));
		show(join_mounts());
		end_waiting();
		say("alone, in the same mounts: %s", try_alone(join_mounts));
		say("alone: %s", try_alone(unshare_user));
		become_threaded();
		_exit(0);
	}
	check(waitpid(child, &status, 0) == child);
	say_status("unshared", status);
}

int main(void)
{
	become_threaded();
	unshare_alone();
	begin_waiting();
	lock_in();
	say("here is the root, or nothing was locked: %d",
	    geteuid() != 0 || finish(start(look_around, NULL)) != NULL);
	go_on();
	return 0;
}
