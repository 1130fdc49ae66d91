/*
 * See parking.h.
 *
 *   bucket of the address -> lock, ring of tasks' `parked` links, highest priority first,
 *                             then first come first
 *
 * A waiter leaves its ring in one of two ways: who wakes it takes it out (state WOKEN), or it
 * takes itself out after a timeout or an interruption. Both happen under the bucket's lock. A
 * wake by another kernel thread arrives at the task's carrier a little later (COMING until then):
 * a task that gave up meanwhile waits for it, so that no wake arrives at a task long gone.
 *
 * Where waiters of many addresses meet in a bucket, there are to be more buckets: the next one in turn
 * gives what belongs there to a new one at the end (linear hashing; Litwin, VLDB 1980), so that no
 * wait takes long because a table is made anew. There are never fewer again.
 *
 *   buckets in use: 0 1 2 .. level-1 | level .. used-1      hash % 2 level if that is in use,
 *                     ^ used-level is the next to be split   else hash % level
 *
 * `used` changes under the locks of both, so who holds the lock of a bucket and finds it unchanged has
 * the right one.
 *
 * A wake does not switch. So who frees a lock may take it again, and park with it, before whoever
 * was woken for it has a turn: for ever, if it always does. Kernel threads would run on another
 * processor, or be preferred for having slept. Here a bucket counts those who come back to the word
 * they were just woken from, and when they are many, a wake costs the waker a turn.
 */
#include "parking.h"

#include <errno.h>
#include <sys/mman.h>

#include "scheduler.h"

#define FIRST_BUCKETS 4096U
#define MOST_BUCKETS (1U << 20)

/* How many waiters of other addresses one may find before it: then there should be more buckets. */
#define CROWD 4

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

static struct bucket first[FIRST_BUCKETS];
static struct bucket *rest; /* from FIRST_BUCKETS on; NULL until there are more */
static unsigned int used = FIRST_BUCKETS;
static int growing;

static struct bucket *bucket_at(uint32_t index)
{
	return weft__likely(index < FIRST_BUCKETS) ? &first[index] : &rest[index - FIRST_BUCKETS];
}

/* The highest power of two that is not more than so many. */
static uint32_t level_of(unsigned int buckets)
{
	return 1U << (31 - __builtin_clz(buckets));
}

static uint32_t index_of(uintptr_t address, unsigned int buckets)
{
	/* Fibonacci hashing of the word's number (Knuth, TAOCP 6.4), the best bits last. */
	uint64_t product = (uint64_t)(address >> 2) * 0x9E3779B97F4A7C15U;
	uint32_t hash = __builtin_bswap32((uint32_t)(product >> 32)), level = level_of(buckets);
	uint32_t index = hash & (2 * level - 1);

	return index < buckets ? index : index & (level - 1);
}

static struct bucket *bucket_of(uintptr_t address)
{
	return bucket_at(index_of(address, __atomic_load_n(&used, __ATOMIC_ACQUIRE)));
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

/* Lock the bucket of an address. */
static struct bucket *lock_address(uintptr_t address)
{
	struct bucket *bucket;

	for (;;) {
		bucket = bucket_of(address);
		lock(bucket);
		if (weft__likely(bucket == bucket_of(address)))
			return bucket;
		unlock(bucket);
	}
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

static void lock_addresses(uintptr_t first_address, uintptr_t second_address,
			   struct bucket **ret_first, struct bucket **ret_second)
{
	for (;;) {
		*ret_first = bucket_of(first_address);
		*ret_second = bucket_of(second_address);
		lock_both(*ret_first, *ret_second);
		if (weft__likely(*ret_first == bucket_of(first_address) &&
				 *ret_second == bucket_of(second_address)))
			return;
		unlock_both(*ret_first, *ret_second);
	}
}

/* Wait out a wake that another thread has begun. */
static long settle(struct weft_task *me, int result)
{
	struct bucket *bucket;
	uint8_t state;

	for (;;) { /* a requeue or a split may move it between the look and the lock */
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

/* Whether the last in a bucket wait for something else. Context: it is locked. */
static bool is_crowded(const struct bucket *bucket, uintptr_t address)
{
	const struct weft__link *link = bucket->waiting.prev;

	for (int i = 0; i < CROWD; i++, link = link->prev)
		if (link == &bucket->waiting ||
		    task_of((struct weft__link *)link)->parked.key == address)
			return false;
	return true;
}

/* Context: both are locked. */
static void split(struct bucket *from, struct bucket *to)
{
	struct weft__link *link, *next;

	for (link = from->waiting.next; link != &from->waiting; link = next) {
		next = link->next;
		if (bucket_at(index_of(task_of(link)->parked.key, used + 1)) != to)
			continue;
		weft__list_remove(link);
		weft__list_append(&to->waiting, link);
	}
}

static bool map_rest(void)
{
	long memory;

	if (rest != NULL)
		return true;
	memory = weft__raw(SYS_mmap, NULL, (MOST_BUCKETS - FIRST_BUCKETS) * sizeof(*rest),
			   PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			   0);
	if (!weft__failed(memory))
		rest = (struct bucket *)memory;
	return rest != NULL;
}

/* Have one bucket more, if there can be one. No bucket is locked. */
static void grow(void)
{
	struct bucket *from, *to;

	if (__atomic_exchange_n(&growing, 1, __ATOMIC_ACQUIRE) != 0)
		return;
	if (used < MOST_BUCKETS && map_rest()) {
		from = bucket_at(used - level_of(used));
		to = bucket_at(used);
		lock_both(from, to);
		split(from, to);
		__atomic_store_n(&used, used + 1, __ATOMIC_RELEASE);
		unlock_both(from, to);
	}
	__atomic_store_n(&growing, 0, __ATOMIC_RELEASE);
}

/* The same once there has been an occasion for more buckets. */
static struct bucket *lock_to_wait(uintptr_t address)
{
	struct bucket *bucket = lock_address(address);

	if (weft__likely(!is_crowded(bucket, address)))
		return bucket;
	unlock(bucket);
	for (int i = 0; i < CROWD; i++)
		grow();
	return lock_address(address);
}

long weft__lot_wait(uintptr_t address, uint32_t expected, uint32_t bitset, uint64_t deadline_ns,
		    weft__load_word *load)
{
	struct weft_task *me = weft__current;
	struct bucket *bucket = lock_to_wait(address);
	uint32_t value;
	long err;
	int result;

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
	struct bucket *bucket = lock_address(address);
	long woken;

	woken = wake_some(bucket, address, most, bitset);
	unlock(bucket);
	return woken;
}

long weft__lot_requeue(uintptr_t address, long wake, uintptr_t to, long move,
		       const uint32_t *expected, weft__load_word *load, long *moved)
{
	struct bucket *from_bucket, *to_bucket;
	struct weft__link *link, *next;
	uint32_t value;
	long woken;

	lock_addresses(address, to, &from_bucket, &to_bucket);
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
	for (unsigned int i = 0; i < FIRST_BUCKETS; i++)
		first[i] = (struct bucket){.lock = 0};
	if (rest != NULL)
		weft__raw(SYS_munmap, rest, (MOST_BUCKETS - FIRST_BUCKETS) * sizeof(*rest));
	rest = NULL;
	used = FIRST_BUCKETS;
	growing = 0;
}
