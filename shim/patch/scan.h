/* Looking through a text byte by byte, 16 at a time: some programs have 100 MB of it. */
#ifndef WEFT_PATCH_SCAN_H
#define WEFT_PATCH_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "object.h"

/** A bit for each byte of the texts of an object: some jump may lead there. */
struct weft__targets {
	uintptr_t start, end;
	uint8_t *bits; /* NULL: none made yet */
};

static inline void weft__mark(struct weft__targets *targets, uintptr_t at)
{
	size_t bit = at - targets->start;

	if (bit < targets->end - targets->start)
		targets->bits[bit / 8] |= (uint8_t)(1U << bit % 8);
}

static inline bool weft__marked(const struct weft__targets *targets, uintptr_t at)
{
	size_t bit = at - targets->start;

	return (targets->bits[bit / 8] >> bit % 8 & 1) != 0;
}

/** Find the first bytes `0f 05` that lie in [from, end); NULL: there are none. */
const uint8_t *weft__scan_syscall(const uint8_t *from, const uint8_t *end);

/** Mark what every `call rel32`, `jmp rel32` and `jcc rel32` at any byte of a text may lead to. */
void weft__scan_jumps(const struct weft__text *text, struct weft__targets *targets);

#endif
