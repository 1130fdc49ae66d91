/* futex(2): what bad arguments and timeouts get, and that no wait ends early. */
#include "guest.h"

#include <sys/mman.h>

static uint32_t word;

static void show_timeouts(void)
{
	struct timespec relative = {0, 10000000}, zero = {0, 0}, bad = {0, 1000000000};
	struct timespec negative = {-1, 0}, deadline;
	int64_t begun = now_ns(CLOCK_MONOTONIC);

	show(futex(&word, FUTEX_WAIT_PRIVATE, 0, &relative, NULL, 0));
	say("not early: %d", now_ns(CLOCK_MONOTONIC) - begun >= 10000000);
	show(futex(&word, FUTEX_WAIT_PRIVATE, 0, &zero, NULL, 0));
	show(futex(&word, FUTEX_WAIT_PRIVATE, 0, &bad, NULL, 0));
	show(futex(&word, FUTEX_WAIT_PRIVATE, 0, &negative, NULL, 0));
	show(futex(&word, FUTEX_WAIT_PRIVATE, 0, (void *)8, NULL, 0));
	show(futex(&word, FUTEX_WAIT_PRIVATE, 1, &bad, NULL, 0));

	deadline = in_ms(CLOCK_MONOTONIC, 10);
	show(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, &deadline, NULL, 1));
	say("not early: %d", now_ns(CLOCK_MONOTONIC) >= to_ns(deadline));
	deadline = in_ms(CLOCK_REALTIME, 10);
	show(futex(&word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 0, &deadline, NULL, 1));
	show(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, &zero, NULL, 1));
	show(futex(&word, FUTEX_WAIT_PRIVATE | FUTEX_CLOCK_REALTIME, 0, &relative, NULL, 1));
	show(futex(&word, FUTEX_WAIT, 0, &relative, NULL, 0));
}

static void show_bad_arguments(void)
{
	char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t other = 0;

	check(page != MAP_FAILED);
	show(futex((char *)&word + 1, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0));
	show(futex((char *)&word + 2, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	show(futex(page, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0));
	show(futex(NULL, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0));
	show(futex(page, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	show(futex((void *)0xFFFF800000000000, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0));
	show(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, 0));
	show(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 1, NULL, NULL, 0));
	show(futex(&word, 99, 0, NULL, NULL, 0));
	show(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)1, &other, 7));
	show(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)1, (char *)&other + 1, 0));
	show(futex(&word, FUTEX_REQUEUE_PRIVATE, (uint32_t)-1, (void *)1, &other, 0));
	show(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, page, FUTEX_OP(0, 1, 0, 0)));
}

int main(void)
{
	become_threaded();
	show_timeouts();
	show_bad_arguments();
	return 0;
}
