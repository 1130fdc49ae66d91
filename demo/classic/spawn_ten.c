/*
 * Ten pieces of work, that wait for longer or shorter, one after the other and all at once. One after
 * the other they are done in the order in which they were begun; at once, in the order of how long
 * they wait, and in the time that the longest takes.
 */
#include <stdint.h>
#include <stdio.h>

#include <weft.h>

#define TASKS 10

/* From 1 to 10, in no obvious order. */
static int64_t steps_of(intptr_t number)
{
	return 7 * number % 11;
}

static void *work(void *number)
{
	weft_sleep(steps_of((intptr_t)number) * 40 * WEFT_MS);
	printf("task %d done\n", (int)(intptr_t)number);
	return NULL;
}

static void do_synchronously(void)
{
	for (intptr_t i = 1; i <= TASKS; i++)
		work((void *)i);
}

static void do_asynchronously(void)
{
	weft_task *tasks[TASKS];
	size_t n = 0;

	while (n < TASKS && weft_spawn(&tasks[n], work, (void *)(intptr_t)(n + 1)) == 0)
		n++;
	weft_joinall(tasks, n, 0, WEFT_FOREVER);
	while (n > 0)
		weft_release(tasks[--n]);
}

static void *do_both(void *unused)
{
	int64_t begin_ns = weft_now(), synchronous_ns, asynchronous_ns;

	printf("synchronous:\n");
	do_synchronously();
	synchronous_ns = weft_now() - begin_ns;
	printf("asynchronous:\n");
	begin_ns = weft_now();
	do_asynchronously();
	asynchronous_ns = weft_now() - begin_ns;
	printf("asynchronous took less time: %s\n",
	       asynchronous_ns < synchronous_ns ? "yes" : "no");
	return unused;
}

int main(void)
{
	return weft_run(do_both, NULL, NULL) == 0 ? 0 : 1;
}
