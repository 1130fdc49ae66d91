/* What the library does to a process, and what it leaves alone. */
#include "run_program.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define LOOK_INSIDE GUEST_DIR "/look_inside"
#define PRELOADED "LD_PRELOAD=" PRELOAD_LIBRARY

static struct outcome look_inside(enum way way, const char *threads, char *setting, char *other)
{
	char *const argv[] = {(char *)LOOK_INSIDE, (char *)threads, NULL};
	char *const settings[] = {setting, other, NULL};
	struct outcome outcome = run_program(way, argv, settings);

	expect_exit(&outcome, 23);
	return outcome;
}

static void expect_inside(struct outcome *outcome, int kernel_threads, const char *code)
{
	char expected[128];

	snprintf(expected, sizeof(expected), "kernel threads: %d\nlibc's code: %s\n",
		 kernel_threads, code);
	cr_assert_str_eq(outcome->out, expected, "stdout:\n%sexpected:\n%sstderr:\n%s",
			 outcome->out, expected, outcome->err);
	forget_outcome(outcome);
}

Test(library, plain_threads_are_kernel_threads)
{
	struct outcome outcome = look_inside(PLAIN, "100", NULL, NULL);

	expect_inside(&outcome, 101, "as in its file");
}

Test(library, a_hundred_parked_threads_are_one_kernel_thread)
{
	struct outcome outcome = look_inside(UNDER_WEFT, "100", NULL, NULL);

	cr_expect_str_eq(outcome.err, "");
	expect_inside(&outcome, 1, "changed");
}

Test(library, preloaded_by_hand_it_does_as_the_launcher)
{
	struct outcome outcome = look_inside(PLAIN, "100", PRELOADED, "WEFT=1");

	cr_expect_str_eq(outcome.err, "");
	expect_inside(&outcome, 1, "changed");
}

Test(library, without_weft_1_it_does_nothing)
{
	struct outcome outcome = look_inside(PLAIN, "100", PRELOADED, NULL);

	cr_expect_str_eq(outcome.err, "");
	expect_inside(&outcome, 101, "as in its file");
}

Test(library, with_weft_0_it_does_nothing)
{
	struct outcome outcome = look_inside(PLAIN, "100", PRELOADED, "WEFT=0");

	expect_inside(&outcome, 101, "as in its file");
}

Test(library, a_program_without_threads_is_not_touched)
{
	struct outcome outcome = look_inside(UNDER_WEFT, "0", NULL, NULL);

	cr_expect_str_eq(outcome.err, "");
	expect_inside(&outcome, 1, "as in its file");
}

Test(library, statistics_go_to_stderr_alone)
{
	static const char *const words[] = {"sites", "tasks", "switches", "park"};
	struct outcome outcome = look_inside(UNDER_WEFT, "10", "WEFT_STATS=1", NULL);

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		cr_expect(strcasestr(outcome.err, words[i]) != NULL, "no '%s' in:\n%s", words[i],
			  outcome.err);
	expect_inside(&outcome, 1, "changed");
}

/* How often the threads of a start routine were stopped, and where the statistics name it. */
static long stopped(const struct outcome *outcome, const char *routine, const char **ret_place)
{
	char line[100];
	long times = -1;

	snprintf(line, sizeof(line), "weft: hog: %s", routine);
	*ret_place = strstr(outcome->err, line);
	cr_assert(*ret_place != NULL, "no '%s' in:\n%s", line, outcome->err);
	snprintf(line, sizeof(line), "weft: hog: %s%%*[^,], stopped %%ld times", routine);
	if (strchr(routine, '+') == NULL)
		snprintf(line, sizeof(line), "weft: hog: %s, stopped %%ld times", routine);
	cr_expect_eq(sscanf(*ret_place, line, &times), 1);
	return times;
}

Test(library, statistics_name_the_start_routines_that_compute_most)
{
	char *const argv[] = {GUEST_DIR "/hogs", NULL};
	char *const settings[] = {"WEFT_STATS=1", NULL};
	struct outcome outcome = run_program(UNDER_WEFT, argv, settings);
	long most, unnamed, less, only_waited = 0;
	const char *place[4];

	expect_exit(&outcome, 0);
	most = stopped(&outcome, "compute_most", &place[0]);
	unnamed = stopped(&outcome, "hogs+0x", &place[1]);
	less = stopped(&outcome, "compute_less", &place[2]);
	if (strstr(outcome.err, "hog: wait_only") != NULL)
		only_waited = stopped(&outcome, "wait_only", &place[3]);
	cr_expect(most > unnamed && unnamed > less && less > 0 && only_waited == 0, "stderr:\n%s",
		  outcome.err);
	cr_expect(place[0] < place[1] && place[1] < place[2], "stderr:\n%s", outcome.err);
	forget_outcome(&outcome);
}

/* It would hang if the others were kept. */
Test(library, who_is_caught_in_the_kernel_keeps_no_other)
{
	char *const argv[] = {GUEST_DIR "/caught", NULL};
	char *const settings[] = {"WEFT_CARRIERS=2", "WEFT_STATS=1", NULL};
	struct outcome plain = run_program(PLAIN, argv, NULL);
	struct outcome outcome = run_program(UNDER_WEFT, argv, settings);
	const char *caught = strstr(outcome.err, "caught in the kernel: ");

	expect_exit(&plain, 0);
	expect_exit(&outcome, 0);
	cr_expect_str_eq(outcome.out, plain.out);
	cr_expect(caught != NULL && strtol(caught + strlen("caught in the kernel: "), NULL, 10) > 0,
		  "stderr:\n%s", outcome.err);
	forget_outcome(&plain);
	forget_outcome(&outcome);
}

Test(library, a_bad_setting_is_one_line_and_the_default_is_used)
{
	struct outcome outcome = look_inside(UNDER_WEFT, "10", "WEFT_STATS=banana", NULL);

	cr_expect(count_lines(outcome.err) == 1 && strstr(outcome.err, "WEFT_STATS") != NULL,
		  "stderr:\n%s", outcome.err);
	expect_inside(&outcome, 1, "changed");
}

Test(library, each_bad_value_is_one_line_that_says_what_is_taken)
{
	static char *const bad[][2] = {{"WEFT_OFFLOAD_PATHS=2", "taken as auto"},
				       {"WEFT_OFFLOAD_PATHS=no", "taken as auto"},
				       {"WEFT_OFFLOAD_PATHS=Auto", "taken as auto"},
				       {"WEFT_CATCH=1", "taken as auto"},
				       {"WEFT_CATCH=all,only", "taken as auto"},
				       {"WEFT_CATCH=ONLY", "taken as auto"},
				       {"WEFT_OFFLOAD_THREADS=0", "taken as 64"},
				       {"WEFT_OFFLOAD_THREADS=1025", "taken as 64"},
				       {"WEFT_OFFLOAD_THREADS=2x", "taken as 64"},
				       {"WEFT_OFFLOAD_THREADS=+2", "taken as 64"},
				       {"WEFT_PREEMPT_MS=-1", "taken as 10"},
				       {"WEFT_PREEMPT_MS=10001", "taken as 10"},
				       {"WEFT_CARRIERS=0", "taken as 1"},
				       {"WEFT_CARRIERS=-1", "taken as 1"},
				       {"WEFT_CARRIERS=65", "taken as 1"},
				       {"WEFT_CARRIERS=1000000", "taken as 1"},
				       {"WEFT_CARRIERS=x", "taken as 1"},
				       {"WEFT_ITERATIVE=65536", "taken as 0"},
				       {"WEFT_ITERATIVE=yes", "taken as 0"},
				       {"WEFT_ITERATIVE=80,", "taken as 0"},
				       {"WEFT_ITERATIVE=,80", "taken as 0"},
				       {"WEFT_ITERATIVE=80,65536", "taken as 0"},
				       {"WEFT_ITERATIVE=80,-1", "taken as 0"},
				       {"WEFT_ITERATIVE=80 81", "taken as 0"},
				       {"WEFT_ITERATIVE=check,80", "taken as 0"},
				       {"WEFT_ITERATIVE_SLICE_KB=15", "taken as 256"},
				       {"WEFT_ITERATIVE_SLICE_KB=8193", "taken as 256"},
				       {"WEFT_ITERATIVE_SLICE_KB=64k", "taken as 256"}};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct outcome outcome = look_inside(UNDER_WEFT, "10", bad[i][0], NULL);

		cr_expect(count_lines(outcome.err) == 1 && strstr(outcome.err, bad[i][0]) != NULL &&
				  strstr(outcome.err, bad[i][1]) != NULL,
			  "%s: stderr:\n%s", bad[i][0], outcome.err);
		cr_expect(strstr(outcome.out, "libc's code: changed") != NULL, "%s: stdout:\n%s",
			  bad[i][0], outcome.out);
		forget_outcome(&outcome);
	}
}

Test(library, an_empty_value_is_as_none)
{
	static char *const empty[] = {"WEFT_OFFLOAD_PATHS=",   "WEFT_CATCH=",
				      "WEFT_OFFLOAD_THREADS=", "WEFT_PREEMPT_MS=",
				      "WEFT_STATS=",           "WEFT_CARRIERS=",
				      "WEFT_ITERATIVE=",       "WEFT_ITERATIVE_SLICE_KB="};

	for (size_t i = 0; i < sizeof(empty) / sizeof(*empty); i++) {
		struct outcome outcome = look_inside(UNDER_WEFT, "10", empty[i], NULL);

		cr_expect_str_eq(outcome.err, "");
		forget_outcome(&outcome);
	}
}

/* Whether the statistics tell of a task that parked until its file was opened. */
static bool look_ups_are_offloaded(char *setting)
{
	struct outcome outcome = look_inside(UNDER_WEFT, "10", "WEFT_STATS=1", setting);
	const char *parks = strstr(outcome.err, "parks:");
	bool offloaded;

	cr_assert(parks != NULL, "stderr:\n%s", outcome.err);
	offloaded = memmem(parks, strcspn(parks, "\n"), " openat ", 8) != NULL;
	forget_outcome(&outcome);
	return offloaded;
}

/* By default it depends on what is mounted here. */
Test(library, look_ups_are_offloaded_as_it_is_said)
{
	bool by_default = look_ups_are_offloaded(NULL);

	cr_expect(look_ups_are_offloaded("WEFT_OFFLOAD_PATHS=1"));
	cr_expect(!look_ups_are_offloaded("WEFT_OFFLOAD_PATHS=0"));
	cr_expect_eq(look_ups_are_offloaded("WEFT_OFFLOAD_PATHS=auto"), by_default);
	cr_expect_eq(look_ups_are_offloaded("WEFT_OFFLOAD_PATHS=banana"), by_default);
}

/* Its statistics have no word of a wait. */
Test(library, sendfile_of_a_cached_file_of_others_takes_no_thread)
{
	char *const argv[] = {GUEST_DIR "/sendfile_foreign", NULL};
	char *const settings[] = {"ONLY_PIECES=1", "WEFT_STATS=1", NULL};
	struct outcome outcome = run_program(UNDER_WEFT, argv, settings);
	const char *parks = strstr(outcome.err, "parks:");

	expect_exit(&outcome, 0);
	cr_assert(parks != NULL, "stderr:\n%s", outcome.err);
	cr_expect(memmem(parks, strcspn(parks, "\n"), " sendfile ", 10) == NULL, "stderr:\n%s",
		  outcome.err);
	forget_outcome(&outcome);
}

/* With the spare, which runs no task. */
Test(library, two_carriers_are_kernel_threads_that_both_run_tasks)
{
	struct outcome outcome = look_inside(UNDER_WEFT, "100", "WEFT_CARRIERS=2", NULL);

	cr_expect_str_eq(outcome.err, "");
	expect_inside(&outcome, 2 + 1, "changed");
	outcome = run_program(UNDER_WEFT, (char *const[]){GUEST_DIR "/on_carriers", "2", NULL},
			      (char *const[]){"WEFT_CARRIERS=2", NULL});
	expect_exit(&outcome, 0);
	cr_expect_str_eq(outcome.out, "kernel threads that ran tasks: 2\n");
	cr_expect_str_eq(outcome.err, "");
	forget_outcome(&outcome);
}

Test(library, a_bad_number_of_carriers_means_one)
{
	static char *const bad[] = {"WEFT_CARRIERS=0", "WEFT_CARRIERS=-1", "WEFT_CARRIERS=64",
				    "WEFT_CARRIERS=1000000", "WEFT_CARRIERS=x"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct outcome outcome = look_inside(UNDER_WEFT, "10", bad[i], NULL);

		expect_inside(&outcome, 1, "changed");
	}
	for (int i = 0; i < 2; i++) {
		struct outcome outcome = look_inside(
			UNDER_WEFT, "10", i == 0 ? "WEFT_CARRIERS=" : "WEFT_CARRIERS=1", NULL);

		expect_inside(&outcome, 1, "changed");
	}
}

/* What a guest that serves says on stderr, with what it is told. */
static struct outcome serve_iteratively(char *guest, char *setting, char *second)
{
	char *const argv[] = {guest, NULL}, *const settings[] = {setting, second, NULL};
	struct outcome outcome = run_program(UNDER_WEFT, argv, settings);

	cr_expect_str_eq(ending(&outcome), "exit 0");
	return outcome;
}

/* How often a text stands in another. */
static int count_texts(const char *text, const char *part)
{
	int n = 0;

	for (text = strstr(text, part); text != NULL; text = strstr(text + 1, part))
		n++;
	return n;
}

Test(library, static_objects_that_two_connections_write_to_are_named)
{
	struct outcome outcome =
		serve_iteratively(GUEST_DIR "/statics", "WEFT_ITERATIVE=check", NULL);

	cr_assert_str_eq(ending(&outcome), "exit 0", "stderr:\n%s", outcome.err);
	cr_assert(count_texts(outcome.err, "the static object 'line'") == 1 &&
			  count_texts(outcome.err, "the static object 'total'") == 1 &&
			  count_lines(outcome.err) == 2,
		  "stderr:\n%s", outcome.err);
	forget_outcome(&outcome);
}

Test(library, where_connections_share_a_stack_there_is_one_carrier_and_one_line)
{
	struct outcome outcome = serve_iteratively(GUEST_DIR "/iterative_errno", "WEFT_ITERATIVE=1",
						   "WEFT_CARRIERS=2");

	cr_expect(count_lines(outcome.err) == 1 &&
			  strstr(outcome.err, "one carrier instead of 2") != NULL &&
			  strstr(outcome.err, "WEFT_ITERATIVE") != NULL,
		  "stderr:\n%s", outcome.err);
	forget_outcome(&outcome);
}

Test(library, why_connections_are_served_alone_is_one_line_each)
{
	struct outcome outcome =
		serve_iteratively(GUEST_DIR "/iterative_alone", "WEFT_ITERATIVE=1", NULL);

	cr_expect(count_lines(outcome.err) == 2 &&
			  strstr(outcome.err, "others use what a connection has on its stack") &&
			  strstr(outcome.err, "takes more than 256 KB of stack"),
		  "stderr:\n%s", outcome.err);
	forget_outcome(&outcome);
}

Test(library, a_server_that_polls_its_connections_is_told_so_in_one_line)
{
	struct outcome outcome =
		serve_iteratively(GUEST_DIR "/iterative_loop", "WEFT_ITERATIVE=1", NULL);

	/* for each of the two it runs */
	cr_expect(count_lines(outcome.err) == 2 &&
			  strstr(outcome.err, "waits for several connections at once by itself"),
		  "stderr:\n%s", outcome.err);
	forget_outcome(&outcome);
}

Test(library, a_larger_slice_can_be_allowed)
{
	struct outcome outcome = serve_iteratively(GUEST_DIR "/iterative_alone", "WEFT_ITERATIVE=1",
						   "WEFT_ITERATIVE_SLICE_KB=1024");

	cr_expect(strstr(outcome.err, "of stack, or") == NULL, "stderr:\n%s", outcome.err);
	forget_outcome(&outcome);
}

Test(library, copies_and_exchanges_are_counted)
{
	struct outcome outcome =
		serve_iteratively(GUEST_DIR "/iterative_errno", "WEFT_ITERATIVE=1", "WEFT_STATS=1");
	const char *line = strstr(outcome.err, "weft: iterative: ");
	unsigned long copies = 0, most = 0, exchanges = 0;

	cr_assert(line != NULL, "stderr:\n%s", outcome.err);
	sscanf(line, "weft: iterative: %lu copies, at most %lu at once; %lu exchanges", &copies,
	       &most, &exchanges);
	cr_expect(copies == 61 && most > 1 && most <= copies && exchanges >= copies, "%s", line);
	forget_outcome(&outcome);
}

Test(library, auto_is_a_carrier_for_each_processor)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	struct outcome outcome = look_inside(UNDER_WEFT, "10", "WEFT_CARRIERS=auto", NULL);

	expect_inside(&outcome,
		      processors == 1   ? 1
		      : processors > 63 ? 63 + 1
					: (int)processors + 1,
		      "changed");
}

Test(library, where_calls_are_caught_there_is_one_carrier_and_one_line)
{
	struct outcome outcome =
		look_inside(UNDER_WEFT, "10", "WEFT_CARRIERS=2", "WEFT_CATCH=only");

	cr_expect(count_lines(outcome.err) == 1 &&
			  strstr(outcome.err, "one carrier instead of 2") != NULL,
		  "stderr:\n%s", outcome.err);
	expect_inside(&outcome, 1, "as in its file");
	outcome = look_inside(UNDER_WEFT, "10", "WEFT_CARRIERS=2", "WEFT_CATCH=all");
	cr_expect(count_lines(outcome.err) == 1 &&
			  strstr(outcome.err, "one carrier instead of 2") != NULL,
		  "stderr:\n%s", outcome.err);
	expect_inside(&outcome, 1, "changed");
}

Test(library, a_bad_weft_itself_is_one_line_and_means_off)
{
	struct outcome outcome = look_inside(PLAIN, "10", PRELOADED, "WEFT=banana");

	cr_expect_eq(count_lines(outcome.err), 1, "stderr:\n%s", outcome.err);
	expect_inside(&outcome, 11, "as in its file");
}

Test(library, with_all_calls_caught_libc_is_as_in_its_file)
{
	struct outcome outcome = look_inside(UNDER_WEFT, "100", "WEFT_CATCH=only", NULL);

	cr_expect_str_eq(outcome.err, "");
	expect_inside(&outcome, 1, "as in its file");
}

Test(library, what_is_caught_is_counted)
{
	char *const argv[] = {GUEST_DIR "/made_code", NULL};
	char *const settings[] = {"WEFT_CATCH=all", "WEFT_STATS=1", NULL};
	struct outcome outcome = run_program(UNDER_WEFT, argv, settings);
	const char *line = strstr(outcome.err, "caught: ");
	int calls = 0, places = 0;

	expect_exit(&outcome, 23);
	cr_assert(line != NULL, "stderr:\n%s", outcome.err);
	cr_assert_eq(sscanf(line, "caught: %d calls at %d places", &calls, &places), 2);
	cr_expect(places > 5 && calls > places, "%s", line);
	forget_outcome(&outcome);
}

Test(library, what_is_to_be_caught_is_said_by_a_known_word)
{
	struct outcome outcome = look_inside(UNDER_WEFT, "10", "WEFT_CATCH=some", NULL);

	cr_expect(count_lines(outcome.err) == 1 && strstr(outcome.err, "WEFT_CATCH=some") != NULL,
		  "stderr:\n%s", outcome.err);
	expect_inside(&outcome, 1, "changed");
	outcome = look_inside(UNDER_WEFT, "10", "WEFT_CATCH=none", "WEFT_STATS=1");
	cr_expect(strstr(outcome.err, "caught") == NULL, "stderr:\n%s", outcome.err);
	expect_inside(&outcome, 1, "changed");
}

Test(library, where_code_may_not_change_calls_can_be_caught)
{
	static const char one[] = "kernel threads: 1\n";
	char *const argv[] = {GUEST_DIR "/deny_code_changes",
			      "all",
			      WEFT_PROGRAM,
			      (char *)LOOK_INSIDE,
			      "10",
			      NULL};
	char *const settings[] = {"WEFT_CATCH=all", NULL};
	struct outcome outcome = run_program(PLAIN, argv, settings);

	expect_exit(&outcome, 23);
	cr_expect(strncmp(outcome.out, one, strlen(one)) == 0, "stdout:\n%s", outcome.out);
	cr_expect(count_lines(outcome.err) <= 1, "stderr:\n%s", outcome.err);
	forget_outcome(&outcome);
}

Test(library, where_code_may_not_change_at_all_that_is_one_line)
{
	char *const argv[] = {GUEST_DIR "/deny_code_changes",
			      "all",
			      WEFT_PROGRAM,
			      (char *)LOOK_INSIDE,
			      "10",
			      NULL};
	struct outcome outcome = run_program(PLAIN, argv, NULL);

	expect_exit(&outcome, 23);
	cr_expect(count_lines(outcome.err) == 1 && strstr(outcome.err, "not used") != NULL,
		  "stderr:\n%s", outcome.err);
	expect_inside(&outcome, 11, "as in its file");
}

static void expect_no_dispatch(char *setting, int kernel_threads, const char *code)
{
	char *const argv[] = {GUEST_DIR "/deny_dispatch", WEFT_PROGRAM, (char *)LOOK_INSIDE, "10",
			      NULL};
	char *const settings[] = {setting, NULL};
	struct outcome outcome = run_program(PLAIN, argv, settings);

	expect_exit(&outcome, 23);
	cr_expect_eq(count_lines(outcome.err), 1, "stderr:\n%s", outcome.err);
	expect_inside(&outcome, kernel_threads, code);
}

Test(library, where_the_kernel_catches_nothing_that_is_one_line)
{
	expect_no_dispatch("WEFT_CATCH=all", 1, "changed");
	expect_no_dispatch("WEFT_CATCH=only", 11, "as in its file");
}

static void expect_to_stand_aside(const char *program, const char *out)
{
	char *const argv[] = {(char *)program, NULL};
	char *const settings[] = {PRELOADED, "WEFT=1", NULL};
	struct outcome outcome = run_program(PLAIN, argv, settings);

	expect_exit(&outcome, 23);
	cr_expect_str_eq(outcome.out, out);
	cr_expect(count_lines(outcome.err) == 1 &&
			  strstr(outcome.err, "runs as it would without") != NULL,
		  "stderr:\n%s", outcome.err);
	forget_outcome(&outcome);
}

Test(library, preloaded_by_hand_it_stands_aside_where_the_launcher_refuses)
{
	expect_to_stand_aside(GUEST_DIR "/no_libc", "");
	expect_to_stand_aside(GUEST_DIR "/finds_leaks", "no leaks\n");
}

/* Its tasks are threads, and those are tasks. */
Test(library, a_program_with_tasks_of_its_own_has_them_on_threads)
{
	char *const argv[] = {GUEST_DIR "/own_tasks", NULL};
	struct outcome outcome = run_program(UNDER_WEFT, argv, NULL);

	expect_exit(&outcome, 23);
	cr_expect_str_eq(outcome.out, "0: 5 tasks\n");
	cr_expect_str_eq(outcome.err, "");
	forget_outcome(&outcome);
}

/* It would wait for its own thread, in the kernel. */
Test(library, where_what_cannot_be_patched_cannot_be_caught_it_stands_aside)
{
	char *const argv[] = {GUEST_DIR "/deny_dispatch", WEFT_PROGRAM, GUEST_DIR "/hidden_calls",
			      NULL};
	struct outcome outcome = run_program(PLAIN, argv, NULL);

	expect_exit(&outcome, 23);
	cr_expect_str_eq(outcome.out, "writing\nread x\na child: exit 3\n");
	cr_expect_eq(count_lines(outcome.err), 1, "stderr:\n%s", outcome.err);
	cr_expect(strstr(outcome.err, "cannot be patched") != NULL &&
		  strstr(outcome.err, "runs as it would without") != NULL);
	forget_outcome(&outcome);
}

Test(library, nobody_takes_the_catching_away)
{
	char *const argv[] = {GUEST_DIR "/own_dispatch", NULL};
	char *const settings[] = {"WEFT_CATCH=all", NULL};
	struct outcome outcome = run_program(UNDER_WEFT, argv, settings);

	expect_exit(&outcome, 23);
	cr_expect(strstr(outcome.out, "= -1 EINVAL\n") != NULL, "stdout:\n%s", outcome.out);
	cr_expect_str_eq(outcome.err, "");
	forget_outcome(&outcome);
}

static void expect_another_way_in(const char *rule)
{
	char *const argv[] = {GUEST_DIR "/deny_code_changes",
			      (char *)rule,
			      WEFT_PROGRAM,
			      LOOK_INSIDE,
			      "100",
			      NULL};
	struct outcome denied = run_program(PLAIN, argv, NULL);

	if (strcmp(ending(&denied), "exit 77") == 0) {
		forget_outcome(&denied);
		cr_skip_test("the kernel does not know this rule");
	}
	expect_exit(&denied, 23);
	cr_expect_str_eq(denied.err, "");
	expect_inside(&denied, 1, "changed");
}

Test(library, where_seccomp_forbids_to_change_code_there_is_another_way)
{
	expect_another_way_in("seccomp");
}

Test(library, where_the_program_may_not_make_code_there_is_another_way)
{
	expect_another_way_in("prctl");
}

/* Five processes of it lock themselves in, each by a filter that denies what weft waits with. */
Test(library, a_filter_that_denies_what_it_needs_costs_one_line_a_process)
{
	char *const argv[] = {(char *)GUEST_DIR "/seccomp_server", NULL};
	struct outcome outcome = run_program(UNDER_WEFT, argv, NULL);
	const char *line = "weft: the seccomp filter denies epoll_ctl, ";
	int lines = 0;

	expect_exit(&outcome, 0);
	for (const char *at = outcome.err; (at = strstr(at, line)) != NULL; at++)
		lines++;
	cr_expect_eq(lines, 5, "stderr:\n%s", outcome.err);
	cr_expect_eq(count_lines(outcome.err), 5, "stderr:\n%s", outcome.err);
	forget_outcome(&outcome);
}

/* As plain, be it that calls are the program's own, or come and go. */
Test(library, where_code_may_not_change_guests_do_as_they_would)
{
	static const char *const guests[] = {GUEST_DIR "/inline_calls", GUEST_DIR "/dlopen_cycles",
					     GUEST_DIR "/thread_cpu", GUEST_DIR "/queue"};

	for (size_t i = 0; i < sizeof(guests) / sizeof(*guests); i++) {
		char *const plain_argv[] = {(char *)guests[i], NULL};
		char *const argv[] = {GUEST_DIR "/deny_code_changes", "seccomp", WEFT_PROGRAM,
				      (char *)guests[i], NULL};
		struct outcome plain = run_program(PLAIN, plain_argv, NULL);
		struct outcome denied = run_program(PLAIN, argv, NULL);

		expect_exit(&denied, 0);
		cr_expect_str_eq(denied.out, plain.out);
		cr_expect_str_eq(denied.err, "");
		forget_outcome(&plain);
		forget_outcome(&denied);
	}
}

/* At a tick of the kernel's each they would take a minute and a half. */
Test(library, eight_thousand_turns_are_handed_over_by_memory)
{
	char *const argv[] = {(char *)GUEST_DIR "/spin_turns", (char *)"8000", NULL};
	struct outcome outcome = run_program_within(80000, UNDER_WEFT, argv, NULL);

	cr_expect(!outcome.is_hung);
	cr_expect_str_eq(outcome.out, "8000 turns were taken\nall orders were carried out\n");
	cr_expect_str_eq(outcome.err, "");
	forget_outcome(&outcome);
}
