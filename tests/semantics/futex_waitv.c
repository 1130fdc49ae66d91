/*
 * futex_waitv(2) waits for several words at once, and futex_wait, futex_wake and futex_requeue
 * (Linux 6.7) meet the waits and wakes of futex(2).
 */
#include "guest.h"

#include <sys/mman.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#define NR_FUTEX_WAKE 454
#define NR_FUTEX_WAIT 455
#define NR_FUTEX_REQUEUE 456

#define WORDS 8
#define ROUNDS 200
#define PRIVATE_32 (FUTEX_32 | FUTEX_PRIVATE_FLAG)

static uint32_t words[WORDS], *shared, returned;
static uint64_t seen;
static volatile int handled, is_interrupted;

static long waitv(struct futex_waitv *vector, unsigned int n, const struct timespec *time)
{
	return syscall(SYS_futex_waitv, vector, n, 0, time, CLOCK_MONOTONIC);
}

static void set_and_wake(uint32_t *word, int op)
{
	__atomic_store_n(word, 1, __ATOMIC_SEQ_CST);
	check(futex(word, op, 1, NULL, NULL, 0) >= 0);
}

/* Wait until each word in turn, whichever comes first, has become 1; set it back. */
static void *take_each(void *arg)
{
	struct futex_waitv vector[WORDS + 1];

	for (int i = 0; i < WORDS; i++)
		vector[i] =
			(struct futex_waitv){.uaddr = (uintptr_t)&words[i], .flags = PRIVATE_32};
	vector[WORDS] = (struct futex_waitv){.uaddr = (uintptr_t)shared, .flags = FUTEX_32};
	for (int taken = 0; taken < ROUNDS;) {
		long at = waitv(vector, WORDS + 1, NULL);

		check((at >= 0 && at <= WORDS) || (at == -1 && errno == EAGAIN));
		for (int i = 0; i <= WORDS; i++) {
			uint32_t *word = (uint32_t *)(uintptr_t)vector[i].uaddr;

			if (__atomic_exchange_n(word, 0, __ATOMIC_SEQ_CST) == 1) {
				seen |= 1ULL << i;
				taken++;
				__atomic_add_fetch(&returned, 1, __ATOMIC_SEQ_CST);
			}
		}
	}
	return arg;
}

static void wait_for_any(void)
{
	pthread_t thread = start(take_each, NULL);

	for (uint32_t i = 0; i < ROUNDS; i++) {
		if (i % (WORDS + 1) < WORDS)
			set_and_wake(&words[i % (WORDS + 1)], FUTEX_WAKE_PRIVATE);
		else
			set_and_wake(shared, FUTEX_WAKE);
		while (__atomic_load_n(&returned, __ATOMIC_SEQ_CST) <= i)
			sched_yield();
	}
	finish(thread);
	say("taken: %u, of each: %#lx", returned, (unsigned long)seen);
}

static void handle(int signal)
{
	handled = signal;
}

static void *wait_in_vain(void *arg)
{
	struct futex_waitv one = {.uaddr = (uintptr_t)words, .flags = PRIVATE_32};
	struct timespec deadline = in_ms(CLOCK_MONOTONIC, 20);

	words[0] = 0;
	show(waitv(&one, 1, &deadline));
	say("not early: %d", now_ns(CLOCK_MONOTONIC) >= to_ns(deadline));
	one.val = 1;
	show(waitv(&one, 1, NULL));
	return arg;
}

static void *wait_until_interrupted(void *arg)
{
	struct futex_waitv one = {.uaddr = (uintptr_t)words, .flags = PRIVATE_32};

	show(waitv(&one, 1, NULL));
	is_interrupted = 1;
	return arg;
}

static void interrupt(void)
{
	struct sigaction action = {.sa_handler = handle};
	pthread_t thread;

	sigaction(SIGUSR1, &action, NULL);
	thread = start(wait_until_interrupted, NULL);
	interrupt_until(&is_interrupted, thread, SIGUSR1);
	finish(thread);
	check(handled == SIGUSR1);
	show(futex(words, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
}

static void *wait_anew(void *word)
{
	check(syscall(NR_FUTEX_WAIT, word, 0UL, 3UL, PRIVATE_32, NULL, 0) == 0);
	return NULL;
}

static void *wait_as_ever(void *word)
{
	check(futex(word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0) == 0);
	return NULL;
}

static long wake_anew(uint32_t *word, unsigned long mask, int most)
{
	return syscall(NR_FUTEX_WAKE, word, mask, most, PRIVATE_32);
}

/* Calls of the one kind end waits of the other. */
static void mix(void)
{
	struct futex_waitv two[2] = {{.uaddr = (uintptr_t)&words[0], .flags = PRIVATE_32},
				     {.uaddr = (uintptr_t)&words[1], .flags = PRIVATE_32}};
	pthread_t threads[3];

	if (wake_anew(words, 1, 1) == -1) {
		say("no futex_wake here");
		return;
	}
	words[0] = words[1] = 0;
	threads[0] = start(wait_anew, &words[0]);
	while (futex(&words[0], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 0)
		usleep(1000);
	finish(threads[0]);
	threads[0] = start(wait_as_ever, &words[0]);
	while (wake_anew(&words[0], 1, 1) == 0)
		usleep(1000);
	finish(threads[0]);
	for (int i = 0; i < 3; i++) {
		threads[i] = start(i % 2 ? wait_anew : wait_as_ever, &words[0]);
		while (syscall(NR_FUTEX_REQUEUE, two, 0, 0, 1) == 0)
			usleep(1000);
	}
	show(wake_anew(&words[0], 1, 3));
	show(wake_anew(&words[1], 1, 0));
	show(wake_anew(&words[1], 3, 3));
	for (int i = 0; i < 3; i++)
		finish(threads[i]);
}

int main(void)
{
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(shared != MAP_FAILED);
	become_threaded();
	mix();
	finish(start(wait_in_vain, NULL));
	wait_for_any();
	interrupt();
	mix();
	return 0;
}
