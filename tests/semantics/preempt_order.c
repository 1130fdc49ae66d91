/*
 * Who wakes goes before those who compute, though each of these has its slice: a handful of short
 * waits takes no turn of them all. And those who compute are not kept waiting by others that never
 * sleep, whatever these do: they may wait for what one of them has.
 */
#include "guest.h"

#include <sched.h>
#include <stdatomic.h>

#define COMPUTING 16

/* What they have done between them before somebody has waited 50 times: kernel threads a tenth. */
#define MUCH_S 4

static atomic_bool stop;
static atomic_int slow, passes;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int turn;

static void compute_for(long rounds)
{
	volatile unsigned long x = 1;

	for (long i = 0; i < rounds; i++)
		x = x * 6364136223846793005UL + 1;
}

static atomic_bool halt;
static pthread_mutex_t halting = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t all_halted = PTHREAD_COND_INITIALIZER, go_on = PTHREAD_COND_INITIALIZER;
static int halted;

static void be_halted(void)
{
	check(pthread_mutex_lock(&halting) == 0);
	if (++halted == COMPUTING)
		check(pthread_cond_signal(&all_halted) == 0);
	while (atomic_load(&halt))
		check(pthread_cond_wait(&go_on, &halting) == 0);
	halted--;
	check(pthread_mutex_unlock(&halting) == 0);
}

static void *compute(void *arg)
{
	while (!atomic_load(&stop)) {
		compute_for(1000);
		if (atomic_load(&halt))
			be_halted();
	}
	return arg;
}

static double used_s(void)
{
	struct timespec used;

	check(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0);
	return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static void sleep_a_little(void)
{
	check(usleep(1000) == 0);
}

static void take_turn(int mine)
{
	check(pthread_mutex_lock(&lock) == 0);
	while (turn != mine && turn >= 0)
		check(pthread_cond_wait(&changed, &lock) == 0);
	if (turn >= 0)
		turn = !mine;
	check(pthread_cond_signal(&changed) == 0);
	check(pthread_mutex_unlock(&lock) == 0);
}

static void *answer_turns(void *arg)
{
	while (turn >= 0)
		take_turn(1);
	return arg;
}

static void hand_over(void)
{
	take_turn(0);
}

/* As who collects garbage does: those who compute all wait for it, and are woken at once. */
static void halt_all(void)
{
	check(pthread_mutex_lock(&halting) == 0);
	atomic_store(&halt, true);
	while (halted < COMPUTING)
		check(pthread_cond_wait(&all_halted, &halting) == 0);
	atomic_store(&halt, false);
	check(pthread_cond_broadcast(&go_on) == 0);
	check(pthread_mutex_unlock(&halting) == 0);
	hand_over();
}

static int here[2], there[2];

static void *echo(void *arg)
{
	char byte;

	while (read(here[0], &byte, 1) == 1)
		check(write(there[1], &byte, 1) == 1);
	return arg;
}

static void ask_for_echo(void)
{
	char byte = 'x';

	check(write(here[1], &byte, 1) == 1 && read(there[0], &byte, 1) == 1 && byte == 'x');
}

static void wait_often(const char *what, void (*wait)(void))
{
	double began = used_s();
	int i;

	for (i = 0; i < 50 && used_s() - began < MUCH_S; i++)
		wait();
	say("%s: %s", what, i == 50 ? "50 times before the others have done much" : "too late");
}

static void wait_beside_those_who_compute(void)
{
	pthread_t computing[COMPUTING], partner;

	for (int i = 0; i < COMPUTING; i++)
		computing[i] = start(compute, NULL);
	wait_often("sleeps", sleep_a_little);
	partner = start(answer_turns, NULL);
	wait_often("hand-overs", hand_over);
	wait_often("halts of them all", halt_all);
	check(pthread_mutex_lock(&lock) == 0);
	turn = -1;
	check(pthread_cond_signal(&changed) == 0);
	check(pthread_mutex_unlock(&lock) == 0);
	finish(partner);
	check(pipe(here) == 0 && pipe(there) == 0);
	partner = start(echo, NULL);
	wait_often("echoes", ask_for_echo);
	close(here[1]);
	finish(partner);
	atomic_store(&stop, true);
	for (int i = 0; i < COMPUTING; i++)
		finish(computing[i]);
}

static void *finish_slowly(void *arg)
{
	check(pthread_mutex_lock(&lock) == 0);
	compute_for(20000000); /* many slices: not so many where it is slow to begin with */
	check(pthread_mutex_unlock(&lock) == 0);
	atomic_fetch_sub(&slow, 1);
	return arg;
}

static void *yield_on(void *arg)
{
	while (atomic_load(&slow) > 0)
		sched_yield();
	return arg;
}

static void *poll_on(void *arg)
{
	while (atomic_load(&slow) > 0)
		check(poll(NULL, 0, 0) == 0);
	return arg;
}

static void *try_on(void *arg)
{
	while (atomic_load(&slow) > 0)
		if (pthread_mutex_trylock(&lock) == 0)
			check(pthread_mutex_unlock(&lock) == 0);
		else
			sched_yield();
	return arg;
}

static void *compute_and_sleep(void *arg)
{
	while (atomic_load(&slow) > 0) {
		compute_for(300000);
		sleep_a_little();
		atomic_fetch_add(&passes, 1);
	}
	return arg;
}

/* Each alone, and two of it, which never leave the processor to anybody but each other. */
static void be_waited_for(const char *what, void *(*wait)(void *))
{
	for (int count = 1; count <= 2; count++) {
		pthread_t slowly[2], waiting[2];

		atomic_store(&slow, 2);
		for (int i = 0; i < 2; i++)
			slowly[i] = start(finish_slowly, NULL);
		for (int i = 0; i < count; i++)
			waiting[i] = start(wait, NULL);
		for (int i = 0; i < 2; i++)
			finish(slowly[i]);
		for (int i = 0; i < count; i++)
			finish(waiting[i]);
	}
	say("who computes is let in beside who %s", what);
}

int main(void)
{
	wait_beside_those_who_compute();
	be_waited_for("yields", yield_on);
	be_waited_for("polls", poll_on);
	be_waited_for("tries its lock", try_on);
	be_waited_for("computes and sleeps", compute_and_sleep);
	check(atomic_load(&passes) > 0);
	return 0;
}
