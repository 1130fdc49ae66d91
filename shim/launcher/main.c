/*
 * The program `weft`: starts another one with libweft-preload.so in front of
 * its libraries, and answers questions about it.
 *
 * It has to be quick: it stands before every program that weft works on. So
 * it links nothing but libc, and that statically where possible.
 */
#include "commands.h"
#include "libraries.h"
#include "message.h"
#include "program.h"

#include <errno.h>
#include <paths.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Every setting has a twin in the environment, which is how it reaches the
 * program: --stats is WEFT_STATS=1. The two questions have none. A name that
 * ends in = takes a value, which the library judges.
 */
static const struct option {
	const char *name;
	const char *twin;
	const char *help;
} options[] = {
#define SETTING(id, name, sign, environment, words, usual, least, most, help) \
	{"--" name sign, environment, help},
#include "../settings.def"
#undef SETTING
	{"--profiles=", "WEFT_PROFILES",
	 "a file of rules about programs to go before weft's own; 0: none at all"},
	{"--help", NULL, "print this and exit"},
	{"--version", NULL, "print the version and exit"},
};

#define OPTIONS (sizeof(options) / sizeof(options[0]))

#define USAGE "usage: weft [options] [--] program [arguments]\n"

static int refuse_usage(void)
{
	fputs(USAGE, stderr);
	return WEFT__EXIT_USAGE;
}

static int refuse_option(const char *option)
{
	weft__complain("unknown option '%s'", option);
	return refuse_usage();
}

static void print_help(void)
{
	puts(USAGE "       weft check [--sites] program\n"
		   "       weft calls [--markdown]\n"
		   "\n"
		   "Runs a threaded program as coroutines on one kernel thread, or on a few.\n");
	for (size_t i = 0; i < OPTIONS; i++)
		printf("  %-18s  %-20s  %s\n", options[i].name,
		       options[i].twin != NULL ? options[i].twin : "", options[i].help);
	printf("  %-18s  %-20s  %s\n", "-j N", "WEFT_CARRIERS", "as --carriers=N");
	puts("\nThe second column is the environment variable that says the same, set to 1 or\n"
	     "to the value.\n"
	     "\n"
	     "  check       say whether weft can work on the program, and why not, and how\n"
	     "              many of its and its libraries' system calls can be answered;\n"
	     "              with --sites, list these: file, address, call, what is done\n"
	     "  calls       list the system calls and what weft does about each\n"
	     "\n"
	     "A program named check or calls is run by `weft -- check`. Exit status: that of\n"
	     "the program; 2 wrong usage, 126 the program cannot be run, 127 there is none.");
}

/* Find the library, or complain. */
static bool find_library(char *library, size_t library_bytes)
{
	int err = weft__library_find(library, library_bytes);

	if (err == -ENOENT)
		weft__complain("libweft-preload.so: not found beside weft, in lib beside its "
			       "directory, or in " WEFT_INSTALL_FULL_LIBDIR);
	if (err == -EINVAL)
		weft__complain("%s: LD_PRELOAD cannot carry this path", library);
	return err == 0;
}

/* What the program execs may be somewhere else. */
static bool name_rules_for_all(void)
{
	const char *file = getenv("WEFT_PROFILES");
	char path[PATH_MAX];

	if (file == NULL || file[0] == '/' || strcmp(file, "0") == 0 ||
	    realpath(file, path) == NULL) /* the library says what is wrong with it */
		return true;
	return setenv("WEFT_PROFILES", path, 1) == 0;
}

static int set_environment(const char *library)
{
	int err = weft__library_preload(library);

	if (err == 0 && (setenv("WEFT", "1", 1) != 0 || !name_rules_for_all()))
		err = -errno;
	if (err != 0)
		weft__complain("%s", strerror(-err));
	return err;
}

/* What execvp(3) does with a file that the kernel does not know how to run. */
static void exec_by_shell(const char *path, char **arguments)
{
	size_t count = 0;
	char **shell_arguments;

	while (arguments[count] != NULL)
		count++;
	/* The shell, the path, arguments[1] to the last, and NULL: one more than there was. */
	shell_arguments = calloc(count + 2, sizeof(*shell_arguments));
	if (shell_arguments == NULL)
		return;
	shell_arguments[0] = (char *)_PATH_BSHELL;
	shell_arguments[1] = (char *)path;
	memcpy(shell_arguments + 2, arguments + 1, count * sizeof(*arguments));
	execv(_PATH_BSHELL, shell_arguments);
	free(shell_arguments);
}

/* The library will say what is wrong with the rules of this program, `weft check` all of it. */
static void pass_over(const char *file, unsigned int line, const char *why, bool named)
{
	(void)file;
	(void)line;
	(void)why;
	(void)named;
}

/* Become the program. Returns the exit status if that cannot be. */
static int launch(char **arguments)
{
	const char *name = arguments[0];
	char library[PATH_MAX];
	static struct weft__program program;
	enum weft__finding finding = weft__program_find(&program, name);

	if (finding == WEFT__FITS || finding == WEFT__UNREADABLE) {
		if (!find_library(library, sizeof(library)))
			return WEFT__EXIT_CANNOT;
		finding = weft__program_rule(&program, library, pass_over);
	}
	if (finding != WEFT__FITS) {
		char why[PATH_MAX + 128];

		weft__program_explain(&program, finding, why, sizeof(why));
		weft__complain("%s: %s", name, why);
		return weft__program_status(finding);
	}
	if (set_environment(library) != 0)
		return WEFT__EXIT_CANNOT;

	execv(program.path, arguments);
	if (errno == ENOEXEC)
		exec_by_shell(program.path, arguments);
	weft__complain("%s: %s", name, strerror(errno));
	return errno == ENOENT ? WEFT__EXIT_NOT_FOUND : WEFT__EXIT_CANNOT;
}

/* What a question printed counts only if stdout took it. */
static int finish(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	weft__complain("stdout: %s", strerror(errno));
	return EXIT_FAILURE;
}

static int run_check(char **arguments)
{
	bool sites = arguments[0] != NULL && strcmp(arguments[0], "--sites") == 0;

	if (sites)
		arguments++;
	if (arguments[0] != NULL && strcmp(arguments[0], "--") == 0)
		arguments++;
	else if (arguments[0] != NULL && arguments[0][0] == '-')
		return refuse_option(arguments[0]);
	if (arguments[0] == NULL || arguments[1] != NULL)
		return refuse_usage();
	return finish(sites ? weft__check_sites_print(arguments[0])
			    : weft__check_print(arguments[0]));
}

static int run_calls(char **arguments)
{
	bool markdown = arguments[0] != NULL && strcmp(arguments[0], "--markdown") == 0;

	if (markdown)
		arguments++;
	if (arguments[0] != NULL && arguments[0][0] == '-')
		return refuse_option(arguments[0]);
	if (arguments[0] != NULL)
		return refuse_usage();
	weft__calls_print(markdown);
	return finish(WEFT__EXIT_OK);
}

static bool takes_value(const struct option *option)
{
	return option->name[strlen(option->name) - 1] == '=';
}

/* --iterative is --iterative=1. */
static bool may_be_bare(const struct option *option)
{
	return strcmp(option->name, "--iterative=") == 0;
}

static const struct option *find_option(const char *argument)
{
	for (size_t i = 0; i < OPTIONS; i++) {
		size_t length = strlen(options[i].name);

		if (takes_value(&options[i]) ? strncmp(options[i].name, argument, length) == 0
					     : strcmp(options[i].name, argument) == 0)
			return &options[i];
		if (may_be_bare(&options[i]) &&
		    strncmp(options[i].name, argument, length - 1) == 0 &&
		    argument[length - 1] == '\0')
			return &options[i];
	}
	return NULL;
}

static bool set_twin(const struct option *option, const char *argument)
{
	bool says = takes_value(option) && strlen(argument) >= strlen(option->name);
	const char *value = says ? argument + strlen(option->name) : "1";

	return setenv(option->twin, value, 1) == 0;
}

/*
 * -j N and -jN are --carriers=N, as make(1) has them; the library judges N. Steps over a word if that
 * is N; false when there is none.
 */
static bool set_carriers(char **arguments, int *i)
{
	const char *value = arguments[*i] + 2;

	if (*value == '\0')
		value = arguments[++*i];
	return value != NULL && setenv("WEFT_CARRIERS", value, 1) == 0;
}

int main(int count, char **arguments)
{
	int i = 1;

	for (; i < count && arguments[i][0] == '-' && arguments[i][1] != '\0'; i++) {
		const struct option *option = find_option(arguments[i]);

		if (strcmp(arguments[i], "--") == 0)
			return i + 1 < count ? launch(arguments + i + 1) : refuse_usage();
		if (strncmp(arguments[i], "-j", 2) == 0) {
			if (!set_carriers(arguments, &i))
				return refuse_usage();
			continue;
		}
		if (option == NULL)
			return refuse_option(arguments[i]);
		if (option->twin != NULL && !set_twin(option, arguments[i])) {
			weft__complain("%s", strerror(errno));
			return WEFT__EXIT_CANNOT;
		}
		if (strcmp(option->name, "--help") == 0) {
			print_help();
			return finish(WEFT__EXIT_OK);
		}
		if (strcmp(option->name, "--version") == 0) {
			puts("weft " WEFT_VERSION);
			return finish(WEFT__EXIT_OK);
		}
	}
	if (i >= count)
		return refuse_usage();
	if (strcmp(arguments[i], "check") == 0)
		return run_check(arguments + i + 1);
	if (strcmp(arguments[i], "calls") == 0)
		return run_calls(arguments + i + 1);
	return launch(arguments + i);
}
