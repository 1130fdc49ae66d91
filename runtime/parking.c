/*
 * See parking.h.
 *
 *   buckets[hash(address)] -> lock, ring of tasks' `parked` links, highest priority first,
 *                             then first come first
 *
 * A waiter leaves its ring in one of two ways: who wakes it takes it out (state WOKEN), or it
 * takes itself out after a timeout or an interruption. Both happen under the bucket's lock. A
 * wake by another kernel thread arrives at the task's carrier a little later (COMING until then):
 * a task that gave up meanwhile waits for it, so that no wake arrives at a task long gone.
 *
 * A wake does not switch. So who frees a lock may take it again, and park with it, before whoever
 * was woken for it has a turn: for ever, if it always does. Kernel threads would run on another
 * processor, or be preferred for having slept. Here a bucket counts those who come back to the word
 * they were just woken from, and when they are many, a wake costs the waker a turn.
 */
#include "parking.h"

#include <errno.h>

#include "scheduler.h"

#define BUCKET_BITS 12
#define BUCKETS (1U << BUCKET_BITS)

/*
 * How often that is. Who consumes what others make comes back to its word as well, so it is not at
 * once: a turn then costs a hand-off less than a tenth.
 */
#define RETURNS_FOR_A_TURN 4

enum parked_state { WAITING, WOKEN, COMING };

struct bucket {
	struct weft__link waiting; /* zero-filled until first used */
	int lock;
	unsigned int returns; /* by who was woken here and waits here again; since the last turn */
};

static struct bucket buckets[BUCKETS];

static struct bucket *bucket_of(uintptr_t address)
{
	/* Fibonacci hashing of the word's number (Knuth, TAOCP 6.4). */
	return &buckets[(uint32_t)(address >> 2) * 2654435769U >> (32 - BUCKET_BITS)];
}

static void lock(struct bucket *bucket)
{
	while (__atomic_exchange_n(&bucket->lock, 1, __ATOMIC_ACQUIRE) != 0)
		__builtin_ia32_pause();
	if (weft__unlikely(bucket->waiting.next == NULL))
		weft__list_init(&bucket->waiting);
}

static void unlock(struct bucket *bucket)
{
	__atomic_store_n(&bucket->lock, 0, __ATOMIC_RELEASE);
}

/* Two buckets are locked in the order of their addresses. */
static void lock_both(struct bucket *a, struct bucket *b)
{
	lock(a < b ? a : b);
	if (a != b)
		lock(a < b ? b : a);
}

static void unlock_both(struct bucket *a, struct bucket *b)
{
	unlock(a);
	if (a != b)
		unlock(b);
}

/* Wait out a wake that another thread has begun. */
static long settle(struct weft_task *me, int result)
{
	struct bucket *bucket;
	uint8_t state;

	for (;;) { /* a requeue may move it between the look and the lock */
		bucket = bucket_of(__atomic_load_n(&me->parked.key, __ATOMIC_ACQUIRE));
		lock(bucket);
		if (bucket == bucket_of(__atomic_load_n(&me->parked.key, __ATOMIC_ACQUIRE)))
			break;
		unlock(bucket);
	}
	state = me->parked.state;
	if (state == WAITING)
		weft__list_remove(&me->parked.link);
	unlock(bucket);
	if (state == WAITING)
		return result;
	if (state == COMING && result != 0)
		weft__park_firmly();
	return 0;
}

static struct weft_task *task_of(struct weft__link *link)
{
	return weft__container(link, struct weft_task, parked.link);
}

/* Behind those of its own priority, as in the kernel's queues. Most have none: that is the end. */
static void line_up(struct bucket *bucket, struct weft_task *task)
{
	struct weft__link *before = &bucket->waiting;

	if (weft__unlikely(task->priority != 0))
		do
			before = before->next;
		while (before != &bucket->waiting && task_of(before)->priority >= task->priority);
	weft__list_append(before, &task->parked.link);
}

long weft__lot_wait(uintptr_t address, uint32_t expected, uint32_t bitset, uint64_t deadline_ns,
		    weft__load_word *load)
{
	struct weft_task *me = weft__current;
	struct bucket *bucket = bucket_of(address);
	uint32_t value;
	long err;
	int result;

	lock(bucket);
	err = load(address, &value);
	if (err != 0 || value != expected) {
		unlock(bucket);
		return err != 0 ? err : -EAGAIN;
	}
	if (me->parked.key == address && me->parked.state == WOKEN)
		bucket->returns++;
	me->parked.key = address;
	me->parked.bitset = bitset;
	me->parked.state = WAITING;
	line_up(bucket, me);
	unlock(bucket);

	result = weft__park(deadline_ns);
	if (result == 0 && me->parked.state == WOKEN)
		return 0;
	return settle(me, result);
}

/* Have the waker give the others a turn (weft__settle()) if it is time. Context: the bucket is locked. */
static void owe_a_turn(struct bucket *bucket)
{
	bucket->returns = 0;
	if (weft__current != NULL)
		weft__current->owes = true;
}

/* Take a waiter out and make it ready. Context: its bucket is locked. */
static void wake_one(struct weft_task *task)
{
	weft__list_remove(&task->parked.link);
	if (weft__likely(task->carrier == weft__carrier_here())) {
		task->parked.state = WOKEN;
		weft__wake(task, 0);
	} else {
		task->parked.state = COMING;
		weft__wake_remote(task);
	}
}

static long wake_some(struct bucket *bucket, uintptr_t address, long most, uint32_t bitset)
{
	struct weft__link *link, *next;
	long woken = 0;

	for (link = bucket->waiting.next; link != &bucket->waiting && woken < most; link = next) {
		struct weft_task *task = task_of(link);

		next = link->next;
		if (task->parked.key != address || (task->parked.bitset & bitset) == 0)
			continue;
		wake_one(task);
		woken++;
	}
	if (weft__unlikely(bucket->returns >= RETURNS_FOR_A_TURN && woken > 0))
		owe_a_turn(bucket);
	return woken;
}

long weft__lot_wake(uintptr_t address, long most, uint32_t bitset)
{
	struct bucket *bucket = bucket_of(address);
	long woken;

	lock(bucket);
	woken = wake_some(bucket, address, most, bitset);
	unlock(bucket);
	return woken;
}

long weft__lot_requeue(uintptr_t address, long wake, uintptr_t to, long move,
		       const uint32_t *expected, weft__load_word *load, long *moved)
{
	struct bucket *from_bucket = bucket_of(address), *to_bucket = bucket_of(to);
	struct weft__link *link, *next;
	uint32_t value;
	long woken;

	lock_both(from_bucket, to_bucket);
	if (expected != NULL) {
		woken = load(address, &value);
		if (woken == 0 && value != *expected)
			woken = -EAGAIN;
		if (woken != 0)
			goto out;
	}
	woken = wake_some(from_bucket, address, wake, UINT32_MAX);
	for (link = from_bucket->waiting.next; link != &from_bucket->waiting && move > 0;
	     link = next) {
		struct weft_task *task = task_of(link);

		next = link->next;
		if (task->parked.key != address)
			continue;
		move--;
		++*moved;
		if (address == to)
			continue;
		weft__list_remove(link);
		__atomic_store_n(&task->parked.key, to, __ATOMIC_RELEASE);
		line_up(to_bucket, task);
	}
out:
	unlock_both(from_bucket, to_bucket);
	return woken;
}

void weft__lot_clear(void)
{
	for (unsigned int i = 0; i < BUCKETS; i++)
		buckets[i] = (struct bucket){.lock = 0};
}
