/*
 * Threads, each with a generator of its own, that sleeps before it gives a value.
 *
 * Coroutines belong to the thread that made them, and need nothing else: no weft_run(), no lock. Where
 * the program is run by weft, the threads are tasks, and a sleep in a generator lets the others run.
 */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
#include <weft.h>

#define THREADS 50

static void *count_slowly(void *first)
{
	for (long i = 0; i < 3; i++) {
		usleep(1000);
		if (weft_gen_yield((void *)((long)first + i), NULL) != 0)
			break;
	}
	return NULL;
}

/* It leaves off in the middle: the generator has -ECANCELED from its weft_gen_yield(). */
static void *sum_two(void *first)
{
	void *a = NULL, *b = NULL;
	weft_gen *gen;

	if (weft_gen_new(&gen, count_slowly, first, 0) != 0)
		return NULL;
	weft_gen_next(gen, &a);
	weft_gen_next(gen, &b);
	weft_gen_free(gen);
	return (void *)((long)a + (long)b);
}

int main(void)
{
	pthread_t threads[THREADS];
	long sum = 0;
	weft_gen *gen;
	void *value;

	/* One that is there before any thread is. */
	if (weft_gen_new(&gen, count_slowly, (void *)1, 0) != 0 || weft_gen_next(gen, &value) != 1)
		return 1;
	printf("main: %ld\n", (long)value);
	for (long i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, sum_two, (void *)(10 * i)) != 0)
			return 1;
	while (weft_gen_next(gen, &value) == 1)
		printf("main: %ld\n", (long)value);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &value);
		sum += (long)value;
	}
	printf("%d threads: %ld\n", THREADS, sum);
	return weft_gen_free(gen) != 0;
}
