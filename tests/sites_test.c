/* Which system calls are found in code, and what becomes of each: `weft check` on small libraries. */
#include "run_program.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INLINE_CALLS GUEST_DIR "/inline_calls"

#define run_weft(...) run_program(UNDER_WEFT, (char *const[]){__VA_ARGS__, NULL}, NULL)

/* Count the lines of --sites that are of a file and end with this. */
static int count_sites(const char *listing, const char *file, const char *fate)
{
	char *copy = strdup(listing), *rest = copy, *line;
	int count = 0;

	while ((line = strsep(&rest, "\n")) != NULL) {
		size_t length = strlen(line), tail = strlen(fate);

		count += strncmp(line, file, strlen(file)) == 0 && length >= tail &&
			 strcmp(line + length - tail, fate) == 0;
	}
	free(copy);
	return count;
}

Test(sites, every_shape_of_a_call_can_be_patched)
{
	struct outcome outcome = run_weft("check", "--sites", INLINE_CALLS);

	expect_exit(&outcome, 0);
	cr_expect_eq(count_sites(outcome.out, INLINE_CALLS, "patched"), 12, "stdout:\n%s",
		     outcome.out);
	cr_expect_eq(count_sites(outcome.out, INLINE_CALLS, ""), 12);
	forget_outcome(&outcome);
}

/* As Debian 12's glibc is; others have other numbers, but no call that cannot be patched. */
Test(sites, every_call_of_libc_can_be_patched_or_is_the_kernels)
{
	struct outcome outcome = run_weft("check", "--sites", INLINE_CALLS);
	const char *line = strstr(outcome.out, "/libc.so.6  ");
	char *libc;
	int all;

	cr_assert(line != NULL);
	while (line > outcome.out && line[-1] != '\n')
		line--;
	libc = strndup(line, strcspn(line, " "));
	all = count_sites(outcome.out, libc, "");
	cr_expect_geq(all, 400);
	cr_expect_eq(count_sites(outcome.out, libc, "  patched") +
			     count_sites(outcome.out, libc, "  the kernel's"),
		     all);
	free(libc);
	forget_outcome(&outcome);
}

Test(sites, the_numbers_of_calls_are_told_where_the_code_tells)
{
	struct outcome outcome = run_weft("check", "--sites", INLINE_CALLS);

	cr_expect(strstr(outcome.out, "   0  read   ") != NULL);
	cr_expect(strstr(outcome.out, "  35  nanosleep   ") != NULL);
	cr_expect(strstr(outcome.out, "   -  any   ") != NULL);
	cr_expect(strstr(outcome.out, "unclassified") == NULL);
	forget_outcome(&outcome);
}

/* Where no window, no padding and no hole is near: jumped to, and full of code all around. */
Test(sites, a_call_that_cannot_be_patched_is_named_with_the_reason)
{
	struct outcome outcome = run_weft("check", GUEST_DIR "/inline_unfit");

	expect_exit(&outcome, 0);
	cr_expect(strstr(outcome.out, "/inline_unfit: 2, to be patched 0, to be caught 2\n") !=
			  NULL,
		  "stdout:\n%s", outcome.out);
	cr_expect(strstr(outcome.out, "\ncatching     yes ") != NULL);
	cr_expect(strstr(outcome.out, "weft can work on it") != NULL);
	forget_outcome(&outcome);

	outcome = run_weft("check", "--sites", GUEST_DIR "/inline_unfit");
	expect_exit(&outcome, 0);
	cr_expect(strstr(outcome.out, "caught: no room for a jump\n") != NULL, "stdout:\n%s",
		  outcome.out);
	cr_expect(strstr(outcome.out, "caught: in no known function, if it is one\n") != NULL);
	forget_outcome(&outcome);
}

Test(sites, a_text_that_is_changed_while_it_is_loaded_has_its_calls_caught)
{
	struct outcome outcome = run_weft("check", GUEST_DIR "/text_relocated");

	expect_exit(&outcome, 0);
	cr_expect(strstr(outcome.out, "/text_relocated: 1, to be patched 0, to be caught 1\n") !=
			  NULL,
		  "stdout:\n%s", outcome.out);
	forget_outcome(&outcome);
}

/* Bytes that only look like a call are no reason to catch any. */
Test(sites, what_is_not_surely_a_call_is_named_and_not_caught)
{
	struct outcome outcome = run_weft("check", GUEST_DIR "/inline_unclear");

	expect_exit(&outcome, 0);
	cr_expect(strstr(outcome.out, "/inline_unclear: 1, to be patched 0, cannot be 1\n") != NULL,
		  "stdout:\n%s", outcome.out);
	cr_expect(strstr(outcome.out, ": in no known function, if it is one\n") != NULL);
	cr_expect(strstr(outcome.out, "catching") == NULL);
	forget_outcome(&outcome);
}

Test(sites, where_calls_have_to_be_caught_and_cannot_be_check_refuses)
{
	char *const argv[] = {GUEST_DIR "/deny_dispatch", WEFT_PROGRAM, "check",
			      GUEST_DIR "/hidden_calls", NULL};
	struct outcome outcome = run_program(PLAIN, argv, NULL);

	expect_exit(&outcome, 126);
	cr_expect(strstr(outcome.out, "\ncatching     no ") != NULL, "stdout:\n%s", outcome.out);
	cr_expect(strstr(outcome.out, "\nverdict      weft cannot work here: ") != NULL);
	forget_outcome(&outcome);
}

Test(sites, a_call_that_cannot_be_patched_works_and_is_counted)
{
	char *const argv[] = {GUEST_DIR "/inline_unfit", NULL};
	char *const settings[] = {"WEFT_STATS=1", NULL};
	struct outcome outcome = run_program(UNDER_WEFT, argv, settings);

	expect_exit(&outcome, 0);
	cr_expect_str_eq(outcome.out, "EBADF EBADF\n");
	cr_expect(strstr(outcome.err, "(2 could not be)") != NULL, "stderr:\n%s", outcome.err);
	forget_outcome(&outcome);
}
