/* What only a process with one thread may do, close-all loops, sessions, and who dies with whom. */
#include "guest.h"

#include <linux/close_range.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static int done[2], go[2];

static void *sleep_long(void *arg)
{
	sleep(1000);
	return arg;
}

/* Run something in a child that has a parked thread too, and say how the child ended. */
static void in_child(const char *what, void (*run)(void))
{
	int status;
	pid_t child = fork();

	check(child >= 0);
	if (child == 0) {
		start(sleep_long, NULL);
		settle();
		run();
		_exit(0);
	}
	check(waitpid(child, &status, 0) == child);
	say_status(what, status);
}

static void unshare_things(void)
{
	show(unshare(CLONE_NEWUSER));
	show(unshare(CLONE_THREAD));
	show(unshare(CLONE_VM));
	show(unshare(CLONE_SIGHAND));
	show(unshare(CLONE_SYSVSEM));
	show(unshare(CLONE_FS));
	show(unshare(CLONE_FILES));
	show(unshare(0));
	show(unshare(-1));
	show(setns(-1, 0));
	show(setns(open("/proc/self/ns/user", O_RDONLY), CLONE_NEWUSER));
}

static int count_open(int below)
{
	int open = 0;

	for (int fd = 0; fd < below; fd++)
		open += fcntl(fd, F_GETFD) >= 0;
	return open;
}

/* Threads go on to sleep, wait and talk when all descriptors but the first three are gone. */
static void use_threads(const char *what)
{
	int ends[2];
	pthread_t thread;

	check(pipe(ends) == 0);
	thread = start(write_late, &ends[1]);
	read_byte(&ends[0]);
	finish(thread);
	say("%s: threads go on, descriptors %d and %d are free", what, ends[0], ends[1]);
	close(ends[0]);
	close(ends[1]);
}

static void close_in_loop(void)
{
	struct rlimit limit;
	int closed = 0, wrong = 0;

	getrlimit(RLIMIT_NOFILE, &limit);
	for (int fd = 3; fd < (int)limit.rlim_cur && fd < 8192; fd++) {
		if (close(fd) == 0)
			closed++;
		else
			wrong += errno != EBADF;
	}
	say("closed %d, wrong errors %d, open %d", closed, wrong, count_open(8192));
	use_threads("close in a loop");
}

static void close_from(void)
{
	closefrom(3);
	say("open %d", count_open(8192));
	use_threads("closefrom");
}

/* The numbers that were free are the program's, in its children too. */
static void reuse_numbers(void)
{
	int status, ends[2];
	pid_t child;

	closefrom(3);
	for (int i = 0; i < 5; i++)
		check(pipe(ends) == 0);
	say("reused: up to %d", ends[1]);
	child = fork();
	if (child == 0) {
		use_threads("in the grandchild");
		_exit(count_open(100));
	}
	check(waitpid(child, &status, 0) == child);
	say_status("the grandchild", status);
}

static void close_by_range(void)
{
	show(close_range(3, ~0U, CLOSE_RANGE_UNSHARE));
	say("open %d", count_open(8192));
	use_threads("close_range with unshare");
}

static void close_on_exec(void)
{
	int fd = open("/dev/null", O_RDONLY);

	show(close_range(3, ~0U, CLOSE_RANGE_CLOEXEC));
	say("closes on exec: %d", fcntl(fd, F_GETFD));
	use_threads("close_range on exec");
	show(close_range(5, 4, 0));
	show(close_range(5, 4, 77));
	show(close_range(3, 4, 77));
}

static void lead_session(void)
{
	say("leads: %d", setsid() == getpid());
	show(setsid());
	say("process group: %d, session: %d", getpgid(0) == getpid(), getsid(0) == getpid());
	use_threads("setsid");
}

static void go_on_as_daemon(void)
{
	int result = daemon(1, 1);

	read_byte(&go[0]);
	show_result("daemon(1, 1)", result);
	use_threads("daemon");
	write_all(done[1], "d", 1);
}

/* The grandchild is told when its parent goes, and then belongs to the subreaper. */
static void die_with_parent(void)
{
	int status, ready[2];
	pid_t child;
	char byte;

	check(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 && pipe(ready) == 0);
	child = fork();
	if (child == 0) {
		if (fork() == 0) {
			check(prctl(PR_SET_PDEATHSIG, SIGTERM) == 0);
			write_all(ready[1], "x", 1);
			for (;;)
				pause();
		}
		check(read(ready[0], &byte, 1) == 1);
		_exit(0);
	}
	check(waitpid(child, &status, 0) == child);
	say_status("the child", status);
	check(wait(&status) > 0);
	say_status("the grandchild", status);
	show(wait(&status));
}

static void change_root(void)
{
	int result = chroot("/proc/self");

	if (result == 0)
		check(chdir("/") == 0);
	say("the root has changed, or only root may do that: %d",
	    result == 0 ? access("/status", F_OK) == 0 : errno == EPERM);
	use_threads("chroot");
}

int main(void)
{
	check(pipe(done) == 0 && pipe(go) == 0);
	become_threaded();
	in_child("unshare", unshare_things);
	in_child("close in a loop", close_in_loop);
	in_child("closefrom", close_from);
	in_child("numbers used again", reuse_numbers);
	in_child("close_range with unshare", close_by_range);
	in_child("close_range on exec", close_on_exec);
	in_child("setsid", lead_session);
	in_child("daemon", go_on_as_daemon);
	write_all(go[1], "g", 1);
	read_byte(&done[0]);
	in_child("dying with the parent", die_with_parent);
	in_child("chroot", change_root);
	return 0;
}
