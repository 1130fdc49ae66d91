/*
 * See stacks.h.
 *
 *   base            base + PLACE_BYTES
 *   | chunk: slot slot .. slot | - unmapped - | chunk: slot slot ..
 *
 * Address space is dealt out in places, so that an address tells its chunk. Nothing keeps others out
 * of a place without a chunk: one where somebody else maps something is passed over.
 *
 * A child after fork(2) has the chunks of its parent. The stacks of threads that it does not have
 * count as taken there for ever, whatever becomes of them while weft sleeps.
 */
#include "stacks.h"

#include <stdbool.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "carriers.h"
#include "denied.h"
#include "list.h"
#include "shim.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#define FEW_THREADS 4096U

#define PLACES ((size_t)32768)
#define PLACE_BYTES ((size_t)512 * 1024 * 1024)
#define MOST_SLOTS ((size_t)256)
#define WORD_BITS ((size_t)64)
#define KINDS 8 /* sizes of stacks at a time */

struct chunk {
	struct weft__link
		link;      /* among those of its kind with a free slot; valid if there is one */
	struct kind *kind; /* NULL: no chunk here */
	unsigned int taken;
	uint64_t free[MOST_SLOTS / WORD_BITS];
};

struct kind {
	size_t bytes; /* 0: not in use */
	unsigned int chunks;
	struct weft__link vacant;
};

static uintptr_t base; /* 0: nothing yet */
static struct chunk *chunks;
static size_t next_place;
static struct kind kinds[KINDS];

static size_t slots_of(const struct kind *kind)
{
	size_t slots = PLACE_BYTES / kind->bytes;

	return slots < MOST_SLOTS ? slots : MOST_SLOTS;
}

static uintptr_t start_of(const struct chunk *chunk)
{
	return base + (size_t)(chunk - chunks) * PLACE_BYTES;
}

static long map(uintptr_t at, size_t bytes, int protection, int more_flags)
{
	return weft__raw(SYS_mmap, at, bytes, protection,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | more_flags, -1, 0);
}

/* Find a part of the address space where there is nothing, and set up the table of it. */
static bool begin(void)
{
	size_t bytes = PLACES * PLACE_BYTES;
	long at, table;

	table = map(0, PLACES * sizeof(*chunks), PROT_READ | PROT_WRITE, 0);
	at = map(0, bytes + PLACE_BYTES, PROT_NONE, 0);
	if (!weft__failed(at))
		weft__raw(SYS_munmap, at, bytes + PLACE_BYTES);
	if (weft__failed(table))
		return false;
	if (weft__failed(at)) {
		weft__raw(SYS_munmap, table, PLACES * sizeof(*chunks));
		return false;
	}
	chunks = (struct chunk *)table;
	base = ((uintptr_t)at + PLACE_BYTES - 1) & ~(PLACE_BYTES - 1);
	return true;
}

static struct kind *kind_of(size_t bytes)
{
	struct kind *unused = NULL;

	for (struct kind *kind = kinds; kind < kinds + KINDS; kind++) {
		if (kind->bytes == bytes)
			return kind;
		if (kind->chunks == 0)
			unused = kind;
	}
	if (unused != NULL) {
		unused->bytes = bytes;
		weft__list_init(&unused->vacant);
	}
	return unused;
}

/* A mapping in the next place where nobody has one; places are used again once all have been. */
static struct chunk *make_chunk(struct kind *kind)
{
	for (size_t tries = 0; tries < PLACES; tries++) {
		struct chunk *chunk = &chunks[next_place++ % PLACES];
		size_t slots = slots_of(kind);

		if (chunk->kind != NULL)
			continue;
		if (map(start_of(chunk), slots * kind->bytes, PROT_READ | PROT_WRITE,
			MAP_STACK | MAP_FIXED_NOREPLACE) != (long)start_of(chunk))
			return NULL; /* no memory for it; a place that is occupied is passed next time */
		*chunk = (struct chunk){.kind = kind};
		for (size_t i = 0; i < slots; i++)
			chunk->free[i / WORD_BITS] |= UINT64_C(1) << i % WORD_BITS;
		weft__list_append(&kind->vacant, &chunk->link);
		kind->chunks++;
		return chunk;
	}
	return NULL;
}

/* What is set aside here would be missed where address space is limited. */
static bool may_take_space(void)
{
	struct rlimit limit = {0, 0};

	if (weft__denied[SYS_mmap] || weft__denied[SYS_getrlimit])
		return false;
	weft__raw(SYS_getrlimit, RLIMIT_AS, &limit);
	return limit.rlim_cur == RLIM_INFINITY;
}

static bool is_full(const struct chunk *chunk)
{
	return chunk->taken == slots_of(chunk->kind);
}

uintptr_t weft__thread_stack_take(size_t bytes)
{
	struct kind *kind;
	struct chunk *chunk;
	size_t word = 0, slot;

	bytes = (bytes + 4095) & ~(size_t)4095;
	if (weft__crew_tasks(&weft__crew) < FEW_THREADS || bytes == 0 || bytes > PLACE_BYTES / 2)
		return 0;
	if (base == 0 && (!may_take_space() || !begin()))
		return 0;
	kind = kind_of(bytes);
	if (kind == NULL)
		return 0;
	if (!weft__list_empty(&kind->vacant))
		chunk = weft__container(kind->vacant.next, struct chunk, link);
	else
		chunk = may_take_space() ? make_chunk(kind) : NULL;
	if (chunk == NULL)
		return 0;
	while (chunk->free[word] == 0)
		word++;
	slot = word * WORD_BITS + (size_t)__builtin_ctzll(chunk->free[word]);
	chunk->free[word] &= chunk->free[word] - 1;
	chunk->taken++;
	if (is_full(chunk))
		weft__list_remove(&chunk->link);
	return start_of(chunk) + slot * bytes;
}

bool weft__thread_stack_is_slot(uintptr_t start)
{
	size_t place = (start - base) / PLACE_BYTES;

	return base != 0 && place < PLACES && chunks[place].kind != NULL;
}

/* A new mapping in place of a slot's, without guards; the kernel joins it with its neighbours. */
static void empty(uintptr_t start, size_t bytes)
{
	map(start, bytes, PROT_READ | PROT_WRITE, MAP_STACK | MAP_FIXED);
}

bool weft__thread_stack_give(uintptr_t start, size_t bytes)
{
	size_t place = (start - base) / PLACE_BYTES, slot;
	struct chunk *chunk;
	struct kind *kind;

	bytes = (bytes + 4095) & ~(size_t)4095;
	if (!weft__thread_stack_is_slot(start) || weft__denied[SYS_mmap])
		return false;
	chunk = &chunks[place];
	kind = chunk->kind;
	if (bytes != kind->bytes || (start - start_of(chunk)) % bytes != 0)
		return false;
	slot = (start - start_of(chunk)) / bytes;
	if (slot >= slots_of(kind) || (chunk->free[slot / WORD_BITS] >> slot % WORD_BITS & 1) != 0)
		return false;
	if (is_full(chunk))
		weft__list_append(&kind->vacant, &chunk->link);
	chunk->free[slot / WORD_BITS] |= UINT64_C(1) << slot % WORD_BITS;
	if (--chunk->taken > 0) {
		empty(start, bytes);
		return true;
	}
	weft__list_remove(&chunk->link);
	kind->chunks--;
	chunk->kind = NULL;
	weft__raw(SYS_munmap, start_of(chunk), slots_of(kind) * bytes);
	return true;
}
