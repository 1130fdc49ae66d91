#include "latency.h"

#include <stddef.h>
#include <string.h>

/*
 * Values below 128 ns have a bucket each; from there on, each power of two has
 * 64, so that a bucket's middle is at most 1/128 off what fell into it.
 */
#define SUB_BITS 6
#define BUCKETS ((65 - SUB_BITS) << SUB_BITS)

static uint64_t recorded;
static uint64_t longest_ns;
static uint32_t buckets[BUCKETS];

void latency_clear(void)
{
	recorded = 0;
	longest_ns = 0;
	memset(buckets, 0, sizeof(buckets));
}

static size_t bucket_of(uint64_t ns)
{
	int shift = ns >> (SUB_BITS + 1) ? 63 - SUB_BITS - __builtin_clzll(ns) : 0;

	return ((size_t)shift << SUB_BITS) + (ns >> shift);
}

static double middle_us(size_t bucket)
{
	size_t shift = bucket >> SUB_BITS ? (bucket >> SUB_BITS) - 1 : 0;
	uint64_t low = (bucket - (shift << SUB_BITS)) << shift;

	return (double)(2 * low + (1ULL << shift) - 1) / 2e3;
}

void latency_record(uint64_t ns)
{
	recorded++;
	buckets[bucket_of(ns)]++;
	if (ns > longest_ns)
		longest_ns = ns;
}

uint64_t latency_count(void)
{
	return recorded;
}

double latency_percentile_us(double share)
{
	uint64_t left = (uint64_t)(share * (double)recorded);

	for (size_t i = 0; i < BUCKETS && left < recorded; i++) {
		if (buckets[i] > left)
			return middle_us(i);
		left -= buckets[i];
	}
	return (double)longest_ns / 1e3;
}
