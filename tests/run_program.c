/* See run_program.h. Output goes to unlinked files, so no program ever blocks on its tester, and
 * the end of a program is awaited by its pidfd, so no signal handler or thread is needed here.
 */
#include "run_program.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_ARGS 16

extern char **environ;

static void set_environment(char *const settings[])
{
	const char *beside = getenv("GUEST_PRELOAD"), *caught = getenv("GUEST_CATCH");
	const char *carriers = getenv("GUEST_CARRIERS");

	for (char **entry = environ; *entry != NULL;) {
		if (strncmp(*entry, "WEFT", 4) == 0 || strncmp(*entry, "LD_PRELOAD=", 11) == 0) {
			char *name = strndup(*entry, strcspn(*entry, "="));

			unsetenv(name);
			free(name);
			entry = environ;
		} else {
			entry++;
		}
	}
	if (beside != NULL)
		setenv("LD_PRELOAD", beside, 1);
	if (caught != NULL)
		setenv("WEFT_CATCH", caught, 1);
	if (carriers != NULL)
		setenv("WEFT_CARRIERS", carriers, 1);
	for (; settings != NULL && *settings != NULL; settings++)
		putenv(*settings);
}

static _Noreturn void become(enum way way, char *const argv[], char *const settings[], int out,
			     int err)
{
	char *args[MOST_ARGS + 2] = {(char *)WEFT_PROGRAM};
	int count = way == UNDER_WEFT ? 1 : 0;

	while (*argv != NULL && count < MOST_ARGS)
		args[count++] = *argv++;
	args[count] = NULL;
	setsid();
	set_environment(settings);
	dup2(open("/dev/null", O_RDONLY), 0);
	dup2(out, 1);
	dup2(err, 2);
	closefrom(3);
	execvp(args[0], args);
	_exit(127);
}

static char *read_back(FILE *file, long *ret_bytes)
{
	char *text;

	fseek(file, 0, SEEK_END);
	*ret_bytes = ftell(file);
	rewind(file);
	text = calloc(1, (size_t)*ret_bytes + 1);
	cr_assert(text != NULL);
	cr_assert(fread(text, 1, (size_t)*ret_bytes, file) == (size_t)*ret_bytes);
	fclose(file);
	return text;
}

struct outcome run_program(enum way way, char *const argv[], char *const settings[])
{
	return run_program_within(HANG_MS, way, argv, settings);
}

struct outcome run_program_within(int limit_ms, enum way way, char *const argv[],
				  char *const settings[])
{
	FILE *out = tmpfile(), *err = tmpfile();
	struct outcome outcome = {0};
	struct pollfd end;
	pid_t child;

	cr_assert(out != NULL && err != NULL);
	fcntl(fileno(out), F_SETFL, O_APPEND);
	fcntl(fileno(err), F_SETFL, O_APPEND);
	child = fork();
	cr_assert(child >= 0);
	if (child == 0)
		become(way, argv, settings, fileno(out), fileno(err));

	end = (struct pollfd){.fd = (int)syscall(SYS_pidfd_open, child, 0), .events = POLLIN};
	cr_assert(end.fd >= 0);
	outcome.is_hung = poll(&end, 1, limit_ms) == 0;
	outcome.limit_ms = limit_ms;
	close(end.fd);
	/* its children too, which is all that is left of the session when it has ended by itself */
	kill(-child, SIGKILL);
	cr_assert(waitpid(child, &outcome.status, 0) == child);
	outcome.out = read_back(out, &outcome.out_bytes);
	outcome.err = read_back(err, &outcome.err_bytes);
	return outcome;
}

void forget_outcome(struct outcome *outcome)
{
	free(outcome->out);
	free(outcome->err);
}

const char *ending(const struct outcome *outcome)
{
	static char text[64];

	if (outcome->is_hung)
		snprintf(text, sizeof(text), "hung for %d s", outcome->limit_ms / 1000);
	else if (WIFSIGNALED(outcome->status))
		snprintf(text, sizeof(text), "killed by SIG%s",
			 sigabbrev_np(WTERMSIG(outcome->status)));
	else
		snprintf(text, sizeof(text), "exit %d", WEXITSTATUS(outcome->status));
	return text;
}

void expect_exit(const struct outcome *outcome, int status)
{
	cr_assert(!outcome->is_hung && WIFEXITED(outcome->status) &&
			  WEXITSTATUS(outcome->status) == status,
		  "expected exit %d, got %s\n--- stdout\n%.4000s\n--- stderr\n%.4000s", status,
		  ending(outcome), outcome->out, outcome->err);
}

int count_lines(const char *text)
{
	int count = 0;

	for (; *text != '\0'; text++)
		count += *text == '\n';
	return count;
}
