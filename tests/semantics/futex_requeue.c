/* futex(2): requeue and cmp_requeue move waiters, wake_op changes a word and wakes on two. */
#include "guest.h"

#define WAITERS 10

static uint32_t from, to, returned;

static void *wait_on(void *addr)
{
	check(futex(addr, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0) == 0);
	__atomic_add_fetch(&returned, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

/* Start a thread that waits on addr, and return when it is parked there. */
static pthread_t start_parked(uint32_t *addr)
{
	static uint32_t staging;
	pthread_t thread = start(wait_on, &staging);

	while (futex(&staging, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void *)1, addr, 0) == 0)
		usleep(1000);
	return thread;
}

/* Move waiters from one word to the other until all have been moved or woken. */
static void move(int op, long wake, long all)
{
	long affected = 0;

	while (affected < all) {
		long n = futex(&from, op, (uint32_t)wake, (void *)all, &to, 0);

		check(n >= 0);
		affected += n;
		if (n > 0)
			wake = 0;
		usleep(1000);
	}
	say("woken or moved: %ld", affected);
}

static void wake_all(uint32_t *addr, uint32_t how_many)
{
	say("woken on the second word: %ld",
	    futex(addr, FUTEX_WAKE_PRIVATE, how_many, NULL, NULL, 0));
}

static void requeue(int op)
{
	pthread_t threads[WAITERS];

	returned = 0;
	for (int i = 0; i < WAITERS; i++)
		threads[i] = start(wait_on, &from);
	move(op, 1, WAITERS);
	while (__atomic_load_n(&returned, __ATOMIC_SEQ_CST) < 1)
		usleep(1000);
	settle();
	say("returned so far: %u", __atomic_load_n(&returned, __ATOMIC_SEQ_CST));
	show(futex(&from, FUTEX_WAKE_PRIVATE, 100, NULL, NULL, 0));
	wake_all(&to, WAITERS);
	for (int i = 0; i < WAITERS; i++)
		finish(threads[i]);
	say("all returned: %u", returned);
}

static void wake_by_op(void)
{
	pthread_t one, other;

	one = start_parked(&from);
	other = start_parked(&to);
	/* to += 5, and because it was 0, wake there as well */
	show(futex(&from, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &to,
		   FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_EQ, 0)));
	finish(one);
	finish(other);
	say("word: %u", to);
	show(futex(&from, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &to,
		   FUTEX_OP(FUTEX_OP_XOR, 3, FUTEX_OP_CMP_GT, 100)));
	say("word: %u", to);
	show(futex(&from, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &to,
		   FUTEX_OP((FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT), 4, FUTEX_OP_CMP_LT, 100)));
	say("word: %u", to);
	show(futex(&from, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &to,
		   FUTEX_OP(FUTEX_OP_ANDN, 6, FUTEX_OP_CMP_NE, 1)));
	say("word: %u", to);
	show(futex(&from, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &to,
		   FUTEX_OP(FUTEX_OP_SET, -1, FUTEX_OP_CMP_LE, 1)));
	say("word: %d", (int)to);
}

int main(void)
{
	requeue(FUTEX_CMP_REQUEUE_PRIVATE);
	requeue(FUTEX_REQUEUE_PRIVATE);
	wake_by_op();
	return 0;
}
