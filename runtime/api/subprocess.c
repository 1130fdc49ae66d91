/*
 * See weft/stream.h: child processes. The descriptor of a child (pidfd_open(2)) is kept from its start: it
 * is never another's, as its number may be once its status has been taken.
 */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"
#include "stream.h"
#include "subprocess.h"

#define ALL_PIPES (WEFT_PIPE_IN | WEFT_PIPE_OUT | WEFT_PIPE_ERR | WEFT_ERR_TO_OUT)
#define LEAST_OF_ITS_OWN 3

extern char **environ;

/* A pipe whose ends are none of the standard descriptors: ours [0], which does not block, and theirs [1]. */
static int make_pipe(int number, int ends[2])
{
	int made[2], moved;
	long err = weft__ask(SYS_pipe2, made, O_CLOEXEC);

	if (err != 0)
		return (int)err;
	for (int i = 0; i < 2; i++) {
		if (made[i] >= LEAST_OF_ITS_OWN)
			continue;
		moved = (int)weft__ask(SYS_fcntl, made[i], F_DUPFD_CLOEXEC, LEAST_OF_ITS_OWN);
		if (moved < 0) {
			weft__ask(SYS_close, made[0]);
			weft__ask(SYS_close, made[1]);
			return moved;
		}
		weft__ask(SYS_close, made[i]);
		made[i] = moved;
	}
	ends[0] = number == STDIN_FILENO ? made[1] : made[0];
	ends[1] = number == STDIN_FILENO ? made[0] : made[1];
	weft__ask(SYS_fcntl, ends[0], F_SETFL,
		  O_NONBLOCK | (number == STDIN_FILENO ? O_WRONLY : O_RDONLY));
	return 0;
}

/* Make the pipes and streams asked for, and say what the child has of them. */
static int make_streams(weft_process *process, int pipes, int theirs[3])
{
	for (int i = 0; i < 3; i++) {
		int ends[2] = {-1, -1}, err;

		if ((pipes & (1 << i)) == 0)
			continue;
		err = make_pipe(i, ends);
		if (err != 0)
			return err;
		theirs[i] = ends[1];
		err = weft_stream_new(&process->stream[i], ends[0]);
		if (err != 0) {
			weft__ask(SYS_close, ends[0]);
			return err;
		}
	}
	return 0;
}

static int spawn(weft_process *process, char *const argv[], char *const environment[], int pipes,
		 const int theirs[3])
{
	posix_spawn_file_actions_t actions;
	int err = posix_spawn_file_actions_init(&actions), before = errno;

	if (err != 0)
		return -err;
	for (int i = 0; i < 3 && err == 0; i++)
		if (theirs[i] >= 0)
			err = posix_spawn_file_actions_adddup2(&actions, theirs[i], i);
	if (err == 0 && (pipes & WEFT_ERR_TO_OUT) != 0)
		err = posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
	if (err == 0)
		err = posix_spawnp(&process->pid, argv[0], &actions, NULL, argv,
				   environment != NULL ? environment : environ);
	posix_spawn_file_actions_destroy(&actions);
	errno = before;
	if (err == 0)
		process->fd = weft__process_open(process->pid);
	return -err;
}

static void free_all(weft_process *process)
{
	for (int i = 0; i < 3; i++)
		weft_stream_free(process->stream[i]);
	if (process->fd >= 0)
		weft__ask(SYS_close, process->fd);
	free(process);
}

int weft_process_new(weft_process **ret_process, char *const argv[], char *const environment[],
		     int pipes)
{
	int theirs[3] = {-1, -1, -1}, err;
	weft_process *process;

	if (ret_process == NULL || argv == NULL || argv[0] == NULL || (pipes & ~ALL_PIPES) != 0 ||
	    ((pipes & WEFT_PIPE_ERR) != 0 && (pipes & WEFT_ERR_TO_OUT) != 0))
		return -EINVAL;
	err = weft__may_wait(0);
	if (err != 0)
		return err;
	process = calloc(1, sizeof(*process));
	if (process == NULL)
		return -ENOMEM;
	process->fd = -1;
	err = make_streams(process, pipes, theirs);
	if (err == 0)
		err = spawn(process, argv, environment, pipes, theirs);
	for (int i = 0; i < 3; i++)
		if (theirs[i] >= 0)
			weft__ask(SYS_close, theirs[i]);
	if (err != 0)
		free_all(process);
	else
		*ret_process = process;
	return err;
}

static weft_stream *stream_of(weft_process *process, int number)
{
	return process == NULL ? NULL : process->stream[number];
}

weft_stream *weft_process_in(weft_process *process)
{
	return stream_of(process, STDIN_FILENO);
}

weft_stream *weft_process_out(weft_process *process)
{
	return stream_of(process, STDOUT_FILENO);
}

weft_stream *weft_process_err(weft_process *process)
{
	return stream_of(process, STDERR_FILENO);
}

pid_t weft_process_pid(const weft_process *process)
{
	return process == NULL ? -EINVAL : process->pid;
}

/* Take the status if there is one: whether it has been taken. Entered. */
static bool take_status(weft_process *process)
{
	int status, err;

	if (process->ended)
		return true;
	err = weft__process_reap(process->pid, &status);
	if (err == -EAGAIN)
		return false;
	process->ended = true;
	if (err != 0)
		process->lost = err;
	else
		process->code = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
	return true;
}

int weft_process_wait(weft_process *process, int64_t deadline_ns, int *ret_code)
{
	int err = process == NULL ? -EINVAL : weft__enter_wait(deadline_ns);

	if (err != 0)
		return err;
	process->users++;
	while (err == 0 && !take_status(process)) {
		weft__leave();
		err = weft__process_await(process->pid, process->fd, deadline_ns);
		weft__enter();
		if (err == -ECHILD) /* taken meanwhile, by us perhaps */
			err = 0;
	}
	process->users--;
	if (err == 0)
		err = process->lost;
	if (err == 0 && ret_code != NULL)
		*ret_code = process->code;
	weft__leave();
	return err;
}

int weft_process_returncode(weft_process *process, int *ret_code)
{
	int err;

	if (process == NULL || ret_code == NULL)
		return -EINVAL;
	weft__enter();
	err = take_status(process) ? process->lost : -EINPROGRESS;
	if (err == 0)
		*ret_code = process->code;
	weft__leave();
	return err;
}

int weft_process_signal(weft_process *process, int signal)
{
	long err;

	if (process == NULL)
		return -EINVAL;
	weft__enter();
	if (take_status(process))
		err = -ESRCH;
	else if (process->fd >= 0)
		err = weft__ask(SYS_pidfd_send_signal, process->fd, signal, NULL, 0);
	else /* nobody else takes its status and frees its number, while we are here */
		err = weft__ask(SYS_kill, process->pid, signal);
	weft__leave();
	return (int)err;
}

int weft_process_terminate(weft_process *process)
{
	return weft_process_signal(process, SIGTERM);
}

int weft_process_kill(weft_process *process)
{
	return weft_process_signal(process, SIGKILL);
}

int weft_process_free(weft_process *process)
{
	bool used;

	if (process == NULL)
		return 0;
	weft__enter();
	used = process->users != 0;
	for (int i = 0; i < 3; i++)
		used = used || (process->stream[i] != NULL && process->stream[i]->users != 0);
	if (!used)
		take_status(process);
	weft__leave();
	if (used)
		return -EBUSY;
	free_all(process);
	return 0;
}
