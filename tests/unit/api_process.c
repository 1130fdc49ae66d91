/* weft.h: child processes. */
#include "api_io.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char *const cat[] = {(char *)"cat", NULL};

static weft_process *start(char *const argv[], int pipes)
{
	weft_process *process = NULL;

	cr_assert_eq(weft_process_new(&process, argv, NULL, pipes), 0);
	return process;
}

static weft_process *start_shell(const char *script, int pipes)
{
	char *const argv[] = {(char *)"sh", (char *)"-c", (char *)script, NULL};

	return start(argv, pipes);
}

static int end_of(weft_process *process)
{
	int code = 1000;

	cr_assert_eq(weft_process_wait(process, WEFT_FOREVER, &code), 0);
	cr_assert_eq(weft_process_free(process), 0);
	return code;
}

BothWays(api_process, the_code_is_that_of_the_exit_or_the_signal)
{
	weft_process *process = start_shell("exit 7", 0);
	int code = 0;

	cr_assert_eq(weft_process_wait(process, WEFT_FOREVER, &code), 0);
	cr_assert_eq(code, 7);
	cr_assert_eq(weft_process_returncode(process, &code), 0);
	cr_assert_eq(weft_process_wait(process, 0, NULL), 0);
	cr_assert_eq(weft_process_kill(process), -ESRCH);
	cr_assert_eq(end_of(process), 7);
	process = start(cat, WEFT_PIPE_IN);
	cr_assert_eq(weft_process_returncode(process, &code), -EINPROGRESS);
	cr_assert_eq(weft_process_signal(process, 1000), -EINVAL);
	cr_assert_eq(weft_process_terminate(process), 0);
	cr_assert_eq(end_of(process), -SIGTERM);
	process = start(cat, WEFT_PIPE_IN);
	cr_assert_eq(weft_process_kill(process), 0);
	cr_assert_eq(end_of(process), -SIGKILL);
}

BothWays(api_process, what_is_written_to_a_child_can_be_read_from_it)
{
	weft_process *process = start(cat, WEFT_PIPE_IN | WEFT_PIPE_OUT);
	char line[16];

	cr_assert_eq(weft_stream_write(weft_process_in(process), "one\n", 4), 0);
	cr_assert_eq(weft_stream_read_line(weft_process_out(process), line, 16, WEFT_FOREVER), 4);
	cr_assert_str_eq(line, "one\n");
	cr_assert_null(weft_process_err(process));
	cr_assert_eq(weft_stream_write_eof(weft_process_in(process), WEFT_FOREVER), 0);
	cr_assert_eq(weft_stream_read(weft_process_out(process), line, 16, WEFT_FOREVER), 0);
	cr_assert_eq(end_of(process), 0);
}

/* More than all pipes hold, both ways at once. */
BothWays(api_process, communicate_moves_any_amount)
{
	enum { BYTES = 500000 };
	weft_process *process =
		start_shell("tee /dev/stderr", WEFT_PIPE_IN | WEFT_PIPE_OUT | WEFT_PIPE_ERR);
	char *input = malloc(BYTES);
	weft_output out, err;

	memset(input, 'x', BYTES);
	cr_assert_eq(weft_process_communicate(process, input, BYTES, WEFT_FOREVER, &out, &err), 0);
	cr_assert_eq(out.size_bytes, BYTES);
	cr_assert_eq(err.size_bytes, BYTES);
	cr_assert_eq(memcmp(out.bytes, input, BYTES), 0);
	cr_assert_eq(memcmp(err.bytes, input, BYTES), 0);
	cr_assert_eq(end_of(process), 0);
	free(input);
	free(out.bytes);
	free(err.bytes);
}

BothWays(api_process, communicate_goes_on_after_its_deadline)
{
	weft_process *process = start_shell("read line; echo $line; read line; echo $line",
					    WEFT_PIPE_IN | WEFT_PIPE_OUT);
	weft_stream *in = weft_process_in(process);
	weft_output out;
	char line[16];

	cr_assert_eq(weft_stream_write(in, "one\n", 4), 0);
	cr_assert_eq(weft_stream_read_exactly(weft_process_out(process), line, 1, WEFT_FOREVER), 1);
	cr_assert_eq(weft_stream_write(in, "two\n", 4), 0);
	cr_assert_eq(weft_process_communicate(process, NULL, 0, WEFT_FOREVER, &out, NULL), 0);
	cr_assert_str_eq(out.bytes, "ne\ntwo\n");
	cr_assert_eq(end_of(process), 0);
	free(out.bytes);
	process = start_shell("echo one; kill -STOP $$; echo two", WEFT_PIPE_OUT);
	while (weft_process_communicate(process, NULL, 0, weft_after(WEFT_MS), &out, NULL) ==
	       -ETIMEDOUT)
		weft_process_signal(process, SIGCONT);
	cr_assert_str_eq(out.bytes, "one\ntwo\n");
	cr_assert_eq(end_of(process), 0);
	free(out.bytes);
}

BothWays(api_process, a_child_need_not_take_all_of_its_input)
{
	weft_process *process = start_shell("exec 0<&-; echo done", WEFT_PIPE_IN | WEFT_PIPE_OUT);
	char *input = calloc(1, 300000);
	weft_output out;

	cr_assert_eq(weft_process_communicate(process, input, 300000, WEFT_FOREVER, &out, NULL), 0);
	cr_assert_str_eq(out.bytes, "done\n");
	cr_assert_eq(end_of(process), 0);
	free(input);
	free(out.bytes);
}

BothWays(api_process, errors_can_go_where_output_does)
{
	weft_process *process =
		start_shell("echo one; echo two >&2", WEFT_PIPE_OUT | WEFT_ERR_TO_OUT);
	weft_output out, err;

	cr_assert_eq(weft_process_communicate(process, NULL, 0, WEFT_FOREVER, &out, &err), 0);
	cr_assert_str_eq(out.bytes, "one\ntwo\n");
	cr_assert_null(err.bytes);
	cr_assert_eq(end_of(process), 0);
	free(out.bytes);
}

BothWays(api_process, the_environment_can_be_another)
{
	char *const argv[] = {(char *)"/bin/sh", (char *)"-c", (char *)"echo $WORD", NULL};
	char *const environment[] = {(char *)"WORD=weft", NULL};
	weft_process *process;
	weft_output out;

	cr_assert_eq(weft_process_new(&process, argv, environment, WEFT_PIPE_OUT), 0);
	cr_assert_eq(weft_process_communicate(process, NULL, 0, WEFT_FOREVER, &out, NULL), 0);
	cr_assert_str_eq(out.bytes, "weft\n");
	cr_assert_eq(end_of(process), 0);
	free(out.bytes);
}

/* Pipes must not take those numbers: what the parent writes to its errors would be the child's input. */
BothWays(api_process, a_child_has_its_pipes_when_the_parent_has_none_of_the_three)
{
	int kept[3];
	weft_process *process;
	weft_output out, err;

	for (int i = 0; i < 3; i++) {
		kept[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
		close(i);
	}
	process = start_shell("cat; echo two >&2", WEFT_PIPE_IN | WEFT_PIPE_OUT | WEFT_PIPE_ERR);
	cr_expect_geq(weft_stream_fd(weft_process_in(process)), 3);
	cr_expect_geq(weft_stream_fd(weft_process_out(process)), 3);
	cr_expect_geq(weft_stream_fd(weft_process_err(process)), 3);
	cr_expect_eq(weft_process_communicate(process, "one", 3, WEFT_FOREVER, &out, &err), 0);
	for (int i = 0; i < 3; i++)
		dup2(kept[i], i);
	cr_assert_str_eq(out.bytes, "one");
	cr_assert_str_eq(err.bytes, "two\n");
	cr_assert_eq(end_of(process), 0);
	free(out.bytes);
	free(err.bytes);
}

static ssize_t wait_for_it(void *process)
{
	int code = 0, err = weft_process_wait(process, WEFT_FOREVER, &code);

	return err != 0 ? err : code;
}

BothWays(api_process, any_number_of_tasks_wait_for_a_child)
{
	weft_process *process = start(cat, WEFT_PIPE_IN);
	struct made made[10];

	for (size_t i = 0; i < COUNT(made); i++)
		make_and_wait(&made[i], wait_for_it, process);
	cr_assert_eq(weft_process_free(process), -EBUSY);
	cr_assert_eq(weft_process_terminate(process), 0);
	for (size_t i = 0; i < COUNT(made); i++)
		cr_assert_eq(result_of(&made[i]), -SIGTERM);
	cr_assert_eq(end_of(process), -SIGTERM);
}

BothWays(api_process, a_status_that_was_taken_elsewhere_is_lost)
{
	weft_process *process = start_shell("exit 1", 0);

	cr_assert_eq(waitpid(weft_process_pid(process), NULL, 0), weft_process_pid(process));
	cr_assert_eq(weft_process_wait(process, WEFT_FOREVER, NULL), -ECHILD);
	cr_assert_eq(weft_process_free(process), 0);
}

BothWays(api_process, bad_arguments_are_refused)
{
	char *const nothing[] = {NULL}, *const nowhere[] = {(char *)"/nowhere/at/all", NULL};
	weft_process *process = NULL;
	int before = (int)count_descriptors();

	cr_assert_eq(weft_process_new(NULL, cat, NULL, 0), -EINVAL);
	cr_assert_eq(weft_process_new(&process, NULL, NULL, 0), -EINVAL);
	cr_assert_eq(weft_process_new(&process, nothing, NULL, 0), -EINVAL);
	cr_assert_eq(weft_process_new(&process, cat, NULL, 16), -EINVAL);
	cr_assert_eq(weft_process_new(&process, cat, NULL, WEFT_PIPE_ERR | WEFT_ERR_TO_OUT),
		     -EINVAL);
	cr_assert_eq(weft_process_new(&process, nowhere, NULL, WEFT_PIPE_IN | WEFT_PIPE_OUT),
		     -ENOENT);
	cr_assert_null(process);
	cr_assert_eq((int)count_descriptors(), before);
	cr_assert_eq(weft_process_wait(NULL, 0, NULL), -EINVAL);
	cr_assert_eq(weft_process_pid(NULL), -EINVAL);
	cr_assert_eq(weft_process_kill(NULL), -EINVAL);
	cr_assert_eq(weft_process_returncode(NULL, NULL), -EINVAL);
	cr_assert_eq(weft_process_communicate(NULL, NULL, 0, 0, NULL, NULL), -EINVAL);
	cr_assert_null(weft_process_in(NULL));
	cr_assert_eq(weft_process_free(NULL), 0);
	process = start(cat, 0 | WEFT_PIPE_OUT);
	cr_assert_eq(weft_process_communicate(process, "x", 1, 0, NULL, NULL), -EINVAL);
	cr_assert_eq(weft_process_communicate(process, NULL, 1, 0, NULL, NULL), -EINVAL);
	weft_process_kill(process);
	end_of(process);
}
