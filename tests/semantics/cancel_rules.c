/* When a cancellation takes effect, what it leaves behind, and the joins that do not wait for ever. */
#include "guest.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int once_runs, never[2], go, requested;

static void say_it(void *text)
{
	say("  cleanup: %s", (const char *)text);
}

static void wait_in_cleanup(void *text)
{
	usleep(20000);
	pthread_testcancel();
	say("  cleanup went through: %s", (const char *)text);
}

static void say_lock(void *mutex)
{
	say("  the mutex is held: %s", strerrorname_np(pthread_mutex_trylock(mutex)));
	check(pthread_mutex_unlock(mutex) == 0);
}

static void *just_born(void *arg)
{
	for (;;) {
		pthread_testcancel();
		sched_yield();
	}
	return arg;
}

static void *cancel_self(void *arg)
{
	pthread_cleanup_push(say_it, (void *)"of itself");
	check(pthread_cancel(pthread_self()) == 0);
	pthread_testcancel();
	pthread_cleanup_pop(0);
	return arg;
}

static void *slow_cleanup(void *arg)
{
	pthread_cleanup_push(wait_in_cleanup, (void *)"cancelled twice");
	pause();
	pthread_cleanup_pop(0);
	return arg;
}

static void *wait_for_cond(void *arg)
{
	pthread_mutex_lock(&lock);
	pthread_cleanup_push(say_lock, &lock);
	pthread_cond_wait(&cond, &lock);
	pthread_cleanup_pop(1);
	return arg;
}

static void init_once(void)
{
	if (++once_runs == 1)
		pause();
}

static void *run_once(void *arg)
{
	check(pthread_once(&once, init_once) == 0);
	return arg;
}

static void *disable(void *arg)
{
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	while (!__atomic_load_n(&requested, __ATOMIC_ACQUIRE))
		usleep(1000);
	usleep(1000);
	say("  slept through while disabled");
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	read_byte(&never[0]);
	return arg;
}

static void *wait_to_go(void *arg)
{
	while (!__atomic_load_n(&go, __ATOMIC_ACQUIRE))
		usleep(1000);
	return arg;
}

static void cancel(const char *what, void *(*run)(void *), int times, int late)
{
	pthread_t thread;

	say("%s", what);
	thread = start(run, NULL);
	if (late)
		settle();
	for (int i = 0; i < times; i++) {
		check(pthread_cancel(thread) == 0);
		if (i + 1 < times)
			usleep(5000);
	}
	__atomic_store_n(&requested, 1, __ATOMIC_RELEASE);
	say("  cancelled: %d", finish(thread) == PTHREAD_CANCELED);
}

static void test_joins(void)
{
	pthread_t thread = start(wait_to_go, (void *)7);
	struct timespec soon = in_ms(CLOCK_REALTIME, 20), late = in_ms(CLOCK_MONOTONIC, 20);
	void *result = NULL;

	show_error(pthread_tryjoin_np(thread, &result));
	show_error(pthread_timedjoin_np(thread, &result, &soon));
	show_error(pthread_clockjoin_np(thread, &result, CLOCK_MONOTONIC, &late));
	show_error(pthread_clockjoin_np(thread, &result, CLOCK_PROCESS_CPUTIME_ID, &late));
	show_error(pthread_join(pthread_self(), NULL));
	__atomic_store_n(&go, 1, __ATOMIC_RELEASE);
	late = in_ms(CLOCK_MONOTONIC, 20000);
	show_error(pthread_clockjoin_np(thread, &result, CLOCK_MONOTONIC, &late));
	say("joined with %ld", (long)result);
	thread = start(wait_to_go, (void *)8);
	check(pthread_detach(thread) == 0);
}

int main(void)
{
	check(pipe(never) == 0);
	cancel("before it has begun", just_born, 1, 0);
	cancel("by itself", cancel_self, 0, 0);
	cancel("again during cleanup", slow_cleanup, 3, 1);
	cancel("in pthread_cond_wait", wait_for_cond, 1, 1);
	cancel("in pthread_once", run_once, 1, 1);
	finish(start(run_once, NULL));
	say("pthread_once ran: %d", once_runs);
	requested = 0;
	cancel("while disabled", disable, 1, 1);
	test_joins();
	return 0;
}
