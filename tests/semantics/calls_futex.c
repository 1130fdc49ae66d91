/* Calls that wait for words in memory: alone, shared, several at once, by the old and young calls. */
#include "ticks.h"
#include "waits.h"

#include <sched.h>

#define PRIVATE_32 (FUTEX_32 | FUTEX_PRIVATE_FLAG)
#define ALL_BITS 0xFFFFFFFFL

static struct futex_waitv both[2] = {{0, (uintptr_t)&word, PRIVATE_32, 0},
				     {0, (uintptr_t)&queue, PRIVATE_32, 0}},
			  odd = {0, (uintptr_t)&word, 99, 0};
static struct timespec wrong = {0, -1}, moment = {0, 5000000};

static const struct fixture private_word = {make_word, wake_word, do_nothing},
			    shared_word = {make_word, wake_word, do_nothing},
			    timed_word = {make_word, wake_word, do_nothing},
			    bits_of_word = {make_word, wake_word, do_nothing};

TICKS(futex, private_word, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0)
TICKS(futex, shared_word, &word, FUTEX_WAIT, 0, NULL, NULL, 0)
TICKS(futex, bits_of_word, &word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, 1)
TICKS_ONCE(futex, timed_word, &word, FUTEX_WAIT_PRIVATE, 0, &far, NULL, 0)
TICKS(futex_wait, private_word, &word, 0L, ALL_BITS, PRIVATE_32, NULL, CLOCK_MONOTONIC)
TICKS(futex_wait, shared_word, &word, 0L, ALL_BITS, FUTEX_32, NULL, CLOCK_MONOTONIC)
TICKS(futex_waitv, private_word, both, 2, 0, NULL, CLOCK_MONOTONIC)

ON(private_word, futex, of_another_value, ask(&word, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0))
ON(private_word, futex, too_late, ask(&word, FUTEX_WAIT_PRIVATE, 0, &moment, NULL, 0))
ON(private_word, futex, wrong_time, ask(&word, FUTEX_WAIT_PRIVATE, 0, &wrong, NULL, 0))
ON(private_word, futex, no_bits, ask(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, 0))
ON(private_word, futex, no_operation, ask(&word, 99, 0, NULL, NULL, 0))
ANSWERS(futex, nowhere, ask(NULL, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0))
ANSWERS(futex, astray, ask((char *)&word + 1, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0))
ON(private_word, futex, wakes_nobody, ask(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0))
ON(private_word, futex_wait, of_another_value,
   ask(&word, 1L, ALL_BITS, PRIVATE_32, NULL, CLOCK_MONOTONIC))
ON(private_word, futex_wait, no_bits, ask(&word, 0L, 0L, PRIVATE_32, NULL, CLOCK_MONOTONIC))
ON(private_word, futex_wait, bad_flags, ask(&word, 0L, ALL_BITS, 99, NULL, CLOCK_MONOTONIC))
ANSWERS(futex_wait, nowhere, ask(NULL, 0L, ALL_BITS, PRIVATE_32, NULL, CLOCK_MONOTONIC))
ON(private_word, futex_wake, nobody, ask(&word, ALL_BITS, 1, PRIVATE_32))
ON(private_word, futex_wake, no_bits, ask(&word, 0L, 1, PRIVATE_32))
ON(private_word, futex_wake, bad_flags, ask(&word, ALL_BITS, 1, 99))
ANSWERS(futex_wake, nowhere, ask(NULL, ALL_BITS, 1, PRIVATE_32))
ON(private_word, futex_requeue, nobody, ask(both, 0, 1, 1))
ON(private_word, futex_requeue, bad_flags, ask(both, 99, 1, 1))
ANSWERS(futex_requeue, nowhere, ask(NULL, 0, 1, 1))
ON(private_word, futex_waitv, none, ask(both, 0, 0, NULL, CLOCK_MONOTONIC))
ON(private_word, futex_waitv, too_many, ask(both, 129, 0, NULL, CLOCK_MONOTONIC))
ON(private_word, futex_waitv, odd, ask(&odd, 1, 0, NULL, CLOCK_MONOTONIC))
ON(private_word, futex_waitv, bad_flags, ask(both, 2, 99, NULL, CLOCK_MONOTONIC))
ON(private_word, futex_waitv, wrong_time, ask(both, 2, 0, &wrong, CLOCK_MONOTONIC))
ANSWERS(futex_waitv, nowhere, ask(NULL, 1, 0, NULL, CLOCK_MONOTONIC))
ANSWERS(sched_yield, always, ask())

int main(int argc, char *argv[])
{
	(void)argc;
	return run_trials(argv);
}
