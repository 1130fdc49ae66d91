/* The instructions of one function of an object, and what is jumped to among them. */
#ifndef WEFT_PATCH_CODE_H
#define WEFT_PATCH_CODE_H

#include <Zydis/Zydis.h>

#include "object.h"
#include "scan.h"
#include "site.h"

enum weft__lead {
	WEFT__LEADS_NOWHERE,
	WEFT__LEADS_TO, /* an address */
	WEFT__LEADS_BY, /* a table of addresses */
	WEFT__TAKES, /* the address of something: a table of distances, maybe, or a jump's target */
};

struct weft__insn {
	uintptr_t at;
	struct weft__moved moved;
	uintptr_t leads; /* valid unless WEFT__LEADS_NOWHERE */
	enum weft__lead lead;
	bool is_syscall;
	bool ends;   /* control does not go on behind it */
	bool target; /* something jumps to it; valid after weft__code_find_targets() */
	bool idle;   /* padding, or a trap */
};

struct weft__code {
	const struct weft__object *object;
	ZydisDecoder decoder, measurer; /* the second tells no operands, in half the time */
	struct weft__targets targets;
	struct weft__function function; /* the one at hand */
	uintptr_t end; /* of its instructions; before function.end: there are others than those */
	struct weft__insn *insn;
	size_t n, room, calls; /* calls: how many of the instructions are `syscall` */
};

/**
 * Begin with an object.
 *
 * Ownership  weft__code_end() gives back what *code holds
 */
void weft__code_begin(struct weft__code *code, const struct weft__object *object);
void weft__code_end(struct weft__code *code);

/**
 * Decode a function up to where it ends, or does not decode any more. Of one that is too long,
 * nothing is decoded.
 *
 * @return 0 or -ENOMEM
 */
int weft__code_decode(struct weft__code *code, const struct weft__function *function);
bool weft__code_is_too_long(const struct weft__code *code);

/** Find which of its instructions are jumped to; 0 or -ENOMEM. */
int weft__code_find_targets(struct weft__code *code);

/** Find the number with which instruction `call` is made; -1 when the code does not tell. */
int weft__code_number(const struct weft__code *code, size_t call);

/** Whether nothing but padding, or traps, to which nothing jumps, is between two addresses. */
bool weft__code_is_padding(const struct weft__code *code, uintptr_t start, uintptr_t end);

#endif
