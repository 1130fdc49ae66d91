/*
 * Samples of what a header has. A family's first sentence names it, as in man(7).
 *
 * An example stands deeper, with whatever signs:
 *
 *	if (n < 0 && *path == '\\')
 *		weft_sample_close(sample, "a\tb"); // .so
 *
 *     .dots and 'quotes' begin lines
 *
 * Lists are of words, or not:
 *
 *   WEFT_SAMPLE_ONE  what it means, and
 *                    goes on
 *   `two words`      the other
 *
 *     WEFT_SAMPLE_TWO  stands deeper, and
 *                      goes on
 *     other            is like it
 *
 * - an entry
 * - another, that goes
 *   on
 *
 * The end: `code - in it`, -EINVAL, well-known a -b, <tags> & \backslashes.
 */
#ifndef WEFT_SAMPLE_H
#define WEFT_SAMPLE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEFT_API __attribute__((visibility("default")))

#define WEFT_SAMPLE_SILENT 1

/** Bits; or-ed together. */
#define WEFT_SAMPLE_ONE 1
#define WEFT_SAMPLE_TWO 2

/** A sample. */
typedef struct weft_sample weft_sample;

/** What is done with a sample. */
typedef int weft_sample_func(weft_sample *sample, void *arg);

/** In what state it is. */
enum weft_sample_state {
	WEFT_SAMPLE_OPEN, /* it is */
	WEFT_SAMPLE_CLOSED = 4,
};

/** Numbers of it. */
struct weft_sample_numbers {
	struct {
		uint64_t first; /* { */
	} inner;
	int count;
};

/**
 * Open a sample (open(2)).
 *
 * The second paragraph. It names weft_sample_close(), and has a list:
 *
 * 1. first
 * 2. second
 *
 * Switches   yes, unless
 *            it is open
 * Context    a task
 * Ownership  *ret_sample is the caller's
 *
 * @param path  where it is,
 *              from the root
 * @param fn    called with arg
 *
 * @return the count, or
 *   -EINVAL  path is NULL, or
 *            fn is
 *   -EMFILE, -ENFILE  no descriptor left
 *   -ENOENT and others  as open(2)
 *   what was raised
 */
WEFT_API int weft_sample_open(weft_sample **ret_sample, const char *path,
			      int (*fn)(weft_sample *sample, void *arg), void *arg);

/**
 * Close a sample.
 *
 * Switches   no
 * Context    any thread
 *
 * @return 0, or what weft_sample_open() returns
 */
WEFT_API int weft_sample_close(weft_sample *sample, const char *why);

/**
 * Tell a sample's state.
 *
 * Switches   no
 * Context    any thread
 *
 * @return the state; it never fails
 */
static inline int weft_sample_state_of(const weft_sample *sample)
{
	if (sample == 0) {
		return WEFT_SAMPLE_CLOSED;
	}
	return WEFT_SAMPLE_OPEN;
}

/**
 * Count samples, of which there may be any number, from one state to another, at a time.
 *
 * Switches   no
 * Context    any thread
 */
WEFT_API void weft_sample_count(const weft_sample *const samples[], enum weft_sample_state from,
				enum weft_sample_state to, int64_t deadline_ns);

#ifdef __cplusplus
}
#endif

#endif
