/*
 * A histogram of latencies: constant in size, so that recording one of millions
 * costs a few instructions and no memory. Not for several threads.
 */
#ifndef DEMO_LATENCY_H
#define DEMO_LATENCY_H

#include <stdint.h>

void latency_clear(void);
void latency_record(uint64_t ns);
uint64_t latency_count(void);

/**
 * The latency that a share of all (0.0 to 1.0) does not exceed, to within 0.8%;
 * share 1.0 is the longest, exactly. 0 when nothing was recorded.
 */
double latency_percentile_us(double share);

#endif
