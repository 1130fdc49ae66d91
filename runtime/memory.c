/*
 * See memory.h.
 *
 *   bytes -> class (multiples of 64 up to 32 KB) -> free blocks, last in first out
 *                                               -> else the rest of the current chunk
 *   more than that                              -> a mapping of its own
 *
 * Chunks are never unmapped: what thousands of threads needed once they may need again.
 */
#include "memory.h"

#include <stdlib.h>
#include <sys/mman.h>

#define UNIT ((size_t)64)
#define LARGEST ((size_t)32 * 1024)
#define CHUNK_BYTES ((size_t)1024 * 1024)

#ifdef WEFT__SANITIZED

/* The tools watch malloc. */
void *weft__alloc(size_t bytes)
{
	return aligned_alloc(UNIT, (bytes + UNIT - 1) & ~(UNIT - 1));
}

void weft__free(void *block, size_t bytes)
{
	(void)bytes;
	free(block);
}

void weft__memory_forked(void)
{
}

#else

struct block {
	struct block *next;
};

static struct {
	int lock;
	char *rest;
	size_t rest_bytes;
	struct block *free[LARGEST / UNIT];
} memory;

static void lock(void)
{
	while (__atomic_exchange_n(&memory.lock, 1, __ATOMIC_ACQUIRE) != 0)
		__builtin_ia32_pause();
}

static void unlock(void)
{
	__atomic_store_n(&memory.lock, 0, __ATOMIC_RELEASE);
}

static void *map(size_t bytes)
{
	long memory_at = weft__raw(SYS_mmap, NULL, bytes, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return weft__failed(memory_at) ? NULL : (void *)memory_at;
}

/* What is left of a chunk that is too short is lost: less than one block in thirty. */
static void *cut(size_t bytes)
{
	char *block;

	if (memory.rest_bytes < bytes) {
		block = map(CHUNK_BYTES);
		if (block == NULL)
			return NULL;
		memory.rest = block;
		memory.rest_bytes = CHUNK_BYTES;
	}
	block = memory.rest;
	memory.rest += bytes;
	memory.rest_bytes -= bytes;
	return block;
}

void *weft__alloc(size_t bytes)
{
	size_t units = (bytes + UNIT - 1) / UNIT;
	struct block *block;

	if (bytes > LARGEST)
		return map(bytes);
	if (units == 0)
		units = 1;
	lock();
	block = memory.free[units - 1];
	if (block != NULL)
		memory.free[units - 1] = block->next;
	else
		block = cut(units * UNIT);
	unlock();
	return block;
}

void weft__free(void *freed, size_t bytes)
{
	size_t units = (bytes + UNIT - 1) / UNIT;
	struct block *block = freed;

	if (block == NULL)
		return;
	if (bytes > LARGEST) {
		weft__raw(SYS_munmap, block, bytes);
		return;
	}
	if (units == 0)
		units = 1;
	lock();
	block->next = memory.free[units - 1];
	memory.free[units - 1] = block;
	unlock();
}

void weft__memory_forked(void)
{
	memory.lock = 0;
}

#endif
