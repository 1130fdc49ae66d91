/*
 * Sites: the `syscall` instructions of an object, and how each can be turned into a jump.
 *
 * A jump takes 5 bytes and a `syscall` has 2. So a window of whole instructions around it moves
 * into a stub: instructions that can be made to mean the same there, with no jump into their
 * midst. Every site of glibc 2.36, 2.41 and 2.43 has one. Another is jumped to by 2 bytes from its own place, if
 * there are 5 bytes of padding near it, which jump on to the stub.
 *
 * Code without unwind information cannot be decoded from where it begins, and bytes `0f 05` in it may
 * be anything. Right behind a `mov $nr, %eax` they are a call: so the runtimes look that make their
 * calls themselves (Go).
 */
#ifndef WEFT_PATCH_SITE_H
#define WEFT_PATCH_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "object.h"

/** How an instruction moves to another address. */
enum weft__way {
	WEFT__STAYS, /* not at all */
	WEFT__AS_IT_IS,
	WEFT__REFERS, /* to memory at a distance from itself, in 4 bytes */
	WEFT__JUMPS,  /* a distance in 1 or 4 bytes, on a condition maybe */
};

struct weft__moved {
	uint8_t bytes;
	uint8_t distance_at; /* where the distance stands in it; valid for WEFT__REFERS */
	enum weft__way way;
};

/** The most before the call, and in all: 3 more bytes are needed. */
#define WEFT__MOVED_BEFORE 3
#define WEFT__MOVED (WEFT__MOVED_BEFORE + 1 + 3)

/** What becomes of a site: FIT(NAME, in words). */
#define WEFT__FITS(FIT) \
	FIT(YES, "fits") \
	FIT(NO_WINDOW, "no room for a jump") \
	FIT(NO_FUNCTION, "in no known function, if it is one") \
	FIT(TOO_LONG, "in too long a function") \
	FIT(RELOCATED, "in a text that is changed while it is loaded") \
	FIT(UNCLEAR, "behind bytes that are no instruction, if it is one") \
	FIT(SIGNAL_FRAME, "where signal handlers return to")

enum weft__fit {
#define FIT(name, words) WEFT__FIT_##name,
	WEFT__FITS(FIT)
#undef FIT
};

struct weft__site {
	uintptr_t syscall;    /* address of the instruction */
	uintptr_t start, end; /* the window that moves into the stub; valid for FIT_YES */
	uintptr_t hole;       /* where a window of 2 bytes jumps to, to jump on; 0: no need */
	uintptr_t function;   /* where it begins; 0: not known */
	int nr;               /* system call number, -1 when the code does not tell */
	struct weft__moved moved[WEFT__MOVED]; /* what the window is made of */
	uint8_t n_moved;
	enum weft__fit fit;
	bool missed; /* it is a call, whatever is known of its function, and does not fit */
};

struct weft__sites {
	struct weft__site *site;
	size_t n, room;
	size_t fit;    /* how many of them are FIT_YES */
	size_t missed; /* and missed */
};

/** Whether calls of a number (-1: any) are to be patched. */
typedef int weft__wanted(int nr);

/**
 * Find the sites of an object that are wanted.
 *
 * Ownership  free(sites->site) is the caller's
 *
 * @return 0 or -ENOMEM
 */
int weft__find_sites(const struct weft__object *object, weft__wanted *wanted,
		     struct weft__sites *sites);

#endif
