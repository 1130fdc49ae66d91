/*
 * Objects, as far as patching needs to know them: ELF files that are mapped, by the loader or by
 * whoever only wants to look at them. Nothing here needs relocations to have been made.
 */
#ifndef WEFT_PATCH_OBJECT_H
#define WEFT_PATCH_OBJECT_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct weft__object {
	const char *name; /* its path; "" for the program */
	uintptr_t base;   /* to be added to the addresses in the file */
	const ElfW(Phdr) * phdr;
	unsigned int phdrs;
	/* The table of functions; 0 and none when there is none of the usual kind. */
	uintptr_t table;
	size_t functions;
};

/** An executable segment. */
struct weft__text {
	uintptr_t start, end;
};

/** The bounds of a function, from its unwind information. */
struct weft__function {
	uintptr_t start, end;
};

enum weft__coverage {
	WEFT__UNCOVERED,
	WEFT__COVERED,
	WEFT__SIGNAL_FRAME, /* where signal handlers return to: not to be touched */
};

/** Learn an object from what dl_iterate_phdr(3) says of it, whose memory *object refers to. */
void weft__object_learn(struct weft__object *object, const struct dl_phdr_info *info);

/** Find the executable segment behind *text, the first when text->end is 0; false: no more. */
bool weft__object_next_text(const struct weft__object *object, struct weft__text *text);

/** Whether n bytes at an address belong to the object and came from its file. */
bool weft__object_holds(const struct weft__object *object, uintptr_t address, size_t n);

/** Whether relocations are to be made in its text, which are not yet while it is being loaded. */
bool weft__object_relocates_text(const struct weft__object *object);

/** Find the function that an address lies in; *function is only set when it is covered. */
enum weft__coverage weft__find_function(const struct weft__object *object, uintptr_t address,
					struct weft__function *function);

#endif
