/* C11's threads.h: thrd, mtx, cnd, tss, call_once. */
#include "guest.h"

#include <threads.h>

#define THREADS 20

static mtx_t lock;
static cnd_t changed;
static tss_t slot;
static once_flag once = ONCE_FLAG_INIT;
static int count, once_calls, destroyed, open_gate;

static const char *word(int result)
{
	return result == thrd_success    ? "success"
	       : result == thrd_busy     ? "busy"
	       : result == thrd_timedout ? "timedout"
	       : result == thrd_nomem    ? "nomem"
					 : "error";
}

static void call_me_once(void)
{
	once_calls++;
}

static void destroy(void *value)
{
	mtx_lock(&lock);
	destroyed += *(int *)value;
	mtx_unlock(&lock);
}

static int work(void *arg)
{
	call_once(&once, call_me_once);
	check(tss_set(slot, arg) == thrd_success);
	thrd_yield();
	check(tss_get(slot) == arg);
	mtx_lock(&lock);
	count++;
	cnd_broadcast(&changed);
	while (!open_gate)
		cnd_wait(&changed, &lock);
	mtx_unlock(&lock);
	if (*(int *)arg % 2)
		thrd_exit(*(int *)arg);
	return *(int *)arg;
}

static int try_lock(void *arg)
{
	struct timespec deadline = in_ms(CLOCK_REALTIME, 10);

	say("mtx_trylock: %s", word(mtx_trylock(arg)));
	say("mtx_timedlock: %s", word(mtx_timedlock(arg, &deadline)));
	return 0;
}

int main(void)
{
	struct timespec deadline, pause = {0, 1000000};
	int numbers[THREADS], result, sum = 0;
	thrd_t threads[THREADS], tryer;
	mtx_t timed;

	check(mtx_init(&lock, mtx_plain) == thrd_success);
	check(mtx_init(&timed, mtx_timed | mtx_recursive) == thrd_success);
	check(cnd_init(&changed) == thrd_success);
	check(tss_create(&slot, destroy) == thrd_success);
	for (int i = 0; i < THREADS; i++) {
		numbers[i] = i;
		check(thrd_create(&threads[i], work, &numbers[i]) == thrd_success);
	}
	mtx_lock(&lock);
	while (count < THREADS)
		cnd_wait(&changed, &lock);
	open_gate = 1;
	cnd_broadcast(&changed);
	mtx_unlock(&lock);
	for (int i = 0; i < THREADS; i++) {
		check(thrd_join(threads[i], &result) == thrd_success);
		sum += result;
	}
	say("joined: %d, once: %d, destroyed: %d", sum, once_calls, destroyed);

	mtx_lock(&timed);
	mtx_lock(&timed);
	check(thrd_create(&tryer, try_lock, &timed) == thrd_success);
	check(thrd_join(tryer, NULL) == thrd_success);
	mtx_unlock(&timed);
	mtx_unlock(&timed);

	deadline = in_ms(CLOCK_REALTIME, 10);
	mtx_lock(&lock);
	say("cnd_timedwait: %s", word(cnd_timedwait(&changed, &lock, &deadline)));
	mtx_unlock(&lock);
	say("thrd_sleep: %d", thrd_sleep(&pause, NULL));
	say("thrd_equal: %d", thrd_equal(thrd_current(), thrd_current()) != 0);
	check(thrd_create(&tryer, work, &numbers[2]) == thrd_success);
	say("thrd_detach: %s", word(thrd_detach(tryer)));
	return 0;
}
