/* weft.h when the system refuses: what is documented is returned, and nothing is leaked. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "unit.h"

static void *give_nothing(void *unused)
{
	return unused;
}

static void do_nothing(void *unused)
{
	(void)unused;
}

static void note_run(void *unused)
{
	(void)unused;
	note("ran");
}

/* Let this process have `more` descriptors than now, and no others. */
static void limit_descriptors(unsigned int more, struct rlimit *before)
{
	struct rlimit low;
	int free_fd = 0;

	getrlimit(RLIMIT_NOFILE, before);
	low = *before;
	for (;;) { /* the limit is on numbers: count those that are free from below */
		if (fcntl(free_fd, F_GETFD) < 0 && more-- == 0)
			break;
		free_fd++;
	}
	low.rlim_cur = (rlim_t)free_fd;
	setrlimit(RLIMIT_NOFILE, &low);
}

Test(api_faults, a_run_that_gets_too_few_descriptors_says_so_and_keeps_none, .timeout = HANG_S)
{
	unsigned int before, needed = 0;
	struct rlimit limit;
	int err = -EMFILE;

	cr_assert_eq(run_tasks(do_nothing, NULL), 0); /* libuv keeps some for the process */
	before = count_descriptors();

	for (; err != 0 && needed < 50; needed++) {
		unsigned int after;

		limit_descriptors(needed, &limit);
		err = run_tasks(note_run, NULL);
		setrlimit(RLIMIT_NOFILE, &limit);
		after = count_descriptors();
		cr_assert(err == 0 || err == -EMFILE, "with %u descriptors: %d", needed, err);
		cr_assert_eq(after, before, "with %u descriptors %d are left", needed,
			     (int)(after - before));
		cr_assert_eq(noted()[0] != '\0', err == 0);
	}

	cr_assert_eq(err, 0);
	cr_assert_gt(needed, 1);
}

Test(api_faults, a_run_without_room_for_its_hub_says_so_and_keeps_nothing, .timeout = HANG_S)
{
	unsigned int descriptors, mappings;
	struct rlimit limit;
	int err;

	if (UNDER_SANITIZER)
		cr_skip_test("a sanitizer needs its address space");
	/* The first run at all: later ones find a stack in the pool. */
	descriptors = count_descriptors();
	mappings = count_mappings();

	limit_memory(65536, &limit);
	err = run_tasks(note_run, NULL);
	setrlimit(RLIMIT_AS, &limit);

	cr_assert_eq(err, -ENOMEM);
	cr_assert_str_eq(noted(), "");
	cr_assert_eq(count_descriptors(), descriptors);
	cr_assert_leq(count_mappings(), mappings);
	cr_assert_eq(run_tasks(note_run, NULL), 0);
}

TaskTest(api_faults, a_spawn_without_room_for_a_stack_says_so)
{
	weft_task *task = (weft_task *)1;
	struct rlimit limit;
	int err;

	if (UNDER_SANITIZER)
		cr_skip_test("a sanitizer needs its address space");

	limit_memory(65536, &limit);
	/* Of a size that the pool has none of. */
	err = weft_spawn_sized(&task, 1 << 20, give_nothing, NULL);
	setrlimit(RLIMIT_AS, &limit);

	cr_assert_eq(err, -ENOMEM);
	cr_assert_eq(task, (weft_task *)1);
	join(spawn(do_nothing, NULL));
}

/* The number is high so that its record is in a block which is not there yet. */
TaskTest(api_faults, a_wait_without_room_for_its_record_says_so)
{
	struct rlimit limit, files;
	int ends[2], fd, err;

	if (UNDER_SANITIZER)
		cr_skip_test("a sanitizer needs its address space");
	make_pipe(ends);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	fd = fcntl(ends[0], F_DUPFD_CLOEXEC, 3000);
	cr_assert_geq(fd, 3000);

	limit_memory(4096, &limit);
	err = weft_wait_fd(fd, WEFT_IN, weft_now() + 5 * MS);
	setrlimit(RLIMIT_AS, &limit);

	cr_assert_eq(err, -ENOMEM);
}

Test(api_faults, runs_leave_no_descriptors_and_mappings, .timeout = HANG_S)
{
	unsigned int descriptors, mappings;

	cr_assert_eq(run_tasks(do_nothing, NULL), 0);
	descriptors = count_descriptors();
	mappings = count_mappings();

	for (unsigned int i = 0; i < 100; i++)
		cr_assert_eq(run_tasks(do_nothing, NULL), 0);

	cr_assert_eq(count_descriptors(), descriptors);
	cr_assert_leq(count_mappings(),
		      mappings + 10 + SPARE_MAPPINGS); /* the heap may grow; a hundred would leak */
}
