/*
 * Threads that wait by looking at memory get on, however the loop is written: this is built without
 * optimisation. With an argument, that many turns are taken in each way.
 */
#include "guest.h"

#include <sched.h>
#include <stdatomic.h>

#define THREADS 4

static int turns = 40;
static volatile int plain_turn;
static atomic_int turn;

static void look_plainly(int mine)
{
	while (plain_turn != mine)
		;
	plain_turn = mine + 1;
}

static void look(int mine)
{
	while (atomic_load(&turn) != mine)
		;
	atomic_store(&turn, mine + 1);
}

static void pause_and_look(int mine)
{
	atomic_int *word = &turn;

	while (atomic_load_explicit(word, memory_order_acquire) != mine)
		__builtin_ia32_pause();
	atomic_store_explicit(word, mine + 1, memory_order_release);
}

static __attribute__((noinline)) bool is_turn(const atomic_int *word, int mine)
{
	return atomic_load(word) == mine;
}

static void ask(int mine)
{
	while (!is_turn(&turn, mine))
		;
	atomic_store(&turn, mine + 1);
}

static void yield(int mine)
{
	while (atomic_load(&turn) != mine)
		sched_yield();
	atomic_store(&turn, mine + 1);
}

static void swap(int mine)
{
	int expected = mine;

	while (!atomic_compare_exchange_weak(&turn, &expected, -1))
		expected = mine;
	atomic_store(&turn, mine + 1);
}

static void (*wait_for)(int mine);

/* One after the other, in a circle. */
static void *take_turns(void *arg)
{
	for (int i = *(int *)arg; i < turns; i += THREADS)
		wait_for(i);
	return NULL;
}

/* --- locks; each thread takes one so often --- */
static pthread_spinlock_t library_lock;
static atomic_flag flag = ATOMIC_FLAG_INIT;
static atomic_int next_ticket, served;
static void (*take)(void);
static void (*give)(void);
static int taken; /* guarded by the lock in use */

static void take_library_lock(void)
{
	check(pthread_spin_lock(&library_lock) == 0);
}

static void give_library_lock(void)
{
	check(pthread_spin_unlock(&library_lock) == 0);
}

static void take_flag(void)
{
	while (atomic_flag_test_and_set(&flag))
		;
}

static void give_flag(void)
{
	atomic_flag_clear(&flag);
}

static void take_ticket(void)
{
	int mine = atomic_fetch_add(&next_ticket, 1);

	while (atomic_load(&served) != mine)
		__builtin_ia32_pause();
}

static void give_ticket(void)
{
	atomic_fetch_add(&served, 1);
}

/* Who has it yields, so that the others find it taken. */
static void *take_often(void *arg)
{
	for (int i = 0; i < turns / THREADS; i++) {
		take();
		taken++;
		sched_yield();
		give();
	}
	return arg;
}

static void run(void *(*function)(void *))
{
	static int number[THREADS];
	pthread_t thread[THREADS];

	for (int i = 0; i < THREADS; i++) {
		number[i] = i;
		thread[i] = start(function, &number[i]);
	}
	for (int i = 0; i < THREADS; i++)
		finish(thread[i]);
}

static void run_turns(const char *what, void (*wait)(int mine))
{
	atomic_store(&turn, 0);
	plain_turn = 0;
	wait_for = wait;
	run(take_turns);
	say("%s: %d turns were taken", what, atomic_load(&turn) + plain_turn);
}

static void run_lock(const char *what, void (*take_it)(void), void (*give_it)(void))
{
	taken = 0;
	take = take_it;
	give = give_it;
	run(take_often);
	say("%s: taken %d times", what, taken);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		turns = atoi(argv[1]);
	check(pthread_spin_init(&library_lock, PTHREAD_PROCESS_PRIVATE) == 0);
	run_turns("a volatile", look_plainly);
	run_turns("an atomic", look);
	run_turns("an atomic, with pauses", pause_and_look);
	run_turns("through a function", ask);
	run_turns("with sched_yield", yield);
	run_turns("by compare and exchange", swap);
	run_lock("pthread_spin_lock", take_library_lock, give_library_lock);
	run_lock("a flag", take_flag, give_flag);
	run_lock("tickets", take_ticket, give_ticket);
	return 0;
}
