/*
 * Sites: the `syscall` instructions of an object, and how each can be turned into a jump.
 *
 * A jump takes 5 bytes and a `syscall` has 2. So a window of whole instructions around it moves
 * into a stub: instructions that mean the same anywhere, with no jump into their midst. Every
 * site of glibc 2.36, 2.41 and 2.43 has one.
 */
#ifndef WEFT_PATCH_SITE_H
#define WEFT_PATCH_SITE_H

#include <stddef.h>
#include <stdint.h>

#include "object.h"

struct weft__site {
	uintptr_t syscall;    /* address of the instruction */
	uintptr_t start, end; /* the window that moves into the stub */
	int nr;               /* system call number, -1 when the code does not tell */
};

struct weft__sites {
	struct weft__site *site;
	size_t n, room;
	size_t unfit; /* answered calls for which no way was found */
};

/** Whether calls of a number (-1: any) are to be patched. */
typedef int weft__wanted(int nr);

/**
 * Find the sites of a text that are wanted.
 *
 * Ownership  free(sites->site) is the caller's
 *
 * @return 0 or -ENOMEM
 */
int weft__find_sites(const struct weft__text *text, weft__wanted *wanted,
		     struct weft__sites *sites);

#endif
