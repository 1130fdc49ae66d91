/*
 * Address space is limited: pthread_create() says EAGAIN, those that run go on, and when some have
 * ended there is room for others.
 */
#include "guest.h"

#include <sys/resource.h>

#define STACK_BYTES (256u << 10)
#define ROOM_BYTES (64u << 20)
#define MOST 1000 /* 64 MB have room for 256 stacks */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER, counted = PTHREAD_COND_INITIALIZER;
static long rounds, alive, answers, leave_below;

/* One answer for each round, until its number is below that of the first who stays. */
static void *answer(void *arg)
{
	long seen;

	pthread_mutex_lock(&lock);
	seen = rounds;
	alive++;
	pthread_cond_signal(&counted);
	for (;;) {
		while (rounds == seen && leave_below <= (long)arg)
			pthread_cond_wait(&changed, &lock);
		if (leave_below > (long)arg)
			break;
		seen++;
		answers++;
		pthread_cond_signal(&counted);
	}
	alive--;
	pthread_mutex_unlock(&lock);
	return arg;
}

static void await(const long *what, long value)
{
	pthread_mutex_lock(&lock);
	while (*what != value)
		pthread_cond_wait(&counted, &lock);
	pthread_mutex_unlock(&lock);
}

static void ask_all(long threads)
{
	pthread_mutex_lock(&lock);
	answers = 0;
	rounds++;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	await(&answers, threads);
}

static void limit_space(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long pages;
	struct rlimit limit;

	check(file != NULL && fscanf(file, "%lu", &pages) == 1);
	fclose(file);
	check(getrlimit(RLIMIT_AS, &limit) == 0);
	limit.rlim_cur = pages * 4096 + ROOM_BYTES;
	check(setrlimit(RLIMIT_AS, &limit) == 0);
}

static pthread_t threads[MOST];

/* Make threads until there is no room; how many there are then. */
static long make_all(long made)
{
	pthread_attr_t attr;
	int err = 0;

	pthread_attr_init(&attr);
	check(pthread_attr_setstacksize(&attr, STACK_BYTES) == 0);
	while (made < MOST && err == 0) {
		err = pthread_create(&threads[made], &attr, answer, (void *)made);
		made += err == 0;
	}
	say("no room: %s", strerrorname_np(err));
	return made;
}

static void let_go(long from, long below)
{
	pthread_mutex_lock(&lock);
	leave_below = below;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	for (long i = from; i < below; i++)
		finish(threads[i]);
}

int main(void)
{
	long made, half, again;

	become_threaded();
	limit_space();
	made = make_all(0);
	half = made / 2;
	check(made > 100);
	await(&alive, made);
	for (int i = 0; i < 3; i++)
		ask_all(made);
	say("all of them answer");

	let_go(0, half);
	ask_all(made - half);
	say("half have left, the others answer");
	again = make_all(made);
	check(again - made > half - 20);
	await(&alive, again - half);
	ask_all(again - half);
	say("those and as many new ones answer");
	let_go(half, again);
	say("all have left: %ld", alive);
	return 0;
}
