/*
 * See site.h.
 *
 * Bytes `0f 05` may stand in the middle of anything: each is looked at only as part of the
 * function it lies in, decoded from that function's start. Every direct jump or call of the whole
 * text that could land inside a window forbids it; those with 32-bit displacements are taken from
 * every byte position, decoded or not, so that none from a far part of a function is missed (a
 * position that is none forbids a window needlessly, once in some ten thousand).
 */
#include "site.h"

#include <Zydis/Zydis.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define JUMP_BYTES 5
#define LONGEST_FUNCTION 65536
/* How many instructions before the call may move with it, and are searched for the number. */
#define REACH_BACK 3
#define SEARCH_BACK 16

struct insn {
	uintptr_t at;
	uint8_t bytes;
	bool movable; /* means the same at another address */
	bool is_syscall;
	bool ends;   /* control does not go on behind it */
	bool target; /* something jumps to it */
};

struct body {
	struct weft__function function;
	struct insn *insn;
	size_t n, room;
};

struct search {
	const struct weft__text *text;
	ZydisDecoder decoder;
	uint8_t *targets; /* a bit for each byte of the text: some jump may lead there */
	struct body body;
};

static void mark(struct search *search, uintptr_t at)
{
	if (at >= search->text->start && at < search->text->end)
		search->targets[(at - search->text->start) / 8] |=
			(uint8_t)(1U << (at - search->text->start) % 8);
}

static bool marked(const struct search *search, uintptr_t at)
{
	size_t bit = at - search->text->start;

	return (search->targets[bit / 8] >> bit % 8 & 1) != 0;
}

/* Mark what every `call rel32`, `jmp rel32` and `jcc rel32` in the text may lead to. */
static void mark_far_jumps(struct search *search)
{
	const uint8_t *byte = (const uint8_t *)search->text->start;
	const uint8_t *end = (const uint8_t *)search->text->end - 6;

	for (; byte < end; byte++) {
		int32_t distance;

		if ((*byte & 0xfe) == 0xe8) {
			memcpy(&distance, byte + 1, 4);
			mark(search, (uintptr_t)byte + 5 + (uintptr_t)(intptr_t)distance);
		} else if (*byte == 0x0f && (byte[1] & 0xf0) == 0x80) {
			memcpy(&distance, byte + 2, 4);
			mark(search, (uintptr_t)byte + 6 + (uintptr_t)(intptr_t)distance);
		}
	}
}

static bool decode_one(const struct search *search, uintptr_t at, uintptr_t end,
		       ZydisDecodedInstruction *out)
{
	return ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&search->decoder, NULL, (const void *)at,
							  end - at, out));
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

/* Decode the function into search->body, marking its own jumps. */
static int decode_function(struct search *search, const struct weft__function *function)
{
	struct body *body = &search->body;
	ZydisDecodedInstruction decoded;
	uintptr_t at = function->start;

	body->function = *function;
	body->n = 0;
	if (function->end - function->start > LONGEST_FUNCTION)
		return 0;
	for (; at < function->end; at += decoded.length) {
		struct insn insn = {.at = at};

		if (!decode_one(search, at, function->end, &decoded))
			break;
		insn.bytes = decoded.length;
		insn.is_syscall = decoded.mnemonic == ZYDIS_MNEMONIC_SYSCALL;
		insn.ends = ends_flow(&decoded);
		insn.movable =
			(decoded.attributes & ZYDIS_ATTRIB_IS_RELATIVE) == 0 && !is_jump(&decoded);
		if (!add_insn(body, &insn))
			return -ENOMEM;
		if (is_jump(&decoded) && decoded.raw.imm[0].is_relative)
			mark(search, at + decoded.length + (uintptr_t)decoded.raw.imm[0].value.s);
	}
	for (size_t i = 0; i < body->n; i++)
		body->insn[i].target = marked(search, body->insn[i].at);
	return 0;
}

static bool writes_rax(const struct search *search, const struct insn *insn)
{
	ZydisDecodedInstruction decoded;
	ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];

	if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&search->decoder, (const void *)insn->at,
						 insn->bytes, &decoded, operand)))
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

	if (insn->bytes == 5 && byte[0] == 0xb8)
		memcpy(&nr, byte + 1, 4);
	else if (insn->bytes == 7 && byte[0] == 0x48 && byte[1] == 0xc7 && byte[2] == 0xc0)
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

/* Take the window that begins `back` instructions before the call. */
static bool fit_window(const struct search *search, size_t call, size_t back,
		       struct weft__site *site)
{
	const struct body *body = &search->body;
	size_t i = call - back;
	uintptr_t at = body->insn[i].at;

	for (; i < body->n && (i <= call || at - body->insn[call - back].at < JUMP_BYTES); i++) {
		const struct insn *insn = &body->insn[i];

		if (!insn->movable || (insn->is_syscall && i != call) ||
		    (insn->target && i != call - back) || (i > 0 && i > call && insn[-1].ends))
			return false;
		at = insn->at + insn->bytes;
	}
	if (at - body->insn[call - back].at < JUMP_BYTES)
		return false;
	site->start = body->insn[call - back].at;
	site->end = at;
	return true;
}

static bool fit(const struct search *search, size_t call, struct weft__site *site)
{
	for (size_t back = 0; back <= REACH_BACK && back <= call; back++)
		if (fit_window(search, call, back, site))
			return true;
	return false;
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
	return 0;
}

static int find_in_function(struct search *search, weft__wanted *wanted, struct weft__sites *sites)
{
	for (size_t i = 0; i < search->body.n; i++) {
		struct weft__site site = {.syscall = search->body.insn[i].at};

		if (!search->body.insn[i].is_syscall)
			continue;
		site.nr = number_of(search, i);
		if (!wanted(site.nr))
			continue;
		if (!fit(search, i, &site))
			sites->unfit++;
		else if (add_site(sites, &site) != 0)
			return -ENOMEM;
	}
	return 0;
}

int weft__find_sites(const struct weft__text *text, weft__wanted *wanted, struct weft__sites *sites)
{
	struct search search = {.text = text};
	const uint8_t *end = (const uint8_t *)text->end - 1;
	int err = 0;

	*sites = (struct weft__sites){.n = 0};
	search.targets = calloc((text->end - text->start) / 8 + 1, 1);
	if (search.targets == NULL)
		return -ENOMEM;
	ZydisDecoderInit(&search.decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	mark_far_jumps(&search);
	for (const uint8_t *byte = (const uint8_t *)text->start;
	     err == 0 && (byte = memchr(byte, 0x0f, (size_t)(end - byte))) != NULL; byte++) {
		struct weft__function function;

		if (byte[1] != 0x05 || (uintptr_t)byte < search.body.function.end)
			continue;
		if (!weft__find_function((uintptr_t)byte, &function))
			continue;
		err = decode_function(&search, &function);
		if (err == 0)
			err = find_in_function(&search, wanted, sites);
	}
	free(search.targets);
	free(search.body.insn);
	if (err != 0)
		free(sites->site);
	return err;
}
