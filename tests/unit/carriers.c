/* Several threads, each with a carrier of its own. */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "unit.h"

#define ROUNDS 100

struct side {
	int read_fd, write_fd;
	unsigned int rounds;
	int result;
	weft_task *self;
};

static void play(void *arg)
{
	struct side *side = arg;
	char byte;

	for (; side->rounds < ROUNDS; side->rounds++) {
		put_byte(side->write_fd);
		cr_expect_eq(weft_wait_fd(side->read_fd, WEFT_IN, WEFT_FOREVER), WEFT_IN);
		cr_expect_eq(read(side->read_fd, &byte, 1), 1);
		weft_yield();
	}
}

static void play_in_tasks(void *arg)
{
	weft_task *player = spawn(play, arg);

	weft_sleep(MS);
	join(player);
}

static void *run_side(void *arg)
{
	((struct side *)arg)->result = run_tasks(play_in_tasks, arg);
	return NULL;
}

Test(carriers, two_threads_have_a_carrier_each_at_once, .timeout = HANG_S)
{
	struct side sides[2] = {{.result = 1}, {.result = 1}};
	pthread_t threads[2];
	int there[2], back[2];

	make_pipe(there);
	make_pipe(back);
	sides[0].read_fd = there[0];
	sides[0].write_fd = back[1];
	sides[1].read_fd = back[0];
	sides[1].write_fd = there[1];
	for (size_t i = 0; i < COUNT(threads); i++)
		pthread_create(&threads[i], NULL, run_side, &sides[i]);
	for (size_t i = 0; i < COUNT(threads); i++)
		pthread_join(threads[i], NULL);

	cr_assert_eq(sides[0].result, 0);
	cr_assert_eq(sides[1].result, 0);
	cr_assert_eq(sides[0].rounds, ROUNDS);
}

static pthread_barrier_t both_wait;

static void say_that_both_wait(void *unused)
{
	(void)unused;
	pthread_barrier_wait(&both_wait);
}

static void wait_beside(void *arg)
{
	struct side *side = arg;

	spawn_detached(say_that_both_wait, NULL); /* runs when this task has parked */
	side->result = weft_wait_fd(side->read_fd, WEFT_IN, WEFT_FOREVER);
}

static void *run_wait_beside(void *arg)
{
	run_tasks(wait_beside, arg);
	return NULL;
}

Test(carriers, tasks_of_two_carriers_can_wait_for_one_descriptor, .timeout = HANG_S)
{
	struct side sides[2];
	pthread_t threads[2];
	int ends[2];

	make_pipe(ends);
	pthread_barrier_init(&both_wait, NULL, 3);
	for (size_t i = 0; i < COUNT(threads); i++) {
		sides[i] = (struct side){.read_fd = ends[0]};
		pthread_create(&threads[i], NULL, run_wait_beside, &sides[i]);
	}
	pthread_barrier_wait(&both_wait);
	put_byte(ends[1]);
	for (size_t i = 0; i < COUNT(threads); i++)
		pthread_join(threads[i], NULL);

	cr_assert_eq(sides[0].result, WEFT_IN);
	cr_assert_eq(sides[1].result, WEFT_IN);
}

static pthread_barrier_t start_together;

static void wait_for_own(void *arg)
{
	struct side *side = arg;

	pthread_barrier_wait(&start_together);
	side->result = weft_wait_fd(side->read_fd, WEFT_IN, weft_now() + MS);
}

static void *run_wait_for_own(void *arg)
{
	run_tasks(wait_for_own, arg);
	return NULL;
}

Test(carriers, the_first_waits_of_two_carriers_can_come_at_once, .timeout = HANG_S)
{
	struct side sides[2] = {{.read_fd = 0}};
	pthread_t threads[2];
	int ends[2];

	pthread_barrier_init(&start_together, NULL, 2);
	for (size_t i = 0; i < COUNT(threads); i++) {
		make_pipe(ends);
		sides[i].read_fd = ends[0];
		pthread_create(&threads[i], NULL, run_wait_for_own, &sides[i]);
	}
	for (size_t i = 0; i < COUNT(threads); i++)
		pthread_join(threads[i], NULL);

	cr_assert_eq(sides[0].result, -ETIMEDOUT);
	cr_assert_eq(sides[1].result, -ETIMEDOUT);
}

static void sleep_and_yield(void *unused)
{
	(void)unused;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		weft_sleep(10000);
		weft_yield();
	}
}

static void run_many_tasks(void *unused)
{
	for (unsigned int i = 0; i < 20; i++)
		spawn_detached(sleep_and_yield, unused);
}

static void *run_carrier(void *ret_result)
{
	*(int *)ret_result = run_tasks(run_many_tasks, NULL);
	return NULL;
}

Test(carriers, the_tasks_of_many_carriers_do_not_meet, .timeout = HANG_S)
{
	pthread_t threads[4];
	int results[COUNT(threads)];

	for (size_t i = 0; i < COUNT(threads); i++)
		pthread_create(&threads[i], NULL, run_carrier, &results[i]);
	for (size_t i = 0; i < COUNT(threads); i++)
		pthread_join(threads[i], NULL);

	for (size_t i = 0; i < COUNT(threads); i++)
		cr_assert_eq(results[i], 0);
}
