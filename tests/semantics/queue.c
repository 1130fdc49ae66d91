/* Producers and consumers on a bounded queue: every item taken once, each producer's in order. */
#include "guest.h"

#define PRODUCERS 10
#define CONSUMERS 10
#define ITEMS 1000
#define PLACES 16

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t not_empty = PTHREAD_COND_INITIALIZER;
static pthread_cond_t not_full = PTHREAD_COND_INITIALIZER;
static int queue[PLACES], count, head, out_of_order;
static unsigned char taken[PRODUCERS][ITEMS];

static void put(int item)
{
	pthread_mutex_lock(&lock);
	while (count == PLACES)
		pthread_cond_wait(&not_full, &lock);
	queue[(head + count++) % PLACES] = item;
	pthread_cond_signal(&not_empty);
	pthread_mutex_unlock(&lock);
}

static int take(int last[PRODUCERS])
{
	int item;

	pthread_mutex_lock(&lock);
	while (count == 0)
		pthread_cond_wait(&not_empty, &lock);
	item = queue[head];
	head = (head + 1) % PLACES;
	count--;
	if (item >= 0) {
		taken[item / ITEMS][item % ITEMS]++;
		out_of_order += item % ITEMS <= last[item / ITEMS];
		last[item / ITEMS] = item % ITEMS;
	}
	pthread_cond_signal(&not_full);
	pthread_mutex_unlock(&lock);
	return item;
}

static void *produce(void *arg)
{
	for (int i = 0; i < ITEMS; i++) {
		put((int)(intptr_t)arg * ITEMS + i);
		if (i % 100 == 0)
			usleep(100);
	}
	return NULL;
}

static void *consume(void *arg)
{
	int last[PRODUCERS];

	for (int i = 0; i < PRODUCERS; i++)
		last[i] = -1;
	while (take(last) >= 0)
		sched_yield();
	return arg;
}

int main(void)
{
	pthread_t producers[PRODUCERS], consumers[CONSUMERS];
	int once = 0;

	for (int i = 0; i < CONSUMERS; i++)
		consumers[i] = start(consume, NULL);
	for (intptr_t i = 0; i < PRODUCERS; i++)
		producers[i] = start(produce, (void *)i);
	for (int i = 0; i < PRODUCERS; i++)
		finish(producers[i]);
	for (int i = 0; i < CONSUMERS; i++)
		put(-1);
	for (int i = 0; i < CONSUMERS; i++)
		finish(consumers[i]);
	for (int i = 0; i < PRODUCERS; i++)
		for (int j = 0; j < ITEMS; j++)
			once += taken[i][j] == 1;
	say("items taken exactly once: %d, out of order: %d", once, out_of_order);
	return 0;
}
