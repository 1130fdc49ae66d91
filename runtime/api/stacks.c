/*
 * See native_stack.h.
 *
 *   a thread's own stacks, last in first out --> a chunk with a free slot --> a new chunk
 *
 *   chunk:  | guard, stack .. slot | guard, stack .. slot | ..      up to 64 of one size
 *
 * A chunk is one mapping, and the kernel joins neighbouring ones. A guard is a mark in the page
 * table (MADV_GUARD_INSTALL, Linux 6.13) that parts no mapping; it is made when a slot is first
 * used, since page tables come with it, and outlives all of the slot's users. At the upper end of
 * each stack, out of reach of who overflows it, stands a record of whose it is.
 *
 * A stack that is given back keeps its pages ("warm") as long as few are: in its thread's list, and
 * then in its chunk. The pages of others are given back to the system, and so is a chunk of which
 * no slot is used.
 *
 * The lock is a mutex of libc's: in a patched process who holds it may be stopped, and then whoever
 * waits for it must park.
 */
#include "native_stack.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "guard.h"
#include "list.h"
#include "raw.h"
#include "thread_end.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_UNPOISON_MEMORY_REGION(start, bytes) ((void)(start), (void)(bytes))
#endif

#define GUARD_BYTES ((size_t)4096)
#define LEAST_SHIFT 14U
#define KINDS 17U /* powers of two, from 16 KB to WEFT__MOST_STACK_BYTES */
#define MOST_SLOTS 64U
#define FEWEST_SLOTS 4U
#define CHUNK_BYTES ((size_t)64 * 1024 * 1024) /* of address space, at most, but for huge stacks */

/* What warm stacks take, of address space: were each used to its end, it would all be memory. */
#define KEPT_BYTES ((size_t)8 * 1024 * 1024) /* by a thread, of each size */
#define MOST_KEPT 64U
#define WARM_BYTES ((size_t)64 * 1024 * 1024) /* by the pool */

struct chunk {
	struct weft__link
		link; /* among those of its kind with a free slot, or all that have none */
	char *start;
	unsigned int kind;
	unsigned int slots;
	uint64_t free;
	uint64_t warm;    /* free ones that have kept their pages */
	uint64_t guarded; /* those whose guard is made */
};

/* The upper end of a stack; a line of the cache, so that what is below it is aligned to one. */
struct slot {
	struct slot *next; /* in a thread's list, as is: */
	size_t depth;      /* how many are in it from here on */
	struct chunk *chunk;
	unsigned int kind;
	char fill[36];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct weft__link vacant[KINDS]; /* the lock's, as the chunks are */
static struct weft__link full;          /* only so that who looks for leaks finds them */
static size_t warm_bytes;
static bool marks_refused; /* guards are mappings of their own; atomic */

static __thread struct slot *kept[KINDS] __attribute__((tls_model("initial-exec")));
static __thread bool is_watched __attribute__((tls_model("initial-exec")));

static size_t bytes_of(unsigned int kind)
{
	return (size_t)1 << (kind + LEAST_SHIFT);
}

static unsigned int kind_of(size_t bytes)
{
	unsigned int kind;

	if (bytes <= bytes_of(0))
		return 0;
	kind = 64U - (unsigned int)__builtin_clzl(bytes - 1) - LEAST_SHIFT;
	return kind < KINDS ? kind : KINDS;
}

static uint64_t all_slots(const struct chunk *chunk)
{
	return UINT64_MAX >> (MOST_SLOTS - chunk->slots);
}

/* A fork finds it unlocked in the child. */
static void lock_pool(void)
{
	pthread_mutex_lock(&lock);
}

static void unlock_pool(void)
{
	pthread_mutex_unlock(&lock);
}

static void begin_pool(void)
{
	for (unsigned int kind = 0; kind < KINDS; kind++)
		weft__list_init(&vacant[kind]);
	weft__list_init(&full);
	pthread_atfork(lock_pool, unlock_pool, unlock_pool);
}

/* Where address space is limited a chunk of fewer slots may do. */
static struct chunk *map_chunk(unsigned int kind)
{
	size_t slots = CHUNK_BYTES / bytes_of(kind);
	struct chunk *chunk = malloc(sizeof(*chunk));
	void *start = MAP_FAILED;

	if (chunk == NULL)
		return NULL;
	slots = slots > MOST_SLOTS ? MOST_SLOTS : slots < FEWEST_SLOTS ? FEWEST_SLOTS : slots;
	for (; slots > 0; slots /= 2) {
		start = mmap(NULL, slots * bytes_of(kind), PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
		if (start != MAP_FAILED)
			break;
	}
	if (start == MAP_FAILED) {
		free(chunk);
		return NULL;
	}
	/* Before Linux 6.7 a mapping for stacks may come in pages of 2 MB. */
	if (!weft__denied[SYS_madvise])
		weft__raw(SYS_madvise, start, slots * bytes_of(kind), MADV_NOHUGEPAGE);
	*chunk = (struct chunk){.start = start, .kind = kind, .slots = (unsigned int)slots};
	chunk->free = all_slots(chunk);
	return chunk;
}

static void unmap_chunk(struct chunk *chunk)
{
	munmap(chunk->start, chunk->slots * bytes_of(chunk->kind));
	free(chunk);
}

static bool make_guard(char *start)
{
	if (!__atomic_load_n(&marks_refused, __ATOMIC_RELAXED) &&
	    weft__mark_guard((uintptr_t)start, GUARD_BYTES))
		return true;
	/* An older kernel, or all memory is locked (mlockall(2)). */
	__atomic_store_n(&marks_refused, true, __ATOMIC_RELAXED);
	return weft__raw(SYS_mprotect, start, GUARD_BYTES, PROT_NONE) == 0;
}

static void move(struct chunk *chunk, struct weft__link *list)
{
	weft__list_remove(&chunk->link);
	weft__list_append(list, &chunk->link);
}

/* Context: the lock. */
static unsigned int take_slot(struct chunk *chunk)
{
	uint64_t choice = chunk->warm != 0 ? chunk->warm : chunk->free;
	unsigned int index = (unsigned int)__builtin_ctzll(choice);
	uint64_t bit = UINT64_C(1) << index;

	if ((chunk->warm & bit) != 0)
		warm_bytes -= bytes_of(chunk->kind);
	chunk->free &= ~bit;
	chunk->warm &= ~bit;
	if (chunk->free == 0)
		move(chunk, &full);
	return index;
}

/* Context: the lock. Whoever frees the last slot of a cold one has the chunk to unmap. */
static bool free_slot(struct chunk *chunk, uint64_t bit, bool warm)
{
	if (!warm && (chunk->free | bit) == all_slots(chunk)) {
		warm_bytes -= (size_t)__builtin_popcountll(chunk->warm) * bytes_of(chunk->kind);
		weft__list_remove(&chunk->link);
		return true;
	}
	if (chunk->free == 0)
		move(chunk, &vacant[chunk->kind]);
	chunk->free |= bit;
	if (warm) {
		chunk->warm |= bit;
		warm_bytes += bytes_of(chunk->kind);
	}
	return false;
}

static void give_to_pool(struct chunk *chunk, unsigned int index)
{
	uint64_t bit = UINT64_C(1) << index;
	size_t bytes = bytes_of(chunk->kind);
	bool warm, was_last;

	lock_pool();
	warm = warm_bytes + bytes <= WARM_BYTES;
	if (!warm && (chunk->free | bit) != all_slots(chunk)) {
		unlock_pool();
		if (!weft__denied[SYS_madvise])
			weft__raw(SYS_madvise, chunk->start + index * bytes + GUARD_BYTES,
				  bytes - GUARD_BYTES, MADV_DONTNEED);
		lock_pool();
	}
	was_last = free_slot(chunk, bit, warm);
	unlock_pool();
	if (was_last)
		unmap_chunk(chunk);
}

static struct slot *take_from_pool(unsigned int kind)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct chunk *chunk;
	struct slot *slot;
	unsigned int index;
	char *start;
	bool guarded;

	pthread_once(&once, begin_pool);
	lock_pool();
	if (weft__list_empty(&vacant[kind])) {
		unlock_pool();
		chunk = map_chunk(kind);
		if (chunk == NULL)
			return NULL;
		lock_pool();
		weft__list_append(&vacant[kind], &chunk->link);
	}
	chunk = weft__container(vacant[kind].next, struct chunk, link);
	index = take_slot(chunk);
	guarded = (chunk->guarded >> index & 1) != 0;
	chunk->guarded |= UINT64_C(1) << index;
	unlock_pool();
	start = chunk->start + index * bytes_of(kind);
	if (!guarded && !make_guard(start)) {
		lock_pool();
		chunk->guarded &= ~(UINT64_C(1) << index);
		unlock_pool();
		give_to_pool(chunk, index);
		return NULL;
	}
	slot = (struct slot *)(void *)(start + bytes_of(kind)) - 1;
	slot->chunk = chunk;
	slot->kind = kind;
	return slot;
}

void *weft__stack_take(size_t bytes, size_t *ret_bytes)
{
	unsigned int kind = kind_of(bytes != 0 ? bytes : WEFT__STACK_BYTES);
	struct slot *slot;
	size_t usable;

	if (kind == KINDS)
		return NULL;
	slot = kept[kind];
	if (weft__likely(slot != NULL))
		kept[kind] = slot->next;
	else if ((slot = take_from_pool(kind)) == NULL)
		return NULL;
	usable = bytes_of(kind) - GUARD_BYTES - sizeof(*slot);
	*ret_bytes = usable;
	return (char *)slot - usable;
}

static void give_slot(struct slot *slot)
{
	struct chunk *chunk = slot->chunk;
	size_t offset = (size_t)((char *)slot - chunk->start);

	give_to_pool(chunk, (unsigned int)(offset >> (chunk->kind + LEAST_SHIFT)));
}

/* Whether the first of a list is freed with the thread; it is not looked at for the others. */
static bool is_kept_safely(void)
{
	if (!is_watched)
		is_watched = weft__watch_thread_end();
	return is_watched;
}

void weft__stack_give(void *stack, size_t bytes)
{
	struct slot *slot = (struct slot *)(void *)((char *)stack + bytes);
	unsigned int kind = slot->kind;
	struct slot *first = kept[kind];
	size_t depth = first == NULL ? 1 : first->depth + 1;

	ASAN_UNPOISON_MEMORY_REGION(stack, bytes);
	if (weft__unlikely(depth > MOST_KEPT || depth > KEPT_BYTES >> (kind + LEAST_SHIFT) ||
			   (first == NULL && !is_kept_safely()))) {
		give_slot(slot);
		return;
	}
	slot->next = first;
	slot->depth = depth;
	kept[kind] = slot;
}

void weft__stack_thread_ends(void)
{
	is_watched = false; /* another of the thread's destructors may give one yet */
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		struct slot *slot = kept[kind], *next;

		kept[kind] = NULL;
		for (; slot != NULL; slot = next) {
			next = slot->next;
			give_slot(slot);
		}
	}
}
