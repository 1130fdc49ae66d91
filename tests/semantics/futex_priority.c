/* Waiters of a futex stand by real-time priority, and those of one priority in their order. */
#include "guest.h"

#include <sched.h>

static uint32_t word, other;
static int order;

struct waiter {
	int priority, turn;
	pthread_t thread;
};

static void *wait_here(void *arg)
{
	struct waiter *waiter = arg;
	struct sched_param param = {waiter->priority};

	if (waiter->priority != 0)
		check(sched_setscheduler(0, SCHED_FIFO, &param) == 0);
	check(futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0) == 0);
	waiter->turn = __atomic_add_fetch(&order, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

/* Who is moved to where it was is counted, and stays in its place. */
static long count_waiters(void)
{
	long count = futex(&word, FUTEX_REQUEUE_PRIVATE, 0, (void *)1000, &word, 0);

	check(count >= 0);
	return count;
}

static void start_all(struct waiter *waiters, int n)
{
	for (int i = 0; i < n; i++) {
		waiters[i].thread = start(wait_here, &waiters[i]);
		while (count_waiters() <= i)
			usleep(1000);
	}
}

static void wake_all(struct waiter *waiters, int n, uint32_t *address)
{
	for (int i = 0; i < n; i++) {
		check(futex(address, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 1);
		while (__atomic_load_n(&order, __ATOMIC_SEQ_CST) != i + 1)
			usleep(1000);
	}
	for (int i = 0; i < n; i++) {
		finish(waiters[i].thread);
		say("waiter %d of priority %d: woken as number %d", i, waiters[i].priority,
		    waiters[i].turn);
	}
	order = 0;
}

int main(void)
{
	struct waiter first[] = {{.priority = 0}, {.priority = 5}, {.priority = 0},
				 {.priority = 9}, {.priority = 5}, {.priority = 1}};
	struct waiter again[] = {{.priority = 0}, {.priority = 3}, {.priority = 7}};
	struct sched_param param = {1};
	int before = sched_getscheduler(0);

	become_threaded();
	if (sched_setscheduler(0, SCHED_FIFO, &param) != 0) {
		say("no right to real-time priorities");
		return 0;
	}
	param.sched_priority = 0;
	check(sched_setscheduler(0, before, &param) == 0);
	start_all(first, 6);
	wake_all(first, 6, &word);
	start_all(again, 3);
	show(futex(&word, FUTEX_REQUEUE_PRIVATE, 0, (void *)3, &other, 0));
	wake_all(again, 3, &other);
	return 0;
}
