/*
 * A pool of three threads for ten pieces of work that block: usleep(3) stands for them. Futures give
 * what comes of each; callbacks are called as they are done; after the shutdown there are no threads,
 * and nothing can be submitted any more.
 *
 * The first three wait for each other, which works only if three are at work at once.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <weft.h>

#define THREADS 3
#define JOBS 10

static pthread_barrier_t three_at_work;
static int at_work, most_at_work, called_back;

static void begin_work(void)
{
	int now = __atomic_add_fetch(&at_work, 1, __ATOMIC_SEQ_CST);
	int most = __atomic_load_n(&most_at_work, __ATOMIC_SEQ_CST);

	while (now > most && !__atomic_compare_exchange_n(&most_at_work, &most, now, 0,
							  __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
}

static void *square(void *arg)
{
	intptr_t number = (intptr_t)arg;

	begin_work();
	if (number < THREADS)
		pthread_barrier_wait(&three_at_work);
	usleep(5000);
	__atomic_sub_fetch(&at_work, 1, __ATOMIC_SEQ_CST);
	return (void *)(number * number);
}

static void count_callback(weft_future *future, void *unused)
{
	(void)unused;
	if (weft_future_error(future) == 0)
		__atomic_add_fetch(&called_back, 1, __ATOMIC_SEQ_CST);
}

static void submit_all(weft_executor *executor, weft_future *futures[JOBS])
{
	for (intptr_t i = 0; i < JOBS; i++)
		if (weft_executor_submit(executor, &futures[i], square, (void *)i) != 0 ||
		    weft_future_add_done_callback(futures[i], count_callback, NULL) != 0)
			abort();
	printf("%d jobs are submitted\n", JOBS);
}

static void show_results(weft_future *futures[JOBS])
{
	void *value;

	for (int i = 0; i < JOBS; i++) {
		if (weft_future_result(futures[i], WEFT_FOREVER, &value) == 0)
			printf("%d * %d = %d\n", i, i, (int)(intptr_t)value);
		weft_future_release(futures[i]);
	}
}

static void *use_pool(void *unused)
{
	weft_executor *executor;
	weft_future *futures[JOBS];

	if (weft_executor_new(&executor, THREADS) != 0)
		abort();
	submit_all(executor, futures);
	show_results(futures);
	printf("at most %d were at work at once\n", most_at_work);
	printf("shut down: %d\n", weft_executor_shutdown(executor, false, WEFT_FOREVER));
	printf("cannot submit after shutdown: %s\n",
	       weft_executor_submit(executor, NULL, square, NULL) == -ESHUTDOWN ? "yes" : "no");
	weft_executor_free(executor);
	return unused;
}

int main(void)
{
	pthread_barrier_init(&three_at_work, NULL, THREADS);
	if (weft_run(use_pool, NULL, NULL) != 0)
		return 1;
	printf("%d callbacks were called\n", called_back);
	return 0;
}
