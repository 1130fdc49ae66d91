/* Asynchronous cancellation reaches a thread that only spins and yields. */
#include "guest.h"

static volatile unsigned long turns;

static void *spin(void *arg)
{
	int old;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
	for (;;) {
		turns++;
		sched_yield();
	}
	return arg;
}

int main(void)
{
	pthread_t thread = start(spin, NULL);

	while (turns < 10)
		sched_yield();
	show_error(pthread_cancel(thread));
	say("cancelled: %d", finish(thread) == PTHREAD_CANCELED);
	return 0;
}
