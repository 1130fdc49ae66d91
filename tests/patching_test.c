/* Programs that patch themselves (weft/monkey.h): patching.c says what it found, here is what it has to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "run_program.h"

#define PATCHING GUEST_DIR "/patching"

#define ALL_YIELD \
	"read of a socket yields\nread of a pipe yields\nnanosleep yields\nusleep yields\n" \
	"poll yields\nselect yields\nwaitpid yields\n"

static struct outcome run_case(enum way way, const char *name, char *const settings[])
{
	return run_program(way, (char *const[]){PATCHING, (char *)name, NULL}, settings);
}

static void expect_case(enum way way, const char *name, const char *out)
{
	struct outcome outcome = run_case(way, name, NULL);

	expect_exit(&outcome, 23);
	cr_expect_str_eq(outcome.out, out, "%s:\n%s", name, outcome.out);
	cr_expect_str_eq(outcome.err, "", "stderr:\n%s", outcome.err);
	forget_outcome(&outcome);
}

/* By itself, and where the launcher would have patched it with its first thread. */
static void expect_both_ways(const char *name, const char *out)
{
	expect_case(PLAIN, name, out);
	expect_case(UNDER_WEFT, name, out);
}

#define BAD_INPUT \
	"no families: EINVAL\nunknown families: EINVAL\nis_patched(NULL): EINVAL\n" \
	"is_patched of no call: ENOENT\nis_patched of nothing: ENOENT\n" \
	"get_original(NULL): EINVAL\nget_original to nowhere: EINVAL\n" \
	"get_original of no call: ENOENT\nget_original of getaddrinfo: ENOENT\n" \
	"get_original of close: ENOENT\nget_original of futex: ENOENT\npatched: nothing\n"

Test(patching, bad_input_is_an_error_and_patches_nothing)
{
	expect_case(PLAIN, "bad_input", BAD_INPUT "a thread is the kernel's\n");
	expect_case(UNDER_WEFT, "bad_input", BAD_INPUT "a thread is a task\n");
}

Test(patching, all_of_it_makes_tasks_of_threads_and_yields_of_waits)
{
	expect_both_ways("all", "patched: nothing\nread: 0\npatch_all: 0\npatch_all again: 0\n"
				"a part of it: 0\n"
				"patched: socket time thread select dns file process signal, all\n"
				"read: 1\nrecv: 1\npthread_create: 1\nsigwait: 1\ngetaddrinfo: 1\n"
				"getpid: 0\na thread is a task\n" ALL_YIELD);
}

Test(patching, what_is_not_asked_for_blocks_until_it_is)
{
	expect_both_ways(
		"narrow",
		"patch: 0\npatched: socket thread signal\nconnect: 1\nread: 0\npoll: 0\n"
		"getaddrinfo: 0\npthread_mutex_lock: 1\n"
		"read of a socket yields\nread of a pipe blocks\nnanosleep blocks\n"
		"usleep blocks\npoll blocks\nselect blocks\nwaitpid blocks\n"
		"patch more: 0\npatched: socket thread select dns file signal\nread: 1\n"
		"getaddrinfo: 1\n"
		"read of a socket yields\nread of a pipe yields\nnanosleep blocks\n"
		"usleep blocks\npoll yields\nselect yields\nwaitpid blocks\n"
		"patch the rest: 0\n"
		"patched: socket time thread select dns file process signal, all\n" ALL_YIELD);
}

Test(patching, time_files_and_processes_go_without_sockets)
{
	expect_both_ways("narrow_time",
			 "patch: 0\npatched: time thread file process signal\n"
			 "read of a socket blocks\nread of a pipe yields\nnanosleep yields\n"
			 "usleep yields\npoll blocks\nselect blocks\nwaitpid yields\n");
}

Test(patching, without_the_family_of_threads_only_weft_s_own_are_tasks)
{
	expect_both_ways("no_threads",
			 "patch: 0\npatched: time signal\npthread_create: 0\n"
			 "a thread is the kernel's\njoin: 0\nrun: 0\n"
			 "2 tasks slept at the same time\npatch threads: 0\na thread is a task\n");
}

Test(patching, with_two_threads_it_is_too_late)
{
	expect_case(PLAIN, "too_late", "patch with two threads: EBUSY\n");
	expect_case(UNDER_WEFT, "too_late", "patch with two threads: 0\n");
}

Test(patching, it_goes_before_weft_run_or_after_but_not_inside)
{
	expect_case(PLAIN, "inside_run",
		    "patch inside weft_run: EBUSY\nrun: 0\npatch after weft_run: 0\n"
		    "a thread is a task\n");
	expect_case(UNDER_WEFT, "inside_run",
		    "patch inside weft_run: 0\nrun: 0\npatch after weft_run: 0\n"
		    "a thread is a task\n");
}

Test(patching, a_task_may_add_families)
{
	expect_both_ways("in_task",
			 "patch: 0\npatch in a thread: 0\npatched: thread file signal\n");
}

#define WAITS \
	"in time: ETIMEDOUT\nnot at all: ETIMEDOUT\nwaited: ECANCELED\nkill: 0\n" \
	"waited: 1\njoin: 0\nwaited: 1\nrun: 0\n"

Test(patching, the_api_s_own_waits_are_of_no_family)
{
	expect_both_ways("wait_by_api", "patch: 0\n" WAITS "patch threads: 0\n" WAITS);
}

Test(patching, originals_never_yield_and_set_errno_as_libc_does)
{
	expect_both_ways("originals",
			 "0 are missing\npatched: nothing\npatch: 0\nread: -1 EBADF\n"
			 "clock_nanosleep: EINVAL 0\nsleep: 0\nppoll: 0, 1000 ns left\nread y\n"
			 "nanosleep yields\nthe original blocks\n");
}

Test(patching, a_child_is_patched_with_its_first_thread)
{
	expect_both_ways("fork_after", "patch: 0\na thread is a task\npatched: nothing\n"
				       "a thread is a task\npatched: time thread signal\n"
				       "patch in the child: 0\npatched: time thread file signal\n"
				       "the child: exit 5\na thread is a task\n");
}

Test(patching, of_many_threads_all_are_tasks)
{
	expect_both_ways("many", "patch_all: 0\n300 threads are tasks\n");
}

/* The calls are caught, not patched: for families that is the same. */
Test(patching, caught_calls_have_families_as_well)
{
	char *const settings[] = {"WEFT_CATCH=only", NULL};
	struct outcome outcome = run_case(PLAIN, "narrow_time", settings);

	expect_exit(&outcome, 23);
	cr_expect(strstr(outcome.out, "poll blocks\n") != NULL &&
			  strstr(outcome.out, "nanosleep yields\n") != NULL,
		  "stdout:\n%s", outcome.out);
	cr_expect_str_eq(outcome.err, "");
	forget_outcome(&outcome);
}

Test(patching, what_is_left_to_the_kernel_is_in_the_statistics)
{
	char *const settings[] = {"WEFT_STATS=1", NULL};
	struct outcome outcome = run_case(PLAIN, "narrow_time", settings);
	const char *blocked = strstr(outcome.err, "may have blocked the kernel thread:");

	expect_exit(&outcome, 23);
	cr_assert(blocked != NULL, "stderr:\n%s", outcome.err);
	cr_expect(strstr(blocked, " read 1") != NULL && strstr(blocked, " poll 1") != NULL,
		  "stderr:\n%s", outcome.err);
	cr_expect(strstr(blocked, "nanosleep") == NULL && strstr(blocked, " wait4") == NULL);
	forget_outcome(&outcome);
}

Test(patching, what_the_rules_refuse_is_one_line_and_an_error)
{
	char path[] = "/tmp/weft_profile_XXXXXX", setting[64];
	char *const settings[] = {setting, NULL};
	struct outcome outcome;
	int fd = mkstemp(path);

	cr_assert(fd >= 0);
	dprintf(fd, "patching refuse \"it says so\"\n");
	close(fd);
	snprintf(setting, sizeof(setting), "WEFT_PROFILES=%s", path);

	outcome = run_case(PLAIN, "in_vain", settings);

	unlink(path);
	expect_exit(&outcome, 23);
	cr_expect_str_eq(outcome.out, "patch_all: EOPNOTSUPP\npatch_all again: EOPNOTSUPP\n"
				      "patched: nothing\na thread is the kernel's\n");
	cr_expect(count_lines(outcome.err) == 1 && strstr(outcome.err, "it says so") != NULL,
		  "stderr:\n%s", outcome.err);
	forget_outcome(&outcome);
}

/* libweft.so alone, where no libweft-preload.so is. */
Test(patching, without_the_preload_library_that_is_an_error)
{
	char folder[] = "/tmp/weft_alone_XXXXXX", library[64], setting[64];
	char *const settings[] = {setting, NULL};
	struct outcome outcome;

	cr_assert(mkdtemp(folder) != NULL);
	snprintf(library, sizeof(library), "%s/libweft.so.0", folder);
	snprintf(setting, sizeof(setting), "LD_LIBRARY_PATH=%s", folder);
	cr_assert(symlink(RUNTIME_LIBRARY, library) == 0);

	outcome = run_case(PLAIN, "in_vain", settings);

	unlink(library);
	rmdir(folder);
	expect_exit(&outcome, 23);
	cr_expect_str_eq(outcome.out, "patch_all: ELIBACC\npatch_all again: ELIBACC\n"
				      "patched: nothing\na thread is the kernel's\n");
	cr_expect_str_eq(outcome.err, "");
	forget_outcome(&outcome);
}
