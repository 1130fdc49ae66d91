/* The program weft: its options, its refusals, and the statuses that it ends with. */
#include "run_program.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NO_THREADS GUEST_DIR "/no_threads"
#define LOOK_INSIDE GUEST_DIR "/look_inside"

static char dir[] = "/tmp/weft-launcher-XXXXXX";
static char path[64];

static void make_dir(void)
{
	cr_assert(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/program", dir);
}

static void remove_dir(void)
{
	unlink(path);
	rmdir(dir);
}

TestSuite(launcher, .init = make_dir, .fini = remove_dir);

#define run_weft(...) run_program(UNDER_WEFT, (char *const[]){__VA_ARGS__, NULL}, NULL)

/* Copy a program to path; return its bytes in memory, to be changed before put_copy(). */
static char *take_copy(const char *program, size_t *ret_bytes)
{
	FILE *file = fopen(program, "rb");
	struct stat about;
	char *bytes;

	cr_assert(file != NULL && fstat(fileno(file), &about) == 0);
	*ret_bytes = (size_t)about.st_size;
	bytes = malloc(*ret_bytes);
	cr_assert(bytes != NULL && fread(bytes, 1, *ret_bytes, file) == *ret_bytes);
	fclose(file);
	return bytes;
}

static void put_copy(char *bytes, size_t count, mode_t mode)
{
	FILE *file = fopen(path, "wb");

	cr_assert(file != NULL && fwrite(bytes, 1, count, file) == count);
	fclose(file);
	free(bytes);
	cr_assert(chmod(path, mode) == 0);
}

static void expect_refusal(struct outcome outcome, int status)
{
	expect_exit(&outcome, status);
	cr_expect_str_eq(outcome.out, "");
	cr_expect_eq(count_lines(outcome.err), 1, "stderr:\n%s", outcome.err);
	forget_outcome(&outcome);
}

static void expect_check_to_refuse(const char *program)
{
	struct outcome outcome = run_weft("check", (char *)program);

	cr_expect(ending(&outcome)[5] != '0', "weft check said yes to %s", program);
	cr_expect(outcome.out_bytes + outcome.err_bytes > 0);
	forget_outcome(&outcome);
}

Test(launcher, the_programs_status_is_passed_on)
{
	struct outcome outcome = run_weft("sh", "-c", "echo out; echo err >&2; exit 42");

	expect_exit(&outcome, 42);
	cr_expect_str_eq(outcome.out, "out\n");
	cr_expect_str_eq(outcome.err, "err\n");
	forget_outcome(&outcome);
}

Test(launcher, what_follows_the_dashes_is_the_program)
{
	struct outcome outcome = run_weft("--", "echo", "--help", "-x");

	expect_exit(&outcome, 0);
	cr_expect_str_eq(outcome.out, "--help -x\n");
	forget_outcome(&outcome);
}

Test(launcher, help_and_version_go_to_stdout)
{
	struct outcome help = run_weft("--help"), version = run_weft("--version");

	expect_exit(&help, 0);
	expect_exit(&version, 0);
	cr_expect(strcasestr(help.out, "usage") != NULL, "%s", help.out);
	cr_expect(strncmp(version.out, "weft ", 5) == 0, "%s", version.out);
	cr_expect_str_eq(help.err, "");
	cr_expect_str_eq(version.err, "");
	forget_outcome(&help);
	forget_outcome(&version);
}

Test(launcher, an_unknown_option_is_2_with_the_usage)
{
	struct outcome outcome = run_weft("--no-such-option", "true");

	expect_exit(&outcome, 2);
	cr_expect_str_eq(outcome.out, "");
	cr_expect(strcasestr(outcome.err, "usage") != NULL, "%s", outcome.err);
	forget_outcome(&outcome);
}

Test(launcher, an_option_without_its_value_is_2)
{
	static const char *const options[] = {"--catch", "--offload-paths", "--offload-threads",
					      "--preempt-ms", "--stats=1"};

	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		struct outcome outcome = run_weft((char *)options[i], "true");

		expect_exit(&outcome, 2);
		cr_expect_str_eq(outcome.out, "");
		forget_outcome(&outcome);
	}
}

static bool is_in_line(const char *text, const char *line, const char *word)
{
	const char *begin = strstr(text, line);

	return begin != NULL && memmem(begin, strcspn(begin, "\n"), word, strlen(word)) != NULL;
}

Test(launcher, offload_paths_reaches_the_library)
{
	struct outcome yes = run_weft("--stats", "--offload-paths=1", LOOK_INSIDE, "10");
	struct outcome no = run_weft("--stats", "--offload-paths=0", LOOK_INSIDE, "10");

	expect_exit(&yes, 23);
	expect_exit(&no, 23);
	cr_expect(is_in_line(yes.err, "parks:", " openat "), "stderr:\n%s", yes.err);
	cr_expect(!is_in_line(no.err, "parks:", " openat "), "stderr:\n%s", no.err);
	forget_outcome(&yes);
	forget_outcome(&no);
}

Test(launcher, catch_reaches_the_library)
{
	struct outcome all = run_weft("--stats", "--catch=all", LOOK_INSIDE, "10");
	struct outcome only = run_weft("--stats", "--catch=only", LOOK_INSIDE, "10");

	expect_exit(&all, 23);
	expect_exit(&only, 23);
	cr_expect(strstr(all.err, "caught: ") != NULL, "stderr:\n%s", all.err);
	cr_expect(strstr(only.err, "caught: ") != NULL, "stderr:\n%s", only.err);
	cr_expect_str_eq(all.out, "kernel threads: 1\nlibc's code: changed\n");
	cr_expect_str_eq(only.out, "kernel threads: 1\nlibc's code: as in its file\n");
	forget_outcome(&all);
	forget_outcome(&only);
}

Test(launcher, an_option_goes_before_the_environment)
{
	char *const argv[] = {"--catch=only", LOOK_INSIDE, "10", NULL};
	char *const settings[] = {"WEFT_CATCH=none", NULL};
	struct outcome outcome = run_program(UNDER_WEFT, argv, settings);

	expect_exit(&outcome, 23);
	cr_expect_str_eq(outcome.out, "kernel threads: 1\nlibc's code: as in its file\n");
	forget_outcome(&outcome);
}

Test(launcher, a_bad_value_of_an_option_is_one_line_of_the_library)
{
	static const char *const options[] = {"--catch=some", "--catch=", "--offload-paths=2",
					      "--offload-threads=0", "--preempt-ms=now"};

	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		struct outcome outcome = run_weft((char *)options[i], LOOK_INSIDE, "10");
		bool is_empty = options[i][strlen(options[i]) - 1] == '=';

		expect_exit(&outcome, 23);
		cr_expect_eq(count_lines(outcome.err), is_empty ? 0 : 1, "%s: stderr:\n%s",
			     options[i], outcome.err);
		forget_outcome(&outcome);
	}
}

Test(launcher, no_program_at_all_is_2)
{
	struct outcome outcome = run_program(PLAIN, (char *const[]){WEFT_PROGRAM, NULL}, NULL);

	expect_exit(&outcome, 2);
	forget_outcome(&outcome);
}

Test(launcher, a_missing_program_is_127)
{
	expect_refusal(run_weft("/nonexistent/program"), 127);
	expect_refusal(run_weft("no-such-program-anywhere"), 127);
}

Test(launcher, a_file_that_is_not_executable_is_126)
{
	size_t count;
	char *bytes = take_copy(NO_THREADS, &count);

	put_copy(bytes, count, 0644);
	expect_refusal(run_weft(path), 126);
}

Test(launcher, a_directory_is_126)
{
	expect_refusal(run_weft(dir), 126);
}

Test(launcher, a_static_program_is_126)
{
	expect_refusal(run_weft(STATIC_PROGRAM), 126);
	expect_check_to_refuse(STATIC_PROGRAM);
}

Test(launcher, a_setuid_program_is_126)
{
	size_t count;
	char *bytes = take_copy(NO_THREADS, &count);

	put_copy(bytes, count, 0755);
	if (geteuid() == 0)
		cr_assert(chown(path, 65534, 65534) == 0);
	cr_assert(chmod(path, 04755) == 0);
	expect_refusal(run_weft(path), 126);
	expect_check_to_refuse(path);
}

Test(launcher, a_32_bit_program_is_126)
{
	size_t count;
	char *bytes = take_copy(NO_THREADS, &count);

	bytes[EI_CLASS] = ELFCLASS32;
	((Elf64_Ehdr *)(void *)bytes)->e_machine = EM_386;
	put_copy(bytes, count, 0755);
	expect_refusal(run_weft(path), 126);
	expect_check_to_refuse(path);
}

Test(launcher, a_program_of_another_libc_is_126)
{
	static const char ours[] = "/lib64/ld-linux-x86-64.so.2";
	static const char other[sizeof(ours)] = "/lib/ld-musl-x86_64.so.1";
	size_t count;
	char *bytes = take_copy(NO_THREADS, &count);
	char *interpreter = memmem(bytes, count, ours, sizeof(ours));

	cr_assert(interpreter != NULL);
	memcpy(interpreter, other, sizeof(other));
	put_copy(bytes, count, 0755);
	expect_refusal(run_weft(path), 126);
	expect_check_to_refuse(path);
}

Test(launcher, a_cut_off_program_is_126)
{
	size_t count;
	char *bytes = take_copy(NO_THREADS, &count);

	put_copy(bytes, 100, 0755);
	expect_refusal(run_weft(path), 126);
	expect_check_to_refuse(path);
}

Test(launcher, a_script_runs_by_its_interpreter)
{
	char *script = strdup("#!/bin/sh\necho a script\nexit 9\n");
	struct outcome outcome;

	put_copy(script, strlen(script), 0755);
	outcome = run_weft(path);
	expect_exit(&outcome, 9);
	cr_expect_str_eq(outcome.out, "a script\n");
	forget_outcome(&outcome);
}

Test(launcher, check_says_yes_to_an_ordinary_program)
{
	struct outcome outcome = run_weft("check", NO_THREADS);

	expect_exit(&outcome, 0);
	cr_expect(strstr(outcome.out, "weft can work on it") != NULL, "stdout:\n%s", outcome.out);
	forget_outcome(&outcome);
}

Test(launcher, check_of_a_missing_program_is_127)
{
	struct outcome outcome = run_weft("check", "/nonexistent/program");

	expect_exit(&outcome, 127);
	forget_outcome(&outcome);
}
