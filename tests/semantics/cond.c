/* Condition variables: signal wakes, broadcast wakes all, timed waits on both clocks end in time. */
#include "guest.h"

#define THREADS 50

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_cond_t answered = PTHREAD_COND_INITIALIZER;
static int tokens, taken, waiting, turn;

static void *take_token(void *arg)
{
	pthread_mutex_lock(&lock);
	waiting++;
	pthread_cond_signal(&answered);
	while (tokens == 0)
		pthread_cond_wait(&changed, &lock);
	tokens--;
	taken++;
	pthread_cond_signal(&answered);
	pthread_mutex_unlock(&lock);
	return arg;
}

static void *answer_turns(void *arg)
{
	pthread_mutex_lock(&lock);
	for (int i = 0; i < 1000; i++) {
		while (turn != 1)
			pthread_cond_wait(&changed, &lock);
		turn = 0;
		pthread_cond_signal(&answered);
	}
	pthread_mutex_unlock(&lock);
	return arg;
}

static void hand_out(int how_many)
{
	tokens += how_many;
	if (how_many == 1)
		pthread_cond_signal(&changed);
	else
		pthread_cond_broadcast(&changed);
}

static void show_timeouts(clockid_t clock, const char *name)
{
	struct timespec deadline = in_ms(clock, 20), past = {0, 0}, bad = {1, -1};
	pthread_condattr_t attr;
	pthread_cond_t cond;

	pthread_condattr_init(&attr);
	check(pthread_condattr_setclock(&attr, clock) == 0);
	check(pthread_cond_init(&cond, &attr) == 0);
	say("%s", name);
	show_error(pthread_cond_timedwait(&cond, &lock, &deadline));
	say("not early: %d", now_ns(clock) >= to_ns(deadline));
	show_error(pthread_cond_timedwait(&cond, &lock, &past));
	show_error(pthread_cond_timedwait(&cond, &lock, &bad));
	deadline = in_ms(CLOCK_MONOTONIC, 10);
	show_error(pthread_cond_clockwait(&cond, &lock, CLOCK_MONOTONIC, &deadline));
	show_error(pthread_cond_destroy(&cond));
}

int main(void)
{
	struct timespec late = in_ms(CLOCK_REALTIME, 30000);
	pthread_t threads[THREADS], player;

	for (int i = 0; i < THREADS; i++)
		threads[i] = start(take_token, NULL);

	pthread_mutex_lock(&lock);
	while (waiting < THREADS)
		pthread_cond_wait(&answered, &lock);
	hand_out(1);
	while (taken < 1)
		check(pthread_cond_timedwait(&answered, &lock, &late) == 0);
	say("after a signal: %d taken, %d left", taken, tokens);
	hand_out(THREADS - 1);
	while (taken < THREADS)
		check(pthread_cond_timedwait(&answered, &lock, &late) == 0);
	say("after a broadcast: %d taken, %d left", taken, tokens);
	pthread_mutex_unlock(&lock);
	for (int i = 0; i < THREADS; i++)
		finish(threads[i]);

	player = start(answer_turns, NULL);
	pthread_mutex_lock(&lock);
	for (int i = 0; i < 1000; i++) {
		turn = 1;
		pthread_cond_signal(&changed);
		while (turn != 0)
			pthread_cond_wait(&answered, &lock);
	}
	pthread_mutex_unlock(&lock);
	finish(player);
	say("1000 hand-offs there and back");

	pthread_mutex_lock(&lock);
	show_timeouts(CLOCK_REALTIME, "CLOCK_REALTIME");
	show_timeouts(CLOCK_MONOTONIC, "CLOCK_MONOTONIC");
	pthread_mutex_unlock(&lock);
	return 0;
}
