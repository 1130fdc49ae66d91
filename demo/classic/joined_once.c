/*
 * A mistake that everybody makes once: each task is joined right after it has been spawned. The next
 * one is not even made before it has ended, so there is never more than one, and nothing is won.
 *
 * How it should be done is in three_tasks.c: first spawn all, then join.
 */
#include <stdio.h>

#include <weft.h>

#define TASKS 3
#define TIMES 5

static void *say_and_sleep(void *name)
{
	for (int i = 0; i < TIMES; i++) {
		printf("%s %d\n", (const char *)name, i);
		weft_sleep(WEFT_MS);
	}
	return NULL;
}

static void *run_one_by_one(void *unused)
{
	static const char *const names[TASKS] = {"Anna", "Berta", "Clara"};
	weft_task *task;

	for (int i = 0; i < TASKS; i++) {
		if (weft_spawn(&task, say_and_sleep, (void *)names[i]) != 0)
			return unused;
		weft_join(task, WEFT_FOREVER); /* the mistake */
		printf("joined %s\n", names[i]);
		weft_release(task);
	}
	return unused;
}

int main(void)
{
	return weft_run(run_one_by_one, NULL, NULL) == 0 ? 0 : 1;
}
