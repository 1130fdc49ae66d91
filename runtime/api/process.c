/*
 * See weft_waitpid(). A process is a descriptor that can be read when it has ended, pidfd_open(2). Before
 * Linux 5.3 a chore waits for it; neither takes its status, which is done at once when it has.
 */
#include "process.h"

#include <stdlib.h>
#include <sys/wait.h>

#include "chore.h"
#include "native.h"

struct await {
	struct weft__chore chore;
	pid_t pid;
	long result;
};

static void await_end(struct weft__chore *chore)
{
	struct await *it = (struct await *)chore;

	it->result = weft__ask(SYS_waitid, P_PID, it->pid, NULL, WEXITED | WNOWAIT, NULL);
}

static int await_by_chore(pid_t pid, int64_t deadline_ns)
{
	struct await *it;
	int err;

	if (weft_now() >= deadline_ns)
		return -ETIMEDOUT;
	it = calloc(1, sizeof(*it));
	if (it == NULL)
		return -ENOMEM;
	it->chore.run = await_end;
	it->chore.lasts = true;
	it->pid = pid;
	err = weft__chore(&it->chore, deadline_ns);
	if (err != 0)
		return err;
	err = (int)it->result;
	free(it);
	return err;
}

int weft__process_open(pid_t pid)
{
	return (int)weft__ask(SYS_pidfd_open, pid, 0);
}

int weft__process_await(pid_t pid, int pid_fd, int64_t deadline_ns)
{
	int err;

	if (pid_fd < 0)
		return await_by_chore(pid, deadline_ns);
	err = weft_wait_fd(pid_fd, WEFT_IN, deadline_ns);
	return err < 0 ? err : 0;
}

int weft__process_reap(pid_t pid, int *ret_status)
{
	int status;
	long result;

	do
		result = weft__ask(SYS_wait4, pid, &status, WNOHANG, NULL);
	while (result == -EINTR);
	if (result <= 0)
		return result == 0 ? -EAGAIN : (int)result;
	*ret_status = status;
	return 0;
}

int weft_waitpid(pid_t pid, int64_t deadline_ns, int *ret_status)
{
	int err = pid <= 0 ? -EINVAL : weft__may_wait(deadline_ns), status = 0, pid_fd;

	if (err != 0)
		return err;
	err = weft__process_reap(pid, &status);
	if (err == -EAGAIN) {
		/* It is a child, and nobody takes its status between here and there. */
		pid_fd = weft__process_open(pid);
		if (pid_fd == -EMFILE || pid_fd == -ENFILE || pid_fd == -ENOMEM)
			return pid_fd;
		do {
			err = weft__process_await(pid, pid_fd, deadline_ns);
			if (err != 0)
				break;
			err = weft__process_reap(pid, &status);
		} while (err == -EAGAIN);
		if (pid_fd >= 0)
			weft__ask(SYS_close, pid_fd);
	}
	if (err == 0 && ret_status != NULL)
		*ret_status = status;
	return err;
}
