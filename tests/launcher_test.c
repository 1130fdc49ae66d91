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
#define FINDS_LEAKS GUEST_DIR "/finds_leaks"

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
	static const char *const options[] = {
		"--catch",    "--offload-paths", "--offload-threads", "--preempt-ms",
		"--profiles", "--stats=1",       "--carriers"};

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
	static const char *const options[] = {
		"--catch=some",     "--catch=",        "--offload-paths=2", "--offload-threads=0",
		"--preempt-ms=now", "--iterative=all", "--iterative=80,x",  "--iterative="};

	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		struct outcome outcome = run_weft((char *)options[i], LOOK_INSIDE, "10");
		bool is_empty = options[i][strlen(options[i]) - 1] == '=';

		expect_exit(&outcome, 23);
		cr_expect_eq(count_lines(outcome.err), is_empty ? 0 : 1, "%s: stderr:\n%s",
			     options[i], outcome.err);
		forget_outcome(&outcome);
	}
}

/* How many copies a server has made, of which 61 could be. */
static unsigned long copies_with(const char *option)
{
	struct outcome outcome = run_weft((char *)option, "--stats", GUEST_DIR "/iterative_errno");
	const char *line = strstr(outcome.err, "weft: iterative: ");
	unsigned long copies = 0;

	expect_exit(&outcome, 0);
	if (line != NULL)
		sscanf(line, "weft: iterative: %lu", &copies);
	forget_outcome(&outcome);
	return copies;
}

Test(launcher, iterative_takes_a_value_or_none)
{
	cr_expect_eq(copies_with("--iterative"), 61);
	cr_expect_eq(copies_with("--iterative=1"), 61);
	cr_expect_eq(copies_with("--iterative=0"), 0);
	cr_expect_eq(copies_with("--iterative=1,2"), 0); /* no listener of these ports */
}

Test(launcher, j_says_how_many_carriers_beside_it_or_in_the_next_word)
{
	static char *const ways[][2] = {
		{"-j2", "--stats"}, {"-j", "2"}, {"--carriers=2", "--stats"}};

	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		struct outcome outcome =
			run_weft(ways[i][0], ways[i][1], "--stats", LOOK_INSIDE, "10");

		expect_exit(&outcome, 23);
		cr_expect(strstr(outcome.err, "weft: carriers: 2, ") != NULL, "%s: stderr:\n%s",
			  ways[i][0], outcome.err);
		forget_outcome(&outcome);
	}
}

Test(launcher, j_with_no_word_after_it_is_2)
{
	struct outcome outcome = run_weft("-j");

	expect_exit(&outcome, 2);
	cr_expect_str_eq(outcome.out, "");
	cr_expect(strcasestr(outcome.err, "usage") != NULL, "%s", outcome.err);
	forget_outcome(&outcome);
}

Test(launcher, j_with_a_word_that_is_no_number_is_one_line_of_the_library)
{
	static char *const bad[][2] = {{"-jx", "--"}, {"-j", "x"}, {"-j", "0"}, {"-j", "-1"}};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct outcome outcome = run_weft(bad[i][0], bad[i][1], LOOK_INSIDE, "10");

		expect_exit(&outcome, 23);
		cr_expect(count_lines(outcome.err) == 1 &&
				  strstr(outcome.err, "WEFT_CARRIERS=") != NULL,
			  "%s: stderr:\n%s", bad[i][0], outcome.err);
		cr_expect_str_eq(outcome.out, "kernel threads: 1\nlibc's code: changed\n");
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

/* What Go makes of a program that is position-independent and without C, among others. */
Test(launcher, a_program_without_any_libc_is_126)
{
	struct outcome plain =
		run_program(PLAIN, (char *const[]){GUEST_DIR "/no_libc", NULL}, NULL);

	expect_exit(&plain, 23);
	forget_outcome(&plain);
	expect_refusal(run_weft(GUEST_DIR "/no_libc"), 126);
	expect_check_to_refuse(GUEST_DIR "/no_libc");
}

Test(launcher, a_sanitizer_that_looks_for_leaks_is_126)
{
	char *const argv[] = {FINDS_LEAKS, NULL};
	char *const without[] = {"ASAN_OPTIONS=a=b:detect_leaks=0", NULL};
	struct outcome outcome = run_program(UNDER_WEFT, argv, without);

	expect_exit(&outcome, 23);
	cr_expect_str_eq(outcome.err, "");
	forget_outcome(&outcome);
	expect_refusal(run_weft(FINDS_LEAKS), 126);
	expect_check_to_refuse(FINDS_LEAKS);
}

/* Write a file of rules, and name it as a setting. */
static char *rules(const char *text)
{
	static char setting[128];

	put_copy(strdup(text), strlen(text), 0644);
	snprintf(setting, sizeof(setting), "WEFT_PROFILES=%s", path);
	return setting;
}

static struct outcome run_by_rules(enum way way, const char *text, char *other, char *another)
{
	char *const argv[] = {LOOK_INSIDE, "10", NULL};
	char *const settings[] = {rules(text), other, another, NULL};

	return run_program(way, argv, settings);
}

static void expect_code(struct outcome outcome, const char *code)
{
	char expected[128];

	snprintf(expected, sizeof(expected), "kernel threads: 1\nlibc's code: %s\n", code);
	expect_exit(&outcome, 23);
	cr_expect_str_eq(outcome.out, expected, "stdout:\n%sstderr:\n%s", outcome.out, outcome.err);
	cr_expect_str_eq(outcome.err, "");
	forget_outcome(&outcome);
}

Test(launcher, a_rule_sets_what_its_program_needs)
{
	expect_code(run_by_rules(UNDER_WEFT, "look_inside catch=only\n", NULL, NULL),
		    "as in its file");
	expect_code(run_by_rules(UNDER_WEFT, "look_* catch=only\n", NULL, NULL), "as in its file");
	expect_code(run_by_rules(UNDER_WEFT, "look catch=only\n", NULL, NULL), "changed");
}

Test(launcher, a_rule_holds_without_the_launcher_too)
{
	expect_code(run_by_rules(PLAIN, "look_inside catch=only\n", "WEFT=1",
				 "LD_PRELOAD=" PRELOAD_LIBRARY),
		    "as in its file");
}

Test(launcher, a_rule_is_for_its_program_alone)
{
	char *const argv[] = {"sh", "-c", LOOK_INSIDE " 10; exit $?", NULL};
	char *const settings[] = {rules("sh catch=only\ndash catch=only\nbash catch=only\n"), NULL};

	expect_code(run_program(UNDER_WEFT, argv, settings), "changed");
}

Test(launcher, what_the_user_says_goes_before_a_rule)
{
	char *const argv[] = {"--catch=auto", LOOK_INSIDE, "10", NULL};
	char *const settings[] = {rules("look_inside catch=only\n"), NULL};

	expect_code(run_program(UNDER_WEFT, argv, settings), "changed");
	expect_code(run_by_rules(UNDER_WEFT, "look_inside catch=only\n", "WEFT_CATCH=none", NULL),
		    "changed");
	expect_code(run_by_rules(UNDER_WEFT, "look_inside catch=only\n", "WEFT_CATCH=", NULL),
		    "as in its file");
}

Test(launcher, an_option_names_rules_or_none)
{
	char option[128];

	snprintf(option, sizeof(option), "--profiles=%s",
		 rules("x stats=1\n") + strlen("WEFT_PROFILES="));
	put_copy(strdup("look_inside catch=only\n"), strlen("look_inside catch=only\n"), 0644);
	expect_code(run_weft(option, LOOK_INSIDE, "10"), "as in its file");
	expect_code(run_weft("--profiles=0", LOOK_INSIDE, "10"), "changed");
}

Test(launcher, a_file_of_rules_is_found_wherever_the_program_goes)
{
	static const char script[] = "cd \"$0\" && exec \"$1\" --profiles=program sh -c "
				     "'cd / && \"$0\" 10; exit $?' \"$2\"";
	char *const argv[] = {"sh", "-c", (char *)script, dir, WEFT_PROGRAM, LOOK_INSIDE, NULL};

	rules("look_inside catch=only\n");
	expect_code(run_program(PLAIN, argv, NULL), "as in its file");
}

Test(launcher, a_bad_rule_is_one_line_that_names_it_and_the_others_hold)
{
	struct outcome outcome = run_by_rules(UNDER_WEFT,
					      "other x\n# \nlook_inside catch=onyl\n"
					      "look_inside catch=only\n",
					      NULL, NULL);
	char place[128];

	snprintf(place, sizeof(place), "%s:3: ", path);
	expect_exit(&outcome, 23);
	cr_expect(count_lines(outcome.err) == 1 && strstr(outcome.err, place) != NULL,
		  "stderr:\n%s", outcome.err);
	cr_expect_str_eq(outcome.out, "kernel threads: 1\nlibc's code: as in its file\n");
	forget_outcome(&outcome);
}

Test(launcher, a_missing_file_of_rules_is_one_line)
{
	char *const argv[] = {LOOK_INSIDE, "10", NULL};
	char *const settings[] = {"WEFT_PROFILES=/nonexistent/rules", NULL};
	struct outcome outcome = run_program(UNDER_WEFT, argv, settings);

	expect_exit(&outcome, 23);
	cr_expect(count_lines(outcome.err) == 1 &&
			  strstr(outcome.err, "/nonexistent/rules") != NULL,
		  "stderr:\n%s", outcome.err);
	cr_expect_str_eq(outcome.out, "kernel threads: 1\nlibc's code: changed\n");
	forget_outcome(&outcome);
}

Test(launcher, a_rule_refuses_its_program)
{
	static const char text[] = "look_inside refuse \"it is a test\"\n";
	struct outcome outcome = run_by_rules(UNDER_WEFT, text, NULL, NULL);

	cr_expect(strstr(outcome.err, "look_inside: it is a test\n") != NULL, "stderr:\n%s",
		  outcome.err);
	expect_refusal(outcome, 126);

	/* Not started by weft, it runs all the same, and without. */
	outcome = run_by_rules(PLAIN, text, "WEFT=1", "LD_PRELOAD=" PRELOAD_LIBRARY);
	expect_exit(&outcome, 23);
	cr_expect_str_eq(outcome.out, "kernel threads: 11\nlibc's code: as in its file\n");
	cr_expect(count_lines(outcome.err) == 1 && strstr(outcome.err, "it is a test") != NULL,
		  "stderr:\n%s", outcome.err);
	forget_outcome(&outcome);
}

static void expect_check(const char *text, int status, const char *line)
{
	char *const argv[] = {"check", LOOK_INSIDE, NULL};
	char *const settings[] = {rules(text), NULL};
	struct outcome outcome = run_program(UNDER_WEFT, argv, settings);

	expect_exit(&outcome, status);
	cr_expect(strstr(outcome.out, line) != NULL, "no '%s' in:\n%s", line, outcome.out);
	forget_outcome(&outcome);
}

Test(launcher, check_tells_which_rule_holds_and_from_where)
{
	char line[256];

	expect_check("look_insid catch=only\n", 0, "\nprofile      none\n");
	snprintf(line, sizeof(line), "\nprofile      preempt-ms=0 catch=all (%s:2)\n", path);
	expect_check("\nlook_inside catch=all preempt-ms=0\n", 0, line);
	snprintf(line, sizeof(line), "\nbad rule     %s:1: there is no such setting\n", path);
	expect_check("other x=1\n", 0, line);
	snprintf(line, sizeof(line), "\nprofile      refuse (%s:1)\n", path);
	expect_check("look_inside refuse \"a test\"\n", 126, line);
	expect_check("look_inside refuse \"a test\"\n", 126,
		     "\nverdict      weft cannot work on it: a test\n");
}

/* The file that is installed is beside the library, which is where it is found. */
Test(launcher, wefts_own_rules_have_no_bad_line)
{
	struct outcome outcome = run_weft("check", LOOK_INSIDE);

	expect_exit(&outcome, 0);
	cr_expect(strstr(outcome.out, "\nprofile      ") != NULL);
	cr_expect(strstr(outcome.out, "\nbad rule") == NULL, "stdout:\n%s", outcome.out);
	forget_outcome(&outcome);
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
