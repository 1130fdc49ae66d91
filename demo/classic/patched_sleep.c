/*
 * Patched sleep against native sleep.
 *
 * Three threads take a nap each. weft_patch_all() has made tasks of threads, so there is one kernel thread
 * for all of them, and sleep(3) lets the others run: they sleep at the same time. The original of the
 * same function, which weft_get_original() gives, knows nothing of tasks. It puts the kernel thread to
 * sleep, and so they do it one after the other.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weft.h>

#define SLEEPERS 3

typedef int sleep_function(useconds_t us);

static sleep_function *sleep_by;
static int asleep, most_asleep;

static void *take_nap(void *arg)
{
	int number = *(int *)arg;

	printf("%d falls asleep\n", number);
	if (++asleep > most_asleep)
		most_asleep = asleep;
	sleep_by((useconds_t)number * 100000);
	asleep--;
	printf("%d is awake\n", number);
	return NULL;
}

static void sleep_all(const char *title, sleep_function *function)
{
	pthread_t threads[SLEEPERS];
	int numbers[SLEEPERS];

	printf("%s:\n", title);
	sleep_by = function;
	most_asleep = 0;
	for (int i = 0; i < SLEEPERS; i++) {
		numbers[i] = i + 1;
		if (pthread_create(&threads[i], NULL, take_nap, &numbers[i]) != 0)
			abort();
	}
	for (int i = 0; i < SLEEPERS; i++)
		pthread_join(threads[i], NULL);
	printf("at most %d of %d slept at once\n", most_asleep, SLEEPERS);
}

int main(void)
{
	sleep_function *native_usleep;
	int err = weft_patch_all();

	if (err == 0)
		err = weft_get_original("usleep", (void **)&native_usleep);
	if (err != 0) {
		fprintf(stderr, "patched_sleep: %s\n", strerror(-err));
		return 1;
	}
	printf("usleep is patched: %s\n", weft_is_patched("usleep") == 1 ? "yes" : "no");
	sleep_all("patched", usleep);
	sleep_all("native", native_usleep);
	return 0;
}
