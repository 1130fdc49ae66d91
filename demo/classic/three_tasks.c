/*
 * Three tasks, each of which says five times who it is and sleeps in between. While one sleeps the
 * others go on, so that they take turns, and all together take no longer than one alone.
 *
 * What comes of joining each of them too early is in joined_once.c.
 */
#include <stdio.h>

#include <weft.h>

#define TASKS 3
#define TIMES 5

static void *say_and_sleep(void *name)
{
	for (int i = 0; i < TIMES; i++) {
		printf("%s %d\n", (const char *)name, i);
		weft_sleep(20 * WEFT_MS);
	}
	return NULL;
}

static void *run_three(void *unused)
{
	static const char *const names[TASKS] = {"Anna", "Berta", "Clara"};
	weft_task *tasks[TASKS];

	for (int i = 0; i < TASKS; i++)
		if (weft_spawn(&tasks[i], say_and_sleep, (void *)names[i]) != 0)
			return unused;
	printf("spawned\n");
	weft_joinall(tasks, TASKS, 0, WEFT_FOREVER);
	printf("joined\n");
	for (int i = 0; i < TASKS; i++)
		weft_release(tasks[i]);
	return unused;
}

int main(void)
{
	return weft_run(run_three, NULL, NULL) == 0 ? 0 : 1;
}
