/*
 * Changing what is executed: room for stubs within reach of an object, and jumps to them in its
 * text. Nothing is writable and executable at once.
 */
#ifndef WEFT_PATCH_TEXT_H
#define WEFT_PATCH_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "object.h"

struct weft__region {
	uint8_t *start; /* NULL: none */
	size_t bytes;
};

#define WEFT__LONG_JUMP 5

/** A change: [start, end) becomes a jump, a short one if there is no room for the long. */
struct weft__jump {
	uintptr_t start, end, to;
};

/**
 * Map a region to be written, within reach of all of an object.
 *
 * @return 0 or -ENOMEM
 */
int weft__region_map(const struct weft__object *object, size_t bytes, struct weft__region *region);

/**
 * Make a region, which has been written, executable and writable no more.
 *
 * @return 0 or -errno
 */
int weft__region_seal(const struct weft__region *region);

void weft__region_unmap(struct weft__region *region);

/**
 * Write jumps into an executable segment, all of them or none.
 *
 * Context  nothing else executes the text, and no signal handler may run
 *
 * @return 0 or -errno
 */
int weft__text_change(const struct weft__text *text, const struct weft__jump *jumps, size_t n);

/** Write a long `jmp to` as it is to stand at an address; the byte behind it. */
uint8_t *weft__put_jump(uint8_t *at, uintptr_t address, uintptr_t to);

/** memcpy(3), which may not be executable just now; the byte behind what was written. */
uint8_t *weft__put(uint8_t *at, const void *from, size_t n);

/** Write the distance of `to` from the end of the 4 bytes it takes, which are to stand at address. */
uint8_t *weft__put_distance(uint8_t *at, uintptr_t address, uintptr_t to);

#endif
