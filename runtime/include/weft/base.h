/*
 * What all families share: the version, functions that run as tasks, and time.
 *
 * A duration is how long, a deadline is when: weft_after(5 * WEFT_MS) is five milliseconds from now.
 * A deadline of 0 has always passed: what would have to wait for it fails at once with -ETIMEDOUT.
 */
#ifndef WEFT_BASE_H
#define WEFT_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEFT_API __attribute__((visibility("default")))

#define WEFT_VERSION_MAJOR 0
#define WEFT_VERSION_MINOR 1
#define WEFT_VERSION_PATCH 0

/** A deadline that never comes, and a duration without an end. */
#define WEFT_FOREVER INT64_MAX

/** Units of durations, in nanoseconds. */
#define WEFT_US INT64_C(1000)
#define WEFT_MS INT64_C(1000000)
#define WEFT_S INT64_C(1000000000)

/** What runs as a task, and what it gives. */
typedef void *weft_func(void *arg);

/**
 * Name the version of the library that is loaded.
 *
 * Switches   no
 * Context    any thread
 * Ownership  a constant string
 *
 * @return "MAJOR.MINOR.PATCH"
 */
WEFT_API const char *weft_version(void);

/**
 * Tell the time in the clock of all deadlines (CLOCK_MONOTONIC).
 *
 * Switches   no
 * Context    any thread
 *
 * @return nanoseconds
 */
WEFT_API int64_t weft_now(void);

/**
 * Make a deadline of a duration.
 *
 * Switches   no
 * Context    any thread
 *
 * @return the time in duration_ns from now, WEFT_FOREVER when that is beyond all time; or
 *   -EINVAL  duration_ns is negative; no function takes that for a deadline
 */
WEFT_API int64_t weft_after(int64_t duration_ns);

#ifdef __cplusplus
}
#endif

#endif
