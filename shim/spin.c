/*
 * See spin.h. A task waits if there is a way through the code, from where it was stopped back to
 * there, that
 *
 *   - makes no call, and no stores but those that try for a lock (xchg, cmpxchg, bts), and copies
 *     to places on the stack
 *   - loads something, or has a `pause`
 *   - leaves nothing of what the registers were: after two rounds, no register it writes depends on
 *     one that it writes; save for those that only count, being stepped by a constant and compared
 *
 * For whoever goes that way twice can go on so for ever. A sum, a search and a walk along a list have
 * registers that depend on what they were; a look at one word has not, nor has a look at a word of
 * each of several threads.
 *
 * What the compiler does not keep in registers (-O0) it keeps on the stack, at places that are told
 * by the distance from rbp or rsp. They are taken for registers more, and are given copies only: of
 * what has been loaded, of what some instruction names, whether one was equal to another. Whatever else
 * such a place is known by, a pointer say, nothing is counted or added up by copying.
 */
#include "spin.h"

#include <Zydis/Zydis.h>
#include <stddef.h>

#include "call.h"

/* How far a loop may reach from the instruction where the task was stopped. */
#define REACH 192U

/* The most instructions that are looked at, and the most branches of a way. */
#define MOST_INSTRUCTIONS 200
#define MOST_BRANCHES 10

#define REGISTERS 16U

/* The most places on the stack that a way uses. They are numbered behind the registers. */
#define PLACES 8U
#define VALUES (REGISTERS + PLACES)

#define RBP_BIT (1U << (ZYDIS_REGISTER_RBP - ZYDIS_REGISTER_RAX))
#define RSP_BIT (1U << (ZYDIS_REGISTER_RSP - ZYDIS_REGISTER_RAX))

struct instruction {
	ZydisDecodedInstruction decoded;
	ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
	uintptr_t next;
};

struct code {
	uintptr_t begin, end; /* addresses in the program of what bytes[] has */
	ZydisDecoder decoder;
	struct instruction insn; /* what was decoded last */
	int decoded;             /* how many have been */
	uint8_t bytes[2 * REACH];
};

/* A place on the stack: a distance from rbp or rsp. */
struct place {
	ZydisRegister base;
	int64_t at;
};

/* What has been seen on a way. Sets of registers and places are by value_bit(). */
struct way {
	uint32_t from[VALUES]; /* those whose values at the start each one's value depends on */
	uint32_t written;
	uint32_t set;       /* of those, other than by a step */
	uint32_t used;      /* read other than by a step or a comparison */
	uint32_t looked;    /* places that were read */
	uint32_t made;      /* what they have was computed */
	uint32_t addresses; /* registers that have the address of a place, points_to[] */
	uint8_t points_to[REGISTERS];
	struct place place[PLACES];
	unsigned int places;
	bool looks;
	int branches;
	uint8_t seen[2 * REACH / 8]; /* where it has been, a bit for each byte of the code */
};

static bool read_code(struct code *code, uintptr_t pc)
{
	code->decoded = 0;
	code->begin = pc - REACH;
	code->end = pc + REACH;
	if (weft__copy(code->bytes + REACH, (const void *)pc, REACH) != 0)
		return false;
	if (weft__copy(code->bytes, (const void *)code->begin, REACH) != 0)
		code->begin = pc;
	ZydisDecoderInit(&code->decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	return true;
}

static bool decode(struct code *code, uintptr_t at)
{
	struct instruction *insn = &code->insn;
	const uint8_t *bytes = code->bytes + sizeof(code->bytes) - (code->end - at);

	if (++code->decoded > MOST_INSTRUCTIONS || at < code->begin || at >= code->end ||
	    !ZYAN_SUCCESS(ZydisDecoderDecodeFull(&code->decoder, bytes, code->end - at,
						 &insn->decoded, insn->operand)))
		return false;
	insn->next = at + insn->decoded.length;
	return true;
}

/* The address that a jump goes to, or 0 when it is none, or its way is not in the instruction. */
static uintptr_t jump_target(const struct instruction *insn)
{
	const ZydisDecodedOperand *to = &insn->operand[0];

	if (insn->decoded.meta.category != ZYDIS_CATEGORY_COND_BR &&
	    insn->decoded.meta.category != ZYDIS_CATEGORY_UNCOND_BR)
		return 0;
	if (insn->decoded.operand_count == 0 || to->type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
		return 0;
	return insn->next + (uintptr_t)to->imm.value.s;
}

/* Whether it leaves the loop for good, or for what cannot be followed. */
static bool leaves(const struct instruction *insn)
{
	switch (insn->decoded.meta.category) {
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_RET:
	case ZYDIS_CATEGORY_SYSCALL:
	case ZYDIS_CATEGORY_SYSRET:
	case ZYDIS_CATEGORY_INTERRUPT:
	case ZYDIS_CATEGORY_SYSTEM:
		return insn->decoded.mnemonic != ZYDIS_MNEMONIC_RDTSC;
	case ZYDIS_CATEGORY_COND_BR:
	case ZYDIS_CATEGORY_UNCOND_BR:
		return jump_target(insn) == 0;
	default:
		return false;
	}
}

/* Whether a register is neither of the general ones, nor one that says nothing of the work done. */
static bool is_for_work(ZydisRegister reg)
{
	return reg != ZYDIS_REGISTER_NONE && reg != ZYDIS_REGISTER_RIP &&
	       ZydisRegisterGetClass(reg) != ZYDIS_REGCLASS_FLAGS &&
	       ZydisRegisterGetClass(reg) != ZYDIS_REGCLASS_SEGMENT;
}

/* 0: not one of the general registers. */
static uint32_t register_bit(ZydisRegister reg)
{
	ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);

	if (whole >= ZYDIS_REGISTER_RAX && whole <= ZYDIS_REGISTER_R15)
		return 1U << (whole - ZYDIS_REGISTER_RAX);
	return 0;
}

static bool tries_lock(const struct instruction *insn)
{
	return insn->decoded.mnemonic == ZYDIS_MNEMONIC_XCHG ||
	       insn->decoded.mnemonic == ZYDIS_MNEMONIC_CMPXCHG ||
	       insn->decoded.mnemonic == ZYDIS_MNEMONIC_BTS;
}

/* The register that an instruction steps by a constant; 0: it does something else. */
static uint32_t stepped(const struct instruction *insn)
{
	const ZydisDecodedOperand *to = &insn->operand[0], *by = &insn->operand[1];

	if (to->type != ZYDIS_OPERAND_TYPE_REGISTER)
		return 0;
	switch (insn->decoded.mnemonic) {
	case ZYDIS_MNEMONIC_INC:
	case ZYDIS_MNEMONIC_DEC:
		return register_bit(to->reg.value);
	case ZYDIS_MNEMONIC_ADD:
	case ZYDIS_MNEMONIC_SUB:
		return by->type == ZYDIS_OPERAND_TYPE_IMMEDIATE ? register_bit(to->reg.value) : 0;
	case ZYDIS_MNEMONIC_LEA:
		return by->mem.index == ZYDIS_REGISTER_NONE && by->mem.base == to->reg.value
			       ? register_bit(to->reg.value)
			       : 0;
	default:
		return 0;
	}
}

/* xor of a register with itself reads nothing. */
static bool clears(const struct instruction *insn)
{
	return (insn->decoded.mnemonic == ZYDIS_MNEMONIC_XOR ||
		insn->decoded.mnemonic == ZYDIS_MNEMONIC_SUB) &&
	       insn->operand[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       insn->operand[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       insn->operand[0].reg.value == insn->operand[1].reg.value;
}

static bool compares(const struct instruction *insn)
{
	return insn->decoded.mnemonic == ZYDIS_MNEMONIC_CMP ||
	       insn->decoded.mnemonic == ZYDIS_MNEMONIC_TEST;
}

static bool on_stack(const ZydisDecodedOperandMem *mem)
{
	return (mem->base == ZYDIS_REGISTER_RBP || mem->base == ZYDIS_REGISTER_RSP) &&
	       mem->index == ZYDIS_REGISTER_NONE && mem->segment != ZYDIS_REGISTER_FS &&
	       mem->segment != ZYDIS_REGISTER_GS;
}

/* The number of the place on the stack that an operand is; 0: it is none, or there is no room. */
static unsigned int place_of(struct way *way, const ZydisDecodedOperandMem *mem)
{
	uint32_t base = register_bit(mem->base);

	if (mem->index == ZYDIS_REGISTER_NONE && mem->disp.value == 0 &&
	    (way->addresses & base) != 0)
		return way->points_to[__builtin_ctz(base)];
	if (!on_stack(mem))
		return 0;
	for (unsigned int i = 0; i < way->places; i++)
		if (way->place[i].base == mem->base && way->place[i].at == mem->disp.value)
			return REGISTERS + i;
	if (way->places == PLACES)
		return 0;
	way->place[way->places] = (struct place){mem->base, mem->disp.value};
	return REGISTERS + way->places++;
}

/* Whether what an instruction writes is a copy, or one of two values. */
static bool copies(const struct instruction *insn)
{
	const ZydisDecodedOperand *from = &insn->operand[1];

	switch (insn->decoded.mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
	case ZYDIS_MNEMONIC_MOVZX:
	case ZYDIS_MNEMONIC_MOVSX:
	case ZYDIS_MNEMONIC_MOVSXD:
	case ZYDIS_MNEMONIC_CDQE:
	case ZYDIS_MNEMONIC_XCHG:
	case ZYDIS_MNEMONIC_CMPXCHG:
		return true;
	case ZYDIS_MNEMONIC_LEA:
		return on_stack(&from->mem) || (from->mem.base == ZYDIS_REGISTER_RIP &&
						from->mem.index == ZYDIS_REGISTER_NONE);
	default:
		return insn->decoded.meta.category == ZYDIS_CATEGORY_SETCC || clears(insn);
	}
}

/* What an instruction does with registers and places. */
struct effect {
	uint32_t addresses; /* read to find the memory it is about */
	uint32_t read, written;
};

/* An operand in memory; false when no way that waits has it. */
static bool list_memory(struct way *way, const struct instruction *insn,
			const ZydisDecodedOperand *op, struct effect *effect)
{
	bool writes = (op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
	unsigned int place;

	effect->addresses |= register_bit(op->mem.base) | register_bit(op->mem.index);
	if (op->mem.type != ZYDIS_MEMOP_TYPE_MEM)
		return true;
	way->used |= effect->addresses;
	place = place_of(way, &op->mem);
	if (writes && !tries_lock(insn)) {
		if (place != 0)
			effect->written |= 1U << place;
		return place != 0 && insn->decoded.mnemonic == ZYDIS_MNEMONIC_MOV;
	}
	if (place != 0)
		effect->read |= 1U << place;
	else
		way->looks = true;
	way->looked |= effect->read >> REGISTERS << REGISTERS;
	return true;
}

/* All operands; false when no way that waits has it. */
static bool list_values(struct way *way, const struct instruction *insn, struct effect *effect)
{
	for (size_t i = 0; i < insn->decoded.operand_count; i++) {
		const ZydisDecodedOperand *op = &insn->operand[i];
		bool writes = (op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;

		if (op->type == ZYDIS_OPERAND_TYPE_MEMORY) {
			if (!list_memory(way, insn, op, effect))
				return false;
		} else if (op->type == ZYDIS_OPERAND_TYPE_REGISTER) {
			if ((op->actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0)
				effect->read |= register_bit(op->reg.value);
			if (writes && register_bit(op->reg.value) == 0 &&
			    is_for_work(op->reg.value))
				return false;
			if (writes)
				effect->written |= register_bit(op->reg.value);
		}
	}
	return true;
}

/* A register is given the address of a place on the stack, or anything else. */
static void note_address(struct way *way, const struct instruction *insn, uint32_t written)
{
	unsigned int place = 0;

	way->addresses &= ~written;
	if (insn->decoded.mnemonic == ZYDIS_MNEMONIC_LEA && on_stack(&insn->operand[1].mem))
		place = place_of(way, &insn->operand[1].mem);
	if (place == 0 || written == 0)
		return;
	way->addresses |= written;
	way->points_to[__builtin_ctz(written)] = (uint8_t)place;
}

/* Add an instruction to a way; false when no way that waits has it. */
static bool add(struct way *way, const struct instruction *insn)
{
	struct effect effect = {.read = 0};
	uint32_t made = way->made, from = 0;

	if (!list_values(way, insn, &effect))
		return false;
	way->looks = way->looks || insn->decoded.mnemonic == ZYDIS_MNEMONIC_PAUSE;
	if (clears(insn))
		effect.read = 0;
	for (unsigned int value = 0; value < VALUES; value++)
		if (((effect.read | effect.addresses) >> value & 1) != 0)
			from |= way->from[value];
	for (unsigned int value = 0; value < VALUES; value++)
		if ((effect.written >> value & 1) != 0)
			way->from[value] = from;
	way->made &= ~effect.written;
	if (!copies(insn) || (effect.read & made) != 0)
		way->made |= effect.written;
	if (stepped(insn) == 0) {
		way->set |= effect.written;
		if (!compares(insn))
			way->used |= effect.read | effect.addresses;
	}
	way->written |= effect.written;
	note_address(way, insn, effect.written);
	return way->made >> REGISTERS == 0;
}

/* Whether all places on the stack are where they were, and have been given copies. */
static bool only_copied(const struct way *way)
{
	for (unsigned int place = REGISTERS; place < VALUES; place++)
		if ((way->written >> place & 1) != 0 && (way->from[place] & way->made) != 0)
			return false;
	return way->places == 0 || (way->written & (RBP_BIT | RSP_BIT)) == 0;
}

/* Whether a way that has come back to its start waits. */
static bool waits(const struct way *way)
{
	for (unsigned int value = 0; value < VALUES; value++) {
		bool counts = ((way->set | way->used) >> value & 1) == 0;
		uint32_t before = 0;

		if ((way->written >> value & 1) == 0 || counts)
			continue;
		for (unsigned int by = 0; by < VALUES; by++)
			if ((way->from[value] >> by & 1) != 0)
				before |= way->from[by];
		if ((before & way->written) != 0)
			return false;
	}
	/* What it has put somewhere itself tells it nothing. */
	return (way->looks || (way->looked & ~way->written) != 0) && only_copied(way);
}

/* Note that a way has come to `at`; whether it had been there. */
static bool been_at(const struct code *code, struct way *way, uintptr_t at)
{
	size_t byte = sizeof(code->bytes) - (code->end - at);
	bool been = (way->seen[byte / 8] >> byte % 8 & 1) != 0;

	way->seen[byte / 8] |= (uint8_t)(1U << byte % 8);
	return been;
}

/* Whether a way goes on from `at` to `pc`, and waits. */
// NOLINTNEXTLINE(misc-no-recursion): as deep as a way has branches, MOST_BRANCHES at most
static bool leads_back(struct code *code, struct way way, uintptr_t at, uintptr_t pc, bool begins)
{
	while (at != pc || begins) {
		const struct instruction *insn = &code->insn;
		uintptr_t target;

		begins = false;
		if (!decode(code, at) || been_at(code, &way, at) || leaves(insn) ||
		    !add(&way, insn))
			return false;
		target = jump_target(insn);
		at = insn->next;
		if (target == 0)
			continue;
		if (insn->decoded.meta.category == ZYDIS_CATEGORY_COND_BR) {
			bool back_first = target <= pc;

			if (++way.branches > MOST_BRANCHES)
				return false;
			if (leads_back(code, way, back_first ? target : at, pc, false))
				return true;
			target = back_first ? at : target;
		}
		at = target;
	}
	return waits(&way);
}

static bool find_wait(struct code *code, uintptr_t pc)
{
	struct way way = {.looks = false};

	for (unsigned int value = 0; value < VALUES; value++)
		way.from[value] = 1U << value;
	return leads_back(code, way, pc, pc, true);
}

bool weft__spins(uintptr_t pc)
{
	static struct {
		uintptr_t pc;
		bool spins;
	} known[64], *entry;     /* by the lowest bits of pc */
	static struct code code; /* for the kernel's handler there is one at a time */

	entry = &known[pc % 64];
	if (entry->pc != pc) {
		entry->spins = read_code(&code, pc) && find_wait(&code, pc);
		entry->pc = pc;
	}
	return entry->spins;
}

void weft__spins_begin(void)
{
	/* 1: pause; add $1, %ecx; mov (%rdi,%rdx), %eax; test %eax, %eax; jz 1b */
	static const uint8_t sample[] = {0xf3, 0x90, 0x83, 0xc1, 0x01, 0x8b,
					 0x04, 0x17, 0x85, 0xc0, 0x74, 0xf4};

	weft__spins((uintptr_t)sample);
}
