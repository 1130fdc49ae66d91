/* Sleepers of different length wake in the order of their lengths, whatever order they began in. */
#include "guest.h"

#define SLEEPERS 12
#define STEP_MS 40
#define TRIES 60

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t begin_ns;
static int order[SLEEPERS], woken;

static void *sleep_long(void *arg)
{
	int number = (int)(intptr_t)arg;
	struct timespec deadline = to_timespec(begin_ns + number * STEP_MS * 1000000LL);

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, NULL);
	pthread_mutex_lock(&lock);
	order[woken++] = number;
	pthread_mutex_unlock(&lock);
	return NULL;
}

static int wake_in_order(void)
{
	pthread_t threads[SLEEPERS];
	int in_order = 1;

	woken = 0;
	begin_ns = now_ns(CLOCK_MONOTONIC) + 100000000;
	for (int i = 0; i < SLEEPERS; i++)
		threads[i] = start(sleep_long, (void *)(intptr_t)(i * 7 % SLEEPERS));
	for (int i = 0; i < SLEEPERS; i++)
		finish(threads[i]);
	for (int i = 1; i < SLEEPERS; i++)
		in_order &= order[i - 1] < order[i];
	return in_order;
}

int main(void)
{
	int tries = 0;

	/* on a machine busy with other things, woken threads may run late, but not every time */
	while (tries++ < TRIES && !wake_in_order())
		;
	for (int i = 0; i < SLEEPERS; i++)
		say("%d", order[i]);
	return 0;
}
