/*
 * See code.h.
 *
 * Whatever may be jumped to is marked: what direct jumps or calls of the whole text lead to; those
 * with 32-bit displacements are taken from every byte position, decoded or not, so that none from a
 * far part of a function is missed (a position that is none forbids a window needlessly, once in
 * some ten thousand); what the function's jump tables list; and what it takes the address of. The
 * text is looked through when the first function with a call is there.
 */
#include "code.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_FUNCTION (256 * 1024)
/* How many instructions before the call are searched for its number. */
#define SEARCH_BACK 16

static bool decode_one(const ZydisDecoder *decoder, uintptr_t at, uintptr_t end,
		       ZydisDecodedInstruction *out)
{
	return ZYAN_SUCCESS(
		ZydisDecoderDecodeInstruction(decoder, NULL, (const void *)at, end - at, out));
}

static bool add_insn(struct weft__code *code, const struct weft__insn *insn)
{
	if (code->n == code->room) {
		size_t room = code->room == 0 ? 256 : 2 * code->room;
		struct weft__insn *more = realloc(code->insn, room * sizeof(*more));

		if (more == NULL)
			return false;
		code->insn = more;
		code->room = room;
	}
	code->insn[code->n++] = *insn;
	return true;
}

/* A decoder that does no more than necessary tells no categories: that takes half the time. */
static bool is_jump(const ZydisDecodedInstruction *insn)
{
	if (insn->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
		return false;
	switch (insn->mnemonic) {
	case ZYDIS_MNEMONIC_CALL:
	case ZYDIS_MNEMONIC_JMP:
	case ZYDIS_MNEMONIC_XBEGIN:
		return true;
	default:
		break;
	}
	if (insn->opcode_map == ZYDIS_OPCODE_MAP_0F) /* jcc rel32 */
		return (insn->opcode & 0xf0) == 0x80;
	/* jcc rel8; loopne, loope, loop, jrcxz */
	return insn->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT &&
	       ((insn->opcode & 0xf0) == 0x70 || (insn->opcode & 0xfc) == 0xe0);
}

/* Whether control does not come to what is behind it. */
static bool ends_flow(const ZydisDecodedInstruction *insn)
{
	return insn->mnemonic == ZYDIS_MNEMONIC_JMP || insn->mnemonic == ZYDIS_MNEMONIC_RET ||
	       insn->mnemonic == ZYDIS_MNEMONIC_UD2 || insn->mnemonic == ZYDIS_MNEMONIC_HLT;
}

static bool is_idle(const ZydisDecodedInstruction *insn)
{
	return insn->mnemonic == ZYDIS_MNEMONIC_NOP || insn->mnemonic == ZYDIS_MNEMONIC_INT3 ||
	       insn->mnemonic == ZYDIS_MNEMONIC_UD2;
}

static bool is_relative(const ZydisDecodedInstruction *insn)
{
	return (insn->attributes & ZYDIS_ATTRIB_IS_RELATIVE) != 0;
}

/* Jumps of the two plain forms; `jrcxz`, `loop` and `xbegin` have no long one. */
static bool is_plain_jump(const ZydisDecodedInstruction *insn)
{
	bool is_short = insn->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT;

	if (insn->raw.prefix_count > 0 || insn->mnemonic == ZYDIS_MNEMONIC_CALL)
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
static void mark_relative_table(struct weft__code *code, uintptr_t table)
{
	const struct weft__function *function = &code->function;

	for (uintptr_t entry = table; weft__object_holds(code->object, entry, 4); entry += 4) {
		int32_t distance;

		memcpy(&distance, (const void *)entry, 4);
		if (displaced(table, distance) - function->start >= function->end - function->start)
			break;
		weft__mark(&code->targets, displaced(table, distance));
	}
}

/* The same of a program for a fixed address: addresses, as in the file. */
static void mark_absolute_table(struct weft__code *code, uintptr_t table)
{
	const struct weft__function *function = &code->function;

	for (; weft__object_holds(code->object, table, 8); table += 8) {
		uintptr_t address;

		memcpy(&address, (const void *)table, 8);
		address += code->object->base;
		if (address - function->start >= function->end - function->start)
			break;
		weft__mark(&code->targets, address);
	}
}

/* What an instruction jumps to or takes the address of, or jumps by. */
static void note_lead(const struct weft__code *code, struct weft__insn *out,
		      const ZydisDecodedInstruction *insn)
{
	uintptr_t behind = out->at + insn->length;

	if (is_jump(insn) && insn->raw.imm[0].is_relative) {
		out->lead = WEFT__LEADS_TO;
		out->leads = displaced(behind, insn->raw.imm[0].value.s);
	} else if (is_jump(insn) && insn->raw.disp.size == 32 && !is_relative(insn)) {
		out->lead = WEFT__LEADS_BY;
		out->leads = displaced(code->object->base, insn->raw.disp.value);
	} else if (insn->mnemonic == ZYDIS_MNEMONIC_LEA && is_relative(insn)) {
		out->lead = WEFT__TAKES;
		out->leads = displaced(behind, insn->raw.disp.value);
	}
}

static void mark_targets(struct weft__code *code, const struct weft__insn *insn)
{
	switch (insn->lead) {
	case WEFT__LEADS_NOWHERE:
		break;
	case WEFT__LEADS_TO:
		weft__mark(&code->targets, insn->leads);
		break;
	case WEFT__LEADS_BY:
		mark_absolute_table(code, insn->leads);
		break;
	case WEFT__TAKES:
		weft__mark(&code->targets, insn->leads);
		mark_relative_table(code, insn->leads);
		break;
	}
}

/* Mark all that jumps in the object may lead to, far away from the function as well. */
static int look_for_jumps(struct weft__code *code)
{
	struct weft__targets *targets = &code->targets;
	struct weft__text text = {0, 0};

	if (targets->bits != NULL)
		return 0;
	while (weft__object_next_text(code->object, &text)) {
		if (targets->end == 0)
			targets->start = text.start;
		targets->end = text.end;
	}
	targets->bits = calloc((targets->end - targets->start) / 8 + 1, 1);
	if (targets->bits == NULL)
		return -ENOMEM;
	for (text.end = 0; weft__object_next_text(code->object, &text);)
		weft__scan_jumps(&text, targets);
	return 0;
}

static struct weft__insn describe(const struct weft__code *code, uintptr_t at,
				  const ZydisDecodedInstruction *decoded)
{
	struct weft__insn insn = {.at = at,
				  .moved = way_of(decoded),
				  .is_syscall = decoded->mnemonic == ZYDIS_MNEMONIC_SYSCALL,
				  .ends = ends_flow(decoded),
				  .idle = is_idle(decoded)};

	note_lead(code, &insn, decoded);
	return insn;
}

int weft__code_decode(struct weft__code *code, const struct weft__function *function)
{
	ZydisDecodedInstruction decoded;

	code->function = *function;
	code->end = function->start;
	code->n = code->calls = 0;
	if (weft__code_is_too_long(code))
		return 0;
	while (code->end < function->end &&
	       decode_one(&code->measurer, code->end, function->end, &decoded)) {
		struct weft__insn insn = describe(code, code->end, &decoded);

		if (!add_insn(code, &insn))
			return -ENOMEM;
		code->calls += insn.is_syscall;
		code->end += decoded.length;
	}
	return 0;
}

int weft__code_find_targets(struct weft__code *code)
{
	if (look_for_jumps(code) != 0)
		return -ENOMEM;
	for (size_t i = 0; i < code->n; i++)
		mark_targets(code, &code->insn[i]);
	for (size_t i = 0; i < code->n; i++)
		code->insn[i].target = weft__marked(&code->targets, code->insn[i].at);
	return 0;
}

static bool writes_rax(const struct weft__code *code, const struct weft__insn *insn)
{
	ZydisDecodedInstruction decoded;
	ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];

	if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&code->decoder, (const void *)insn->at,
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
static int number_loaded(const struct weft__insn *insn)
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

int weft__code_number(const struct weft__code *code, size_t call)
{
	const struct weft__insn *insn = code->insn;

	for (size_t i = call; i > 0 && call - i < SEARCH_BACK; i--) {
		if (insn[i].target || insn[i - 1].ends)
			return -1;
		if (number_loaded(&insn[i - 1]) >= 0)
			return number_loaded(&insn[i - 1]);
		if (writes_rax(code, &insn[i - 1]))
			return -1;
	}
	return -1;
}

bool weft__code_is_padding(const struct weft__code *code, uintptr_t start, uintptr_t end)
{
	ZydisDecodedInstruction decoded;

	for (; start < end; start += decoded.length)
		if (weft__marked(&code->targets, start) ||
		    !decode_one(&code->measurer, start, end, &decoded) || !is_idle(&decoded))
			return false;
	return true;
}

bool weft__code_is_too_long(const struct weft__code *code)
{
	return code->function.end - code->function.start > LONGEST_FUNCTION;
}

void weft__code_begin(struct weft__code *code, const struct weft__object *object)
{
	*code = (struct weft__code){.object = object};
	ZydisDecoderInit(&code->decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	code->measurer = code->decoder;
	ZydisDecoderEnableMode(&code->measurer, ZYDIS_DECODER_MODE_MINIMAL, ZYAN_TRUE);
}

void weft__code_end(struct weft__code *code)
{
	free(code->targets.bits);
	free(code->insn);
}
