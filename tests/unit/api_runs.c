/* weft/task.h: runs, and threads that are in one, in none, and in another. */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static void *give(void *arg)
{
	return arg;
}

static void *sleep_and_count(void *count)
{
	for (int i = 0; i < 20; i++) {
		weft_sleep((i % 3) * WEFT_US * 100);
		__atomic_add_fetch((int *)count, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void *spawn_some(void *count)
{
	for (int i = 0; i < 10; i++)
		cr_expect_eq(weft_spawn_raw(sleep_and_count, count), 0);
	return count;
}

static void run_some(void *count)
{
	void *value = NULL;

	cr_expect_eq(weft_run(spawn_some, count, &value), 0);
	cr_expect_eq(value, count);
	cr_expect_eq(__atomic_load_n((int *)count, __ATOMIC_RELAXED), 200);
}

static void *run_some_on_thread(void *count)
{
	run_some(count);
	return NULL;
}

static void run_on_several_threads(void)
{
	pthread_t threads[3];
	int counts[COUNT(threads) + 1] = {0};

	for (size_t i = 0; i < COUNT(threads); i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, run_some_on_thread, &counts[i]), 0);
	run_some(&counts[COUNT(threads)]);
	for (size_t i = 0; i < COUNT(threads); i++)
		pthread_join(threads[i], NULL);
}

Test(api_runs, several_threads_run_tasks_at_once, .timeout = HANG_S)
{
	run_on_several_threads();
}

Test(api_runs, several_threads_run_tasks_at_once_on_threads, .timeout = HANG_S)
{
	weft__use_threads();
	run_on_several_threads();
}

static void note_end(weft_task *task, void *text)
{
	(void)task;
	note(text);
}

static void refuse(weft_task *task)
{
	cr_expect_eq(weft_raise(task, -EIO), -EPERM);
	cr_expect_eq(weft_kill(task, 0), -EPERM);
	cr_expect_eq(weft_kill(task, WEFT_FOREVER), -EPERM);
	cr_expect_eq(weft_killall(&task, 1, 0), -EPERM);
	cr_expect_eq(weft_join(task, WEFT_FOREVER), -EPERM);
	cr_expect_eq(weft_get(task, WEFT_FOREVER, NULL), -EPERM);
	cr_expect_eq(weft_joinall(&task, 1, 0, WEFT_FOREVER), -EPERM);
	cr_expect_eq(weft_link(task, note_end, "linked"), -EPERM);
	cr_expect_eq(weft_unlink(task, note_end, "linked"), -EPERM);
}

static void *refuse_in_run(void *task)
{
	refuse(task);
	return NULL;
}

static void refuse_elsewhere(void *task)
{
	refuse(task);
	cr_expect_eq(weft_run(refuse_in_run, task, NULL), 0);
}

TaskTest(api_runs, another_threads_tasks_are_out_of_reach)
{
	weft_task *task;

	cr_assert_eq(weft_spawn_later(&task, WEFT_FOREVER, give, NULL), 0);
	weft_yield();
	on_foreign_thread(refuse_elsewhere, task);

	cr_assert_not(weft_ended(task));
	cr_assert_eq(weft_kill(task, WEFT_FOREVER), 0);
	weft_release(task);
}

static void see_ended(void *task)
{
	cr_expect(weft_ended(task));
	cr_expect_eq(weft_value(task), task);
	cr_expect_eq(weft_raise(task, -EIO), -ESRCH);
	cr_expect_eq(weft_kill(task, 0), 0);
}

static void *give_self(void *unused)
{
	(void)unused;
	return weft_self();
}

TaskTest(api_runs, what_another_threads_task_gave_can_be_seen)
{
	weft_task *task;

	cr_assert_eq(weft_spawn(&task, give_self, NULL), 0);
	cr_assert_eq(weft_join(task, WEFT_FOREVER), 0);
	on_foreign_thread(see_ended, task);
	weft_release(task);
}

static void refuse_off_a_task(void *unused)
{
	weft_timeout timeout = {.error = 1};
	weft_local *local;
	bool ready = true;

	(void)unused;
	cr_expect_eq(weft_joinall(NULL, 0, 0, WEFT_FOREVER), -EPERM);
	cr_expect_eq(weft_wait(NULL, 0, 0, WEFT_FOREVER, &ready), -EPERM);
	cr_expect_eq(weft_sleep(1), -EPERM);
	cr_expect_eq(weft_idle(WEFT_FOREVER), -EPERM);
	cr_expect_eq(weft_set_error(-EIO), -EPERM);
	cr_expect_eq(weft_defer(free, NULL), -EPERM);
	cr_expect_eq(weft_undefer(true), -EPERM);
	cr_expect_eq(weft_spawn_raw(give, NULL), -EPERM);
	cr_expect_eq(weft_spawn_sized(NULL, 65536, give, NULL), -EPERM);
	cr_expect_eq(weft_spawn_later(NULL, 0, give, NULL), -EPERM);
	cr_expect_eq(weft_timeout_begin(&timeout, 0, 0), -EPERM);
	cr_expect_eq(weft_timeout_end(&timeout), -EPERM);
	cr_expect_eq(timeout.error, 1);
	cr_expect_not(weft_killed());
	cr_expect_null(weft_self());
	cr_expect_null(weft_loop());
	cr_expect_eq(weft_local_new(&local, NULL), 0);
	cr_expect_eq(weft_local_set(local, local), -EPERM);
	cr_expect_null(weft_local_get(local));
	cr_expect_eq(weft_local_free(local), 0);
	weft_yield();
}

Test(api_runs, off_a_task_what_needs_one_is_refused)
{
	refuse_off_a_task(NULL);
}

TaskTest(api_runs, off_a_task_what_needs_one_is_refused_beside_a_run_too)
{
	on_foreign_thread(refuse_off_a_task, NULL);
}

/* --- in a patched program --- */

struct adopted {
	weft_task *self;
	weft_local *local;
};

static void destroy(void *text)
{
	note(text);
}

static void be_adopted(void *arg)
{
	struct adopted *adopted = arg;

	adopted->self = weft_ref(weft_self());
	cr_expect_not_null(adopted->self);
	cr_expect_eq(weft_local_set(adopted->local, "destroyed"), 0);
	cr_expect_eq(weft_defer(note_task, "deferred "), 0);
	cr_expect_eq(weft_sleep(1), 0);
	cr_expect_eq(weft_error(adopted->self), -EINPROGRESS);
}

Test(api_runs, a_thread_is_a_task_and_ends_as_one, .timeout = HANG_S)
{
	struct adopted adopted;

	weft__use_threads();
	cr_assert_eq(weft_local_new(&adopted.local, destroy), 0);
	on_foreign_thread(be_adopted, &adopted);

	cr_assert_eq(weft_join(adopted.self, WEFT_FOREVER), 0);
	cr_assert_str_eq(noted(), "deferred destroyed");
	cr_assert_eq(weft_local_free(adopted.local), 0);
	weft_release(adopted.self);
}

static pthread_key_t late;

static void use_late(void *self)
{
	cr_expect(weft_ended(self));
	cr_expect_neq(weft_self(), self);
	cr_expect_eq(weft_sleep(1), 0);
	weft_release(self);
	note("late");
}

static void set_late(void *unused)
{
	(void)unused;
	pthread_setspecific(late, weft_ref(weft_self()));
}

/* Its key comes after that by which weft learns of the end. */
Test(api_runs, what_is_destroyed_after_the_end_of_a_task_may_use_another, .timeout = HANG_S)
{
	weft__use_threads();
	cr_assert_not_null(weft_self());
	pthread_key_create(&late, use_late);
	on_foreign_thread(set_late, NULL);

	cr_assert_str_eq(noted(), "late");
}

static void *exit_first(void *count)
{
	spawn_some(count);
	pthread_exit(NULL);
}

static void run_and_exit(void *count)
{
	weft_run(exit_first, count, NULL);
}

Test(api_runs, a_run_whose_thread_exits_goes_on_to_its_end, .timeout = HANG_S)
{
	int count = 0;

	weft__use_threads();
	on_foreign_thread(run_and_exit, &count);

	cr_assert_eq(count, 200);
}

static void *fork_beside(void *ret_status)
{
	weft_task *other;
	pid_t child;

	cr_expect_eq(weft_spawn_later(&other, WEFT_FOREVER, give, NULL), 0);
	until_waits(other);
	child = fork();
	if (child == 0)
		return NULL;
	waitpid(child, ret_status, 0);
	cr_expect_eq(weft_kill(other, WEFT_FOREVER), 0);
	weft_release(other);
	return ret_status;
}

Test(api_runs, a_child_of_fork_does_not_wait_for_its_parents_tasks, .timeout = HANG_S)
{
	int status = -1;
	void *in_parent = NULL;
	int err;

	weft__use_threads();
	err = weft_run(fork_beside, &status, &in_parent);
	if (in_parent == NULL)
		_exit(err == 0 ? 7 : 8);

	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}
