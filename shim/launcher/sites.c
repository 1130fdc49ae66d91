/*
 * `weft check`: the sites of a program. Finding them takes an instruction
 * decoder, which would double this program; libweft-preload.so has one, and is
 * a program itself for whoever runs it by the loader.
 */
#include "sites.h"

#include "message.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The arguments of libweft-preload.so: a vector that ends with NULL. */
struct arguments {
	char **all;
	size_t count;
};

/* What libweft-preload.so ends with for a program whose calls have to be caught (inspect.c). */
#define STATUS_CAUGHT 2

typedef bool line_function(char *line, void *context);

static bool add_argument(struct arguments *arguments, const char *argument)
{
	size_t count = arguments->count;
	char **more = realloc(arguments->all, (count + 2) * sizeof(*more));
	char *copy = strdup(argument);

	if (more != NULL)
		arguments->all = more;
	if (more == NULL || copy == NULL) {
		free(copy);
		return false;
	}
	arguments->all[count] = copy;
	arguments->all[count + 1] = NULL;
	arguments->count++;
	return true;
}

static void free_arguments(struct arguments *arguments)
{
	for (size_t i = 0; i < arguments->count; i++)
		free(arguments->all[i]);
	free(arguments->all);
}

/* The child's side: arguments[0] is what is run, with its output in the pipe. */
static void run(char **arguments, const char *setting, const int pipe_ends[2])
{
	/* What is preloaded here need not be where the program is started. */
	unsetenv("LD_PRELOAD");
	unsetenv("WEFT");
	if (setting != NULL)
		setenv(setting, "1", 1);
	dup2(pipe_ends[1], STDOUT_FILENO);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
	execv(arguments[0], arguments);
	_exit(WEFT__EXIT_CANNOT);
}

static bool read_lines(int fd, line_function *line_read, void *context)
{
	FILE *file = fdopen(fd, "r");
	char *line = NULL;
	size_t room = 0;
	ssize_t length;
	bool good = true;

	if (file == NULL) {
		close(fd);
		return false;
	}
	while ((length = getline(&line, &room, file)) > 0) {
		if (line[length - 1] == '\n')
			line[length - 1] = '\0';
		good = line_read(line, context) && good;
	}
	free(line);
	fclose(file);
	return good;
}

/* Run a program with one setting and see each line that it prints: its status, -1 for none. */
static int see_lines(char **arguments, const char *setting, line_function *line_read, void *context)
{
	int pipe_ends[2];
	int status = -1;
	bool good;
	pid_t child;

	if (pipe(pipe_ends) != 0)
		return -1;
	child = fork();
	if (child == 0)
		run(arguments, setting, pipe_ends);
	close(pipe_ends[1]);
	good = read_lines(pipe_ends[0], line_read, context) && child > 0;
	if (child > 0 && waitpid(child, &status, 0) != child)
		status = -1;
	return good && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/*
 * A line of what the loader lists: "\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6
 * (0x00007f...)", "\t/lib64/ld-linux-x86-64.so.2 (0x...)", "\tlinux-vdso.so.1
 * (0x...)", which is no file, or "\tlibm.so.6 => not found".
 */
static bool take_library(char *line, void *context)
{
	static const char missing[] = " => not found";
	char *end = strstr(line, missing);
	char *path = strchr(line, '/');

	if (end != NULL) {
		*end = '\0';
		weft__tell("missing      %s", line + strspn(line, "\t "));
		return true;
	}
	end = strrchr(line, '(');
	if (path == NULL || end == NULL || end <= path + 1)
		return true;
	end[-1] = '\0';
	return add_argument(context, path);
}

static bool tell_line(char *line, void *context)
{
	(void)context;
	weft__tell("%s", line);
	return true;
}

enum weft__sites weft__sites_print(const struct weft__program *program, const char *library,
				   bool each)
{
	char *list[] = {(char *)program->loader, (char *)program->image, NULL};
	/* Its option --list does the same, but gives up at the first library that is missing. */
	static const char only_list[] = "LD_TRACE_LOADED_OBJECTS";
	struct arguments arguments = {NULL, 0};
	int status = -1;
	bool good = add_argument(&arguments, program->loader) &&
		    add_argument(&arguments, library) &&
		    (!each || add_argument(&arguments, "--sites")) &&
		    add_argument(&arguments, program->image) &&
		    see_lines(list, only_list, take_library, &arguments) == 0;

	if (good)
		status = see_lines(arguments.all, NULL, tell_line, NULL);
	free_arguments(&arguments);
	if (status == 0)
		return WEFT__SITES_PATCHED;
	return status == STATUS_CAUGHT ? WEFT__SITES_CAUGHT : WEFT__SITES_UNKNOWN;
}
