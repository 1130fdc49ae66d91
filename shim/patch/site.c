/*
 * See site.h.
 *
 * Bytes `0f 05` may stand in the middle of anything: each is looked at only as part of the
 * function it lies in, decoded from that function's start. Whatever may be jumped to forbids a
 * window around it: what direct jumps or calls of the whole text lead to; those with 32-bit
 * displacements are taken from every byte position, decoded or not, so that none from a far part
 * of a function is missed (a position that is none forbids a window needlessly, once in some ten
 * thousand); what the function's jump tables list; and what it takes the address of.
 *
 * Most objects make no calls of their own, so nothing is done before the first pair is found, and
 * no jump is looked for before the first site.
 */
#include "site.h"

#include <Zydis/Zydis.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "raw.h"
#include "scan.h"

#define JUMP_BYTES 5
#define LONGEST_FUNCTION (256 * 1024)
/* How many instructions before the call are searched for its number. */
#define SEARCH_BACK 16

struct insn {
	uintptr_t at;
	struct weft__moved moved;
	bool is_syscall;
	bool ends;   /* control does not go on behind it */
	bool target; /* something jumps to it */
};

struct body {
	struct weft__function function;
	struct insn *insn;
	size_t n, room;
	uintptr_t end; /* of what was decoded; before function.end: there are no instructions */
};

struct search {
	const struct weft__object *object;
	ZydisDecoder decoder, measurer; /* the second only tells lengths, in half the time */
	struct weft__targets targets;
	struct body body;
	uintptr_t taken; /* where the last window ends */
};

static bool decode_one(const ZydisDecoder *decoder, uintptr_t at, uintptr_t end,
		       ZydisDecodedInstruction *out)
{
	return ZYAN_SUCCESS(
		ZydisDecoderDecodeInstruction(decoder, NULL, (const void *)at, end - at, out));
}

static bool add_insn(struct body *body, const struct insn *insn)
{
	if (body->n == body->room) {
		size_t room = body->room == 0 ? 256 : 2 * body->room;
		struct insn *more = realloc(body->insn, room * sizeof(*more));

		if (more == NULL)
			return false;
		body->insn = more;
		body->room = room;
	}
	body->insn[body->n++] = *insn;
	return true;
}

static bool is_jump(const ZydisDecodedInstruction *insn)
{
	switch (insn->meta.category) {
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_COND_BR:
	case ZYDIS_CATEGORY_UNCOND_BR:
		return true;
	default:
		return false;
	}
}

/* Whether control can leave at `insn` without coming to the one behind it. */
static bool ends_flow(const ZydisDecodedInstruction *insn)
{
	return insn->meta.category == ZYDIS_CATEGORY_UNCOND_BR ||
	       insn->meta.category == ZYDIS_CATEGORY_RET || insn->mnemonic == ZYDIS_MNEMONIC_UD2 ||
	       insn->mnemonic == ZYDIS_MNEMONIC_HLT;
}

static bool is_relative(const ZydisDecodedInstruction *insn)
{
	return (insn->attributes & ZYDIS_ATTRIB_IS_RELATIVE) != 0;
}

/* Jumps of the two plain forms; `jrcxz`, `loop` and `xbegin` have no long one. */
static bool is_plain_jump(const ZydisDecodedInstruction *insn)
{
	bool is_short = insn->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT;

	if (insn->raw.prefix_count > 0 || insn->meta.category == ZYDIS_CATEGORY_CALL)
		return false;
	if (is_short)
		return insn->opcode == 0xeb || insn->opcode == 0xe9 ||
		       (insn->opcode & 0xf0) == 0x70;
	return insn->opcode_map == ZYDIS_OPCODE_MAP_0F && (insn->opcode & 0xf0) == 0x80;
}

static struct weft__moved way_of(const ZydisDecodedInstruction *insn)
{
	struct weft__moved moved = {insn->length, 0, WEFT__AS_IT_IS};

	if (is_jump(insn)) {
		moved.way = is_plain_jump(insn) ? WEFT__JUMPS : WEFT__STAYS;
	} else if (is_relative(insn)) {
		moved.way = insn->raw.disp.size == 32 ? WEFT__REFERS : WEFT__STAYS;
		moved.distance_at = insn->raw.disp.offset;
	}
	return moved;
}

static uintptr_t displaced(uintptr_t from, int64_t distance)
{
	return from + (uintptr_t)distance;
}

/* Mark the entries of a jump table: distances from it, as compilers make them for any address. */
static void mark_relative_table(struct search *search, uintptr_t table)
{
	const struct weft__function *function = &search->body.function;

	for (uintptr_t entry = table; weft__object_holds(search->object, entry, 4); entry += 4) {
		int32_t distance;

		memcpy(&distance, (const void *)entry, 4);
		if (displaced(table, distance) - function->start >= function->end - function->start)
			break;
		weft__mark(&search->targets, displaced(table, distance));
	}
}

/* The same of a program for a fixed address: addresses, as in the file. */
static void mark_absolute_table(struct search *search, uintptr_t table)
{
	const struct weft__function *function = &search->body.function;

	for (; weft__object_holds(search->object, table, 8); table += 8) {
		uintptr_t address;

		memcpy(&address, (const void *)table, 8);
		address += search->object->base;
		if (address - function->start >= function->end - function->start)
			break;
		weft__mark(&search->targets, address);
	}
}

/* Mark what an instruction leads to, or to what it takes the address of. */
static void mark_targets(struct search *search, uintptr_t at, const ZydisDecodedInstruction *insn)
{
	uintptr_t behind = at + insn->length;

	if (is_jump(insn) && insn->raw.imm[0].is_relative) {
		weft__mark(&search->targets, displaced(behind, insn->raw.imm[0].value.s));
	} else if (is_jump(insn) && insn->raw.disp.size == 32 && !is_relative(insn)) {
		mark_absolute_table(search, displaced(search->object->base, insn->raw.disp.value));
	} else if (insn->mnemonic == ZYDIS_MNEMONIC_LEA && is_relative(insn)) {
		weft__mark(&search->targets, displaced(behind, insn->raw.disp.value));
		mark_relative_table(search, displaced(behind, insn->raw.disp.value));
	}
}

/* Find all that jumps in the object may lead to, far away from the function as well. */
static int find_targets(struct search *search)
{
	struct weft__targets *targets = &search->targets;
	struct weft__text text = {0, 0};

	if (targets->bits != NULL)
		return 0;
	while (weft__object_next_text(search->object, &text)) {
		if (targets->end == 0)
			targets->start = text.start;
		targets->end = text.end;
	}
	targets->bits = calloc((targets->end - targets->start) / 8 + 1, 1);
	if (targets->bits == NULL)
		return -ENOMEM;
	for (text.end = 0; weft__object_next_text(search->object, &text);)
		weft__scan_jumps(&text, targets);
	return 0;
}

/* Decode the function into search->body, marking its own jumps. */
static int decode_function(struct search *search)
{
	struct body *body = &search->body;
	ZydisDecodedInstruction decoded;

	body->n = 0;
	for (uintptr_t at = body->function.start; at < body->end; at += decoded.length) {
		struct insn insn = {.at = at};

		if (!decode_one(&search->decoder, at, body->end, &decoded))
			break;
		insn.moved = way_of(&decoded);
		insn.is_syscall = decoded.mnemonic == ZYDIS_MNEMONIC_SYSCALL;
		insn.ends = ends_flow(&decoded);
		if (!add_insn(body, &insn))
			return -ENOMEM;
		mark_targets(search, at, &decoded);
	}
	for (size_t i = 0; i < body->n; i++)
		body->insn[i].target = weft__marked(&search->targets, body->insn[i].at);
	return 0;
}

/*
 * Walk through the function up to where it ends, or decodes to nothing any more: body->end.
 * Whether a `syscall` is among what was passed.
 */
static bool measure_function(struct search *search)
{
	struct body *body = &search->body;
	ZydisDecodedInstruction decoded;
	bool found = false;

	body->end = body->function.start;
	if (body->function.end - body->function.start > LONGEST_FUNCTION)
		return false;
	while (body->end < body->function.end &&
	       decode_one(&search->measurer, body->end, body->function.end, &decoded)) {
		found |= decoded.mnemonic == ZYDIS_MNEMONIC_SYSCALL;
		body->end += decoded.length;
	}
	return found;
}

static bool writes_rax(const struct search *search, const struct insn *insn)
{
	ZydisDecodedInstruction decoded;
	ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];

	if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&search->decoder, (const void *)insn->at,
						 insn->moved.bytes, &decoded, operand)))
		return true;
	for (int i = 0; i < decoded.operand_count; i++)
		if (operand[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    (operand[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0 &&
		    ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64,
						     operand[i].reg.value) == ZYDIS_REGISTER_RAX)
			return true;
	return false;
}

/* The number loaded by `mov $nr, %eax` or `mov $nr, %rax`, -1 for any other instruction. */
static int number_loaded(const struct insn *insn)
{
	const uint8_t *byte = (const uint8_t *)insn->at;
	int32_t nr;

	if (insn->moved.bytes == 5 && byte[0] == 0xb8)
		memcpy(&nr, byte + 1, 4);
	else if (insn->moved.bytes == 7 && byte[0] == 0x48 && byte[1] == 0xc7 && byte[2] == 0xc0)
		memcpy(&nr, byte + 3, 4);
	else
		return -1;
	return nr;
}

/* Look back for the load of rax, as far as every way to the call leads past it. */
static int number_of(const struct search *search, size_t call)
{
	const struct insn *insn = search->body.insn;

	for (size_t i = call; i > 0 && call - i < SEARCH_BACK; i--) {
		if (insn[i].target || insn[i - 1].ends)
			return -1;
		if (number_loaded(&insn[i - 1]) >= 0)
			return number_loaded(&insn[i - 1]);
		if (writes_rax(search, &insn[i - 1]))
			return -1;
	}
	return -1;
}

/* Whether an instruction may be part of a window that begins at another. */
static bool may_move(const struct body *body, size_t i, size_t first, size_t call)
{
	const struct insn *insn = &body->insn[i];

	if (insn->moved.way == WEFT__STAYS || (insn->target && i != first))
		return false;
	if (i > call)
		return !insn[-1].ends && !insn->is_syscall;
	return i == call || (insn->moved.way != WEFT__JUMPS && !insn->is_syscall);
}

/* Take the window that begins `back` instructions before the call. */
static bool fit_window(const struct search *search, size_t call, size_t back,
		       struct weft__site *site)
{
	const struct body *body = &search->body;
	size_t first = call - back;
	uintptr_t start = body->insn[first].at, end = start;

	if (start < search->taken)
		return false;
	site->n_moved = 0;
	for (size_t i = first; i <= call || end - start < JUMP_BYTES; i++) {
		if (i >= body->n || !may_move(body, i, first, call))
			return false;
		site->moved[site->n_moved++] = body->insn[i].moved;
		end = body->insn[i].at + body->insn[i].moved.bytes;
	}
	site->start = start;
	site->end = end;
	return true;
}

static enum weft__fit fit(struct search *search, size_t call, struct weft__site *site)
{
	for (size_t back = 0; back <= WEFT__MOVED_BEFORE && back <= call; back++) {
		if (!fit_window(search, call, back, site))
			continue;
		search->taken = site->end;
		return WEFT__FIT_YES;
	}
	return WEFT__FIT_NO_WINDOW;
}

static int add_site(struct weft__sites *sites, const struct weft__site *site)
{
	if (sites->n == sites->room) {
		size_t room = sites->room == 0 ? 256 : 2 * sites->room;
		struct weft__site *more = realloc(sites->site, room * sizeof(*more));

		if (more == NULL)
			return -ENOMEM;
		sites->site = more;
		sites->room = room;
	}
	sites->site[sites->n++] = *site;
	sites->fit += site->fit == WEFT__FIT_YES;
	return 0;
}

static int find_in_function(struct search *search, weft__wanted *wanted, struct weft__sites *sites)
{
	int err = find_targets(search);

	if (err == 0)
		err = decode_function(search);
	for (size_t i = 0; err == 0 && i < search->body.n; i++) {
		struct weft__site site = {.syscall = search->body.insn[i].at,
					  .function = search->body.function.start};

		if (!search->body.insn[i].is_syscall)
			continue;
		site.nr = number_of(search, i);
		if (!wanted(site.nr))
			continue;
		site.fit = fit(search, i, &site);
		err = add_site(sites, &site);
	}
	return err;
}

/* Note bytes that may well be a call, and cannot be decoded. */
static int add_unclear(uintptr_t at, uintptr_t function, enum weft__fit why, weft__wanted *wanted,
		       struct weft__sites *sites)
{
	struct weft__site site = {.syscall = at, .function = function, .nr = -1, .fit = why};

	if (why == WEFT__FIT_SIGNAL_FRAME)
		site.nr = SYS_rt_sigreturn;
	return wanted(site.nr) ? add_site(sites, &site) : 0;
}

/* Look at a pair of bytes: find all sites of the function it lies in. */
static int look_at(struct search *search, uintptr_t at, weft__wanted *wanted,
		   struct weft__sites *sites)
{
	struct body *body = &search->body;
	enum weft__fit why = WEFT__FIT_UNCLEAR;
	int err = 0;

	if (at >= body->function.end) {
		switch (weft__find_function(search->object, at, &body->function)) {
		case WEFT__UNCOVERED:
			return add_unclear(at, 0, WEFT__FIT_NO_FUNCTION, wanted, sites);
		case WEFT__SIGNAL_FRAME:
			return add_unclear(at, at, WEFT__FIT_SIGNAL_FRAME, wanted, sites);
		default:
			break;
		}
		if (measure_function(search))
			err = find_in_function(search, wanted, sites);
	}
	/* Decoded, it is a site that has been found, or none. */
	if (err != 0 || at < body->end)
		return err;
	if (body->function.end - body->function.start > LONGEST_FUNCTION)
		why = WEFT__FIT_TOO_LONG;
	return add_unclear(at, body->function.start, why, wanted, sites);
}

static int look_through(struct search *search, const struct weft__text *text, weft__wanted *wanted,
			struct weft__sites *sites)
{
	const uint8_t *end = (const uint8_t *)text->end;
	const uint8_t *byte = (const uint8_t *)text->start;
	int err = 0;

	for (; err == 0 && (byte = weft__scan_syscall(byte, end)) != NULL; byte++)
		err = look_at(search, (uintptr_t)byte, wanted, sites);
	return err;
}

int weft__find_sites(const struct weft__object *object, weft__wanted *wanted,
		     struct weft__sites *sites)
{
	struct search search = {.object = object};
	struct weft__text text = {0, 0};
	int err = 0;

	*sites = (struct weft__sites){.n = 0};
	ZydisDecoderInit(&search.decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	search.measurer = search.decoder;
	ZydisDecoderEnableMode(&search.measurer, ZYDIS_DECODER_MODE_MINIMAL, ZYAN_TRUE);
	while (err == 0 && weft__object_next_text(object, &text))
		err = look_through(&search, &text, wanted, sites);
	free(search.targets.bits);
	free(search.body.insn);
	if (err != 0)
		free(sites->site);
	return err;
}
