/*
 * See parking.h.
 *
 *   bucket of the address -> lock
 *                          -> the first waiter for a word --next_word--> that for another
 *                               | link: ring of tasks' `parked`, highest priority first, then first
 *                               | come first
 *
 * So who waits or wakes passes the words that share a bucket, not the many who may wait for one.
 *
 * A waiter leaves its ring in one of two ways: who wakes it takes it out (state WOKEN), or it
 * takes itself out after a timeout or an interruption. Both happen under the bucket's lock. A
 * wake by another kernel thread arrives at the task's carrier a little later (COMING until then):
 * a task that gave up meanwhile waits for it, so that no wake arrives at a task long gone.
 *
 * Where waiters of many addresses meet in a bucket, there are to be more buckets: the next one in turn
 * gives what belongs there to a new one at the end (linear_hash.h), so that no wait takes long because
 * a table is made anew. There are never fewer again.
 *
 * `used` changes under the locks of both, so who holds the lock of a bucket and finds it unchanged has
 * the right one.
 *
 * A wake does not switch. So who frees a lock may take it again, and park with it, before whoever
 * was woken for it has a turn: for ever, if it always does. Kernel threads would run on another
 * processor, or be preferred for having slept. Here a bucket counts those who come back to the word
 * they were just woken from, and when they are many, a wake costs the waker a turn.
 *
 * Of those who wait for a lock each wakes the next one after its own turn, and who finds the lock
 * free wakes nobody. So in the order of the run queue the last of a thousand would wait for a
 * thousand rounds of that. Who is woken alone, with others behind it, after a long wait is an heir
 * (scheduler.h). That a word is a lock shows by its value, which is 2 when others wait (Drepper,
 * Futexes Are Tricky, 2011), in glibc and elsewhere. Of those who wait for work nobody needs the next
 * one's turn.
 */
#include "parking.h"

#include <errno.h>
#include <sys/mman.h>

#include "linear_hash.h"
#include "scheduler.h"

#define FIRST_BUCKETS 4096U
#define MOST_BUCKETS (1U << 20)

/* How many other words a waiter may find in its bucket: then there should be more. */
#define CROWD 4

/*
 * How often that is. Who consumes what others make comes back to its word as well, so it is not at
 * once: a turn then costs a hand-off less than a tenth.
 */
#define RETURNS_FOR_A_TURN 4

#define LOCKED_AND_WAITED_FOR 2

/* In switches, some 0.3 s. Where waits are short, who comes first finds more in the caches. */
#define LONG_WAIT 16384U

enum parked_state { WAITING, WOKEN, COMING };

struct bucket {
	struct weft__parked *words;
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

static uint32_t index_of(uintptr_t address, unsigned int buckets)
{
	/* Fibonacci hashing of the word's number (Knuth, TAOCP 6.4), the best bits last. */
	uint64_t product = (uint64_t)(address >> 2) * 0x9E3779B97F4A7C15U;

	return weft__place_of(__builtin_bswap32((uint32_t)(product >> 32)), buckets);
}

static struct bucket *bucket_of(uintptr_t address)
{
	return bucket_at(index_of(address, __atomic_load_n(&used, __ATOMIC_ACQUIRE)));
}

static void lock(struct bucket *bucket)
{
	while (__atomic_exchange_n(&bucket->lock, 1, __ATOMIC_ACQUIRE) != 0)
		__builtin_ia32_pause();
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

static struct weft__task *task_of(struct weft__link *link)
{
	return weft__container(link, struct weft__task, parked.link);
}

/* Where a bucket names the first waiter for a word; NULL is named for none. */
static struct weft__parked **place_of(struct bucket *bucket, uintptr_t address)
{
	struct weft__parked **place = &bucket->words;

	while (*place != NULL && (*place)->key != address)
		place = &(*place)->next_word;
	return place;
}

/* Take those who wait for a word out of their bucket, into a ring with a head. */
static void take_queue(struct bucket *bucket, uintptr_t address, struct weft__link *queue)
{
	struct weft__parked **place = place_of(bucket, address), *leader = *place;

	weft__list_init(queue);
	if (leader == NULL)
		return;
	*place = leader->next_word;
	weft__list_append(&leader->link, queue);
}

static void put_queue(struct bucket *bucket, struct weft__link *queue)
{
	struct weft__parked *leader;

	if (weft__list_empty(queue))
		return;
	leader = weft__container(queue->next, struct weft__parked, link);
	weft__list_remove(queue);
	leader->next_word = bucket->words;
	bucket->words = leader;
}

/* Wait out a wake that another thread has begun. */
static long settle(struct weft__task *me, int result)
{
	struct weft__link queue;
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
	if (state == WAITING) {
		take_queue(bucket, me->parked.key, &queue);
		weft__list_remove(&me->parked.link);
		put_queue(bucket, &queue);
	}
	unlock(bucket);
	if (state == WAITING)
		return result;
	if (state == COMING && result != 0)
		weft__park_firmly();
	return 0;
}

/* Behind those of its own priority, as in the kernel's queues. */
static void overtake(struct bucket *bucket, struct weft__task *task)
{
	struct weft__link queue, *before;

	take_queue(bucket, task->parked.key, &queue);
	before = queue.next;
	while (before != &queue && task_of(before)->priority >= task->priority)
		before = before->next;
	weft__list_append(before, &task->parked.link);
	put_queue(bucket, &queue);
}

/* Most have no priority, and stand at the end. */
static void line_up(struct bucket *bucket, struct weft__task *task)
{
	struct weft__parked *leader = *place_of(bucket, task->parked.key);

	if (leader == NULL) {
		weft__list_init(&task->parked.link);
		task->parked.next_word = bucket->words;
		bucket->words = &task->parked;
	} else if (weft__likely(task->priority == 0)) {
		weft__list_append(&leader->link, &task->parked.link);
	} else {
		overtake(bucket, task);
	}
}

/* Whether there are many words in a bucket, none of them this one. Context: it is locked. */
static bool is_crowded(const struct bucket *bucket, uintptr_t address)
{
	const struct weft__parked *leader = bucket->words;

	for (int i = 0; i < CROWD; i++, leader = leader->next_word)
		if (leader == NULL || leader->key == address)
			return false;
	return true;
}

/* Context: both are locked. */
static void split(struct bucket *from, struct bucket *to)
{
	struct weft__parked **place = &from->words, *leader;

	while ((leader = *place) != NULL) {
		if (bucket_at(index_of(leader->key, used + 1)) != to) {
			place = &leader->next_word;
			continue;
		}
		*place = leader->next_word;
		leader->next_word = to->words;
		to->words = leader;
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
		from = bucket_at(weft__place_of(used, used));
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
	struct weft__task *me = weft__current;
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
	me->parked.since =
		expected == LOCKED_AND_WAITED_FOR ? (uint32_t)me->carrier->switches | 1 : 0;
	me->parked.state = WAITING;
	line_up(bucket, me);
	unlock(bucket);

	result = weft__park(deadline_ns);
	me->heir = 0;
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

static bool has_waited_long(const struct weft__task *task)
{
	return task->parked.since != 0 &&
	       (uint32_t)task->carrier->switches - task->parked.since > LONG_WAIT;
}

/* Take a waiter out and make it ready. Context: its bucket is locked. */
static void wake_one(struct weft__task *task, bool is_heir)
{
	struct weft__carrier *here = weft__carrier_here();

	weft__list_remove(&task->parked.link);
	if (weft__likely(here != NULL && here->crew == task->carrier->crew)) {
		task->parked.state = WOKEN;
		task->heir = is_heir;
		weft__wake(task, 0);
	} else {
		task->parked.state = COMING;
		weft__wake_remote(task);
	}
}

/* Context: the bucket, where the queue has been taken out, is locked. */
static long wake_some(struct bucket *bucket, struct weft__link *queue, long most, uint32_t bitset)
{
	struct weft__link *link, *next;
	long woken = 0;

	for (link = queue->next; link != queue && woken < most; link = next) {
		next = link->next;
		if ((task_of(link)->parked.bitset & bitset) == 0)
			continue;
		wake_one(task_of(link),
			 most == 1 && queue->next->next != queue && has_waited_long(task_of(link)));
		woken++;
	}
	if (weft__unlikely(bucket->returns >= RETURNS_FOR_A_TURN && woken > 0))
		owe_a_turn(bucket);
	return woken;
}

long weft__lot_wake(uintptr_t address, long most, uint32_t bitset)
{
	struct bucket *bucket = lock_address(address);
	struct weft__link queue;
	long woken;

	take_queue(bucket, address, &queue);
	woken = wake_some(bucket, &queue, most, bitset);
	put_queue(bucket, &queue);
	unlock(bucket);
	return woken;
}

/* How many of a queue were moved to another word; all of them count where it is the same. */
static long move_some(struct weft__link *queue, struct bucket *bucket, uintptr_t from, uintptr_t to,
		      long most)
{
	struct weft__link *link, *next;
	long moved = 0;

	for (link = queue->next; link != queue && moved < most; link = next) {
		struct weft__task *task = task_of(link);

		next = link->next;
		moved++;
		if (from == to)
			continue;
		weft__list_remove(link);
		__atomic_store_n(&task->parked.key, to, __ATOMIC_RELEASE);
		line_up(bucket, task);
	}
	return moved;
}

long weft__lot_requeue(uintptr_t address, long wake, uintptr_t to, long move,
		       const uint32_t *expected, weft__load_word *load, long *moved)
{
	struct bucket *from_bucket, *to_bucket;
	struct weft__link queue;
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
	take_queue(from_bucket, address, &queue);
	woken = wake_some(from_bucket, &queue, wake, UINT32_MAX);
	*moved += move_some(&queue, to_bucket, address, to, move);
	put_queue(from_bucket, &queue);
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
