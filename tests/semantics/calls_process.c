/* Calls by which processes and threads begin, end, wait for each other and become others. */
#include "ticks.h"
#include "waits.h"

#include <linux/sched.h>
#include <sched.h>

static int pidfd;

static void make_child_and_pidfd(void)
{
	make_child();
	pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	check(pidfd >= 0);
}

static void bury_child_and_pidfd(void)
{
	bury_child();
	close(pidfd);
}

static void stop_child(void)
{
	check(kill(child, SIGSTOP) == 0);
}

static const struct fixture child_alive = {make_child, end_child, bury_child},
			    any_child = {make_child, end_child, bury_child},
			    group_of_child = {make_child, end_child, bury_child},
			    child_running = {make_child, stop_child, bury_child},
			    child_by_pidfd = {make_child_and_pidfd, end_child,
					      bury_child_and_pidfd};

static siginfo_t info;

WAITS_FOR(wait4, child_alive, true, as_zero(ask(child, NULL, 0, NULL)))
WAITS_FOR(wait4, any_child, true, as_zero(ask(-1, NULL, 0, NULL)))
WAITS_FOR(wait4, group_of_child, true, as_zero(ask(0, NULL, 0, NULL)))
WAITS_FOR(wait4, child_running, true, as_zero(ask(child, NULL, WUNTRACED, NULL)))
TICKS(waitid, child_alive, P_PID, child, &info, WEXITED, NULL)
TICKS(waitid, any_child, P_ALL, 0, &info, WEXITED, NULL)
TICKS(waitid, child_running, P_ALL, 0, &info, WSTOPPED, NULL)
TICKS(waitid, child_by_pidfd, P_PIDFD, pidfd, &info, WEXITED, NULL)

ANSWERS(wait4, no_child, ask(-1, NULL, 0, NULL))
ANSWERS(wait4, no_such_child, ask(getpid(), NULL, 0, NULL))
ANSWERS(wait4, bad_options, ask(-1, NULL, -1, NULL))
ON(any_child, wait4, without_waiting, ask(-1, NULL, WNOHANG, NULL))
ANSWERS(waitid, no_child, ask(P_ALL, 0, &info, WEXITED, NULL))
ANSWERS(waitid, no_options, ask(P_ALL, 0, &info, 0, NULL))
ANSWERS(waitid, bad_kind, ask(99, 0, &info, WEXITED, NULL))
ANSWERS(waitid, no_pidfd, ask(P_PIDFD, -1, &info, WEXITED, NULL))
ON(any_child, waitid, without_waiting, ask(P_ALL, 0, &info, WEXITED | WNOHANG, NULL))

/* --- beginnings --- */
static struct clone_args as_fork = {.exit_signal = SIGCHLD},
			 as_half_a_thread = {.flags = CLONE_THREAD},
			 as_orphan = {.flags = CLONE_VM, .stack = 16};

static long reap(long pid)
{
	int status;

	if (pid == 0)
		_exit(5);
	if (pid < 0)
		return -1;
	check(waitpid((pid_t)pid, &status, 0) == pid);
	return WEXITSTATUS(status);
}

ANSWERS(clone, child, reap(ask(SIGCHLD, 0L, NULL, NULL, 0L)))
ANSWERS(clone, half_a_thread, ask((long)CLONE_THREAD, 0L, NULL, NULL, 0L))
ANSWERS(clone, half_a_sharing, ask((long)CLONE_SIGHAND, 0L, NULL, NULL, 0L))
ANSWERS(clone3, child, reap(ask(&as_fork, sizeof(as_fork))))
ANSWERS(clone3, half_a_thread, ask(&as_half_a_thread, sizeof(as_half_a_thread)))
ANSWERS(clone3, stack_of_no_size, ask(&as_orphan, sizeof(as_orphan)))
ANSWERS(clone3, nothing, ask(NULL, 0L))
ANSWERS(clone3, nowhere, ask(NULL, sizeof(as_fork)))
ANSWERS(clone3, huge, ask(&as_fork, 1L << 20))
ANSWERS(unshare, nothing, ask(0))
ANSWERS(unshare, bad_flags, ask(1))
ANSWERS(setns, no_descriptor, ask(-1, 0))
ANSWERS(setns, no_namespace, ask(0, 0))

/* --- ends --- */
static void *leave(void *arg)
{
	ask(0);
	return arg;
}

static long leave_group(void)
{
	become_threaded();
	return ask(7);
}

static char *true_args[] = {"true", NULL}, *no_variables[] = {NULL};

static long become_true(void)
{
	become_threaded();
	return ask("/bin/true", true_args, no_variables);
}

static long become_true_at(void)
{
	become_threaded();
	return ask(AT_FDCWD, "/bin/true", true_args, no_variables, 0);
}

ANSWERS(exit, in_a_thread, finish(start(leave, NULL)))
ANSWERS(exit_group, in_a_child, in_child(leave_group))
ANSWERS(execve, in_a_child, in_child(become_true))
ANSWERS(execve, nothing, ask("/nonexistent", true_args, no_variables))
ANSWERS(execve, nowhere, ask(NULL, true_args, no_variables))
ANSWERS(execve, folder, ask("/tmp", true_args, no_variables))
ANSWERS(execve, arguments_nowhere, ask("/bin/true", (void *)8, no_variables))
ANSWERS(execveat, in_a_child, in_child(become_true_at))
ANSWERS(execveat, nothing, ask(AT_FDCWD, "/nonexistent", true_args, no_variables, 0))
ANSWERS(execveat, no_folder, ask(-1, "true", true_args, no_variables, 0))
ANSWERS(execveat, bad_flags, ask(AT_FDCWD, "/bin/true", true_args, no_variables, 1))

int main(int argc, char *argv[])
{
	(void)argc;
	return run_trials(argv);
}
