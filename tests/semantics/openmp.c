/* Loops, locks and barriers of OpenMP, whose library waits by futex calls of its own. */
#include "guest.h"

#include <omp.h>

#define THREADS 8
#define ROUNDS 200

static long add_in_parallel(omp_lock_t *lock)
{
	long turns = 0, sum = 0;

#pragma omp parallel num_threads(THREADS) reduction(+ : sum)
	{
		sum += omp_get_thread_num();
		omp_set_lock(lock);
		turns++;
		omp_unset_lock(lock);
#pragma omp barrier
		/* All have had their turn. */
		sum += turns;
#pragma omp critical
		sched_yield();
	}
	return sum;
}

int main(void)
{
	long sum = 0, expected = ROUNDS * (THREADS * (THREADS - 1) / 2 + THREADS * THREADS);
	omp_lock_t lock;

	omp_set_dynamic(0);
	omp_init_lock(&lock);
	for (int i = 0; i < ROUNDS; i++)
		sum += add_in_parallel(&lock);
	omp_destroy_lock(&lock);
	say("sum as expected: %s", sum == expected ? "yes" : "no");
	return 0;
}
