/*
 * See spin.h. A task waits if there is a way through the code, from where it was stopped back to
 * there, that
 *
 *   - makes no call, and no stores but those that try for a lock (xchg, cmpxchg, bts)
 *   - loads something, or has a `pause`
 *   - leaves nothing of what the registers were: after two rounds, no register it writes depends on
 *     one that it writes; save for those that only count, being stepped by a constant and compared
 *
 * For whoever goes that way twice can go on so for ever. A sum, a search and a walk along a list have
 * registers that depend on what they were; a look at one word has not, nor has a look at a word of
 * each of several threads. What the compiler does not keep in registers (-O0) has stores, and is
 * not recognised.
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

/* What has been seen on a way. Sets of registers are by register_bit(). */
struct way {
	uint16_t from[REGISTERS]; /* those whose values at the start each one's value depends on */
	uint16_t written;
	uint16_t set;  /* of those, other than by a step */
	uint16_t used; /* read other than by a step or a comparison */
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
static uint16_t register_bit(ZydisRegister reg)
{
	ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);

	if (whole >= ZYDIS_REGISTER_RAX && whole <= ZYDIS_REGISTER_R15)
		return (uint16_t)(1U << (whole - ZYDIS_REGISTER_RAX));
	return 0;
}

static bool tries_lock(const struct instruction *insn)
{
	return insn->decoded.mnemonic == ZYDIS_MNEMONIC_XCHG ||
	       insn->decoded.mnemonic == ZYDIS_MNEMONIC_CMPXCHG ||
	       insn->decoded.mnemonic == ZYDIS_MNEMONIC_BTS;
}

/* The register that an instruction steps by a constant; 0: it does something else. */
static uint16_t stepped(const struct instruction *insn)
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

/* What an instruction does with the general registers; false when no way that waits has it. */
static bool list_registers(struct way *way, const struct instruction *insn, uint16_t *read,
			   uint16_t *written)
{
	for (size_t i = 0; i < insn->decoded.operand_count; i++) {
		const ZydisDecodedOperand *op = &insn->operand[i];
		bool writes = (op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;

		if (op->type == ZYDIS_OPERAND_TYPE_MEMORY) {
			*read |= register_bit(op->mem.base) | register_bit(op->mem.index);
			if (op->mem.type != ZYDIS_MEMOP_TYPE_MEM)
				continue;
			way->used |= register_bit(op->mem.base) | register_bit(op->mem.index);
			if (writes && !tries_lock(insn))
				return false;
			way->looks = true;
		} else if (op->type == ZYDIS_OPERAND_TYPE_REGISTER) {
			if ((op->actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0)
				*read |= register_bit(op->reg.value);
			if (writes && register_bit(op->reg.value) == 0 &&
			    is_for_work(op->reg.value))
				return false;
			if (writes)
				*written |= register_bit(op->reg.value);
		}
	}
	return true;
}

/* Add an instruction to a way; false when no way that waits has it. */
static bool add(struct way *way, const struct instruction *insn)
{
	uint16_t read = 0, written = 0, from = 0;
	bool steps = stepped(insn) != 0;

	if (!list_registers(way, insn, &read, &written))
		return false;
	way->looks = way->looks || insn->decoded.mnemonic == ZYDIS_MNEMONIC_PAUSE;
	if (clears(insn))
		read = 0;
	for (unsigned int reg = 0; reg < REGISTERS; reg++)
		if ((read >> reg & 1) != 0)
			from |= way->from[reg];
	for (unsigned int reg = 0; reg < REGISTERS; reg++)
		if ((written >> reg & 1) != 0)
			way->from[reg] = from;
	if (!steps) {
		way->set |= written;
		if (!compares(insn))
			way->used |= read;
	}
	way->written |= written;
	return true;
}

/* Whether a way that has come back to its start waits. */
static bool waits(const struct way *way)
{
	for (unsigned int reg = 0; reg < REGISTERS; reg++) {
		bool counts = ((way->set | way->used) >> reg & 1) == 0;
		uint16_t before = 0;

		if ((way->written >> reg & 1) == 0 || counts)
			continue;
		for (unsigned int by = 0; by < REGISTERS; by++)
			if ((way->from[reg] >> by & 1) != 0)
				before |= way->from[by];
		if ((before & way->written) != 0)
			return false;
	}
	return way->looks;
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

	for (unsigned int reg = 0; reg < REGISTERS; reg++)
		way.from[reg] = (uint16_t)(1U << reg);
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
