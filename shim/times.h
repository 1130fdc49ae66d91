/* Times as programs give them, turned into deadlines of the scheduler. */
#ifndef WEFT_TIMES_H
#define WEFT_TIMES_H

#include <stdint.h>
#include <time.h>

#include "call.h"

struct weft__thread;

/** A duration in nanoseconds; the longest there is when it does not fit. */
uint64_t weft__to_ns(const struct timespec *time);

/** Nanoseconds as a duration. */
struct timespec weft__to_timespec(uint64_t ns);

/** Read a program's timespec: 0, -EFAULT, or -EINVAL for a time that is none. */
long weft__read_time(const struct timespec *from, struct timespec *time);

/**
 * The deadline that lies a program's timespec from now, never 0; the same one again when the call
 * starts over after a signal.
 *
 * @return 0, -EFAULT, or -EINVAL for a time that is none
 */
long weft__deadline_after(const struct timespec *time, uint64_t *deadline_ns);

/** As weft__deadline_after(), for milliseconds. */
uint64_t weft__deadline_after_ms(int64_t ms);

/** The thread whose processor time a clock shows; NULL when it is no task's. */
struct weft__thread *weft__thread_of_clock(clockid_t clock);

/** clock_nanosleep(2) on clocks of processor time; the kernel answers for what is none. */
long weft__sleep_on_cpu_clock(struct weft__call *c);

/** The deadline, never 0, at which a clock will show a time, if nobody sets it meanwhile. */
uint64_t weft__deadline_at(clockid_t clock, const struct timespec *time);

/** What is left until a deadline; 0 when it has passed. */
struct timespec weft__left_until(uint64_t deadline_ns);

#endif
