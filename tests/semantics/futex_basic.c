/* futex(2) asked for directly: wait and wake, by bitset too, counts and order of wake-ups. */
#include "guest.h"

#define WAITERS 10

static uint32_t word, staging, returned;
static int order[WAITERS], woken;

static void *wait_in_line(void *arg)
{
	check(futex(&staging, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0) == 0);
	order[woken++] = (int)(intptr_t)arg;
	__atomic_add_fetch(&returned, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void *wait_for_bits(void *arg)
{
	uint32_t bits = (uint32_t)(uintptr_t)arg;

	check(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, bits) == 0);
	__atomic_add_fetch(&returned, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

/* Wake until someone was there to be woken: the waiters may not have arrived yet. */
static void wake_exactly(uint32_t how_many, uint32_t bits)
{
	while (how_many > 0) {
		long n = futex(&word, FUTEX_WAKE_BITSET_PRIVATE, how_many, NULL, NULL, bits);

		check(n >= 0 && n <= (long)how_many);
		how_many -= (uint32_t)n;
		if (how_many > 0)
			usleep(1000);
	}
}

int main(void)
{
	pthread_t threads[WAITERS];
	int in_order = 1;

	become_threaded();
	show(futex(&word, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0));
	show(futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0));
	show(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 1, NULL, NULL, 1));
	show(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	show(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 1, NULL, NULL, 2));

	for (intptr_t i = 0; i < WAITERS; i++) {
		threads[i] = start(wait_in_line, (void *)i);
		while (futex(&staging, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void *)1, &word, 0) == 0)
			usleep(1000);
	}
	for (uint32_t i = 0; i < WAITERS; i++) {
		wake_exactly(1, FUTEX_BITSET_MATCH_ANY);
		while (__atomic_load_n(&returned, __ATOMIC_SEQ_CST) <= i)
			usleep(1000);
	}
	for (int i = 0; i < WAITERS; i++) {
		finish(threads[i]);
		in_order &= order[i] == i;
	}
	say("one at a time, first come first woken: %d", in_order);

	returned = 0;
	for (intptr_t i = 0; i < WAITERS; i++)
		threads[i] = start(wait_for_bits, (void *)(uintptr_t)(i < 4 ? 0x1 : 0x6));
	wake_exactly(4, 0x1);
	for (int i = 0; i < 4; i++)
		finish(threads[i]);
	say("bit 0 woke %u", __atomic_load_n(&returned, __ATOMIC_SEQ_CST));
	show(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 100, NULL, NULL, 0x8));
	wake_exactly(6, 0x4);
	for (int i = 4; i < WAITERS; i++)
		finish(threads[i]);
	say("bit 2 woke the rest: %u", returned);
	return 0;
}
