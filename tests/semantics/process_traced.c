/* A threaded program that traces its children, as debuggers do: ptrace(2) goes by the thread that made them. */
#include "guest.h"

#include <sys/ptrace.h>
#include <sys/wait.h>

static int never[2];

static void trace_one(void)
{
	pid_t child = vfork();
	int status;

	if (child == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0)
			execl("/bin/sh", "sh", "-c", "exit 9", (char *)NULL);
		_exit(127);
	}
	check(child > 0 && waitpid(child, &status, 0) == child);
	check(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP); /* by the exec */
	check(ptrace(PTRACE_CONT, child, NULL, NULL) == 0);
	check(waitpid(child, &status, 0) == child);
	say_status("a traced child", status);
}

int main(void)
{
	check(pipe(never) == 0);
	start(read_byte, &never[0]);
	settle();
	for (int i = 0; i < 3; i++)
		trace_one();
	return 23;
}
