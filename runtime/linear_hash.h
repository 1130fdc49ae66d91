/*
 * Linear hashing (Litwin, VLDB 1980): a table that grows by one place at a time.
 *
 *   places in use: 0 1 2 .. level-1 | level .. used-1      hash % 2 level if that is in use,
 *                    ^ used-level is the next to be split    else hash % level
 *
 * level is the highest power of two that is not more than `used`. Place number `used` is next: what
 * belongs there is in that of the hash `used` until then.
 */
#ifndef WEFT_LINEAR_HASH_H
#define WEFT_LINEAR_HASH_H

#include <stdint.h>

/** The place of a hash among so many that are in use, one at least. */
static inline uint32_t weft__place_of(uint32_t hash, uint32_t used)
{
	uint32_t level = (uint32_t)1 << (31 - __builtin_clz(used));
	uint32_t place = hash & (2 * level - 1);

	return place < used ? place : place & (level - 1);
}

#endif
