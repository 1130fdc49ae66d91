/*
 * Runs the unit tests without Criterion's sandbox, which ThreadSanitizer refuses: BoxFort maps its
 * arena where the sanitizer allows no mapping. Linked in its stead, it gives Criterion's macros
 * what they call. A test is a forked child, which leaves by exit(3), so that leaks are looked for.
 *
 * run_alone [PATTERN]: of the tests named SUITE/NAME, those that contain PATTERN.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

/* What the linker puts around the section of all tests (criterion/internal/test.h). */
extern struct criterion_test *__start_cr_tst[], *__stop_cr_tst[];

static bool failed;

void criterion_send_assert(struct criterion_assert_stats *stats)
{
	if (stats->passed)
		return;
	failed = true;
	fprintf(stderr, "%s:%u: %s\n", stats->file, stats->line, stats->message);
}

void criterion_abort_test(void)
{
	exit(1);
}

void criterion_continue_test(void)
{
}

void criterion_skip_test(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	puts(": skipped");
	exit(0);
}

void criterion_internal_test_setup(void)
{
}

void criterion_internal_test_teardown(void)
{
}

void criterion_internal_test_main(void (*run)(void))
{
	run();
}

static bool run_test(const struct criterion_test *test)
{
	int status = 0;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0) {
		alarm(HANG_S);
		test->test();
		exit(failed);
	}
	waitpid(child, &status, 0);
	if (status == 0)
		return true;
	printf("not ok - %s/%s: %s %d\n", test->category, test->name,
	       WIFSIGNALED(status) ? "signal" : "exit status",
	       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return false;
}

int main(int argc, char **argv)
{
	unsigned int count = 0, bad = 0;

	for (struct criterion_test **test = __start_cr_tst; test < __stop_cr_tst; test++) {
		char name[256];

		if (*test == NULL)
			continue;
		snprintf(name, sizeof(name), "%s/%s", (*test)->category, (*test)->name);
		if (argc > 1 && strstr(name, argv[1]) == NULL)
			continue;
		count++;
		bad += !run_test(*test);
	}
	printf("%u tests, %u failed\n", count, bad);
	return bad != 0;
}
