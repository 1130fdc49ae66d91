/*
 * See filter.h. Only what seccomp_check_filter() of the kernel lets pass: words of the call's data,
 * 16 words of scratch memory, and jumps forward, so that every program ends.
 */
#include "filter.h"

#include <stdbool.h>
#include <string.h>

struct machine {
	uint32_t a, x, scratch[BPF_MEMWORDS];
	unsigned int at; /* the next instruction */
	bool valid;
};

static uint32_t compute(struct machine *machine, const struct sock_filter *op)
{
	uint32_t by = BPF_SRC(op->code) == BPF_X ? machine->x : op->k;

	switch (BPF_OP(op->code)) {
	case BPF_ADD:
		return machine->a + by;
	case BPF_SUB:
		return machine->a - by;
	case BPF_MUL:
		return machine->a * by;
	case BPF_DIV:
		return by == 0 ? 0 : machine->a / by;
	case BPF_AND:
		return machine->a & by;
	case BPF_OR:
		return machine->a | by;
	case BPF_XOR:
		return machine->a ^ by;
	case BPF_LSH:
		return machine->a << (by & 31);
	case BPF_RSH:
		return machine->a >> (by & 31);
	case BPF_NEG:
		return -machine->a;
	default:
		machine->valid = false;
		return 0;
	}
}

static void jump(struct machine *machine, const struct sock_filter *op)
{
	uint32_t with = BPF_SRC(op->code) == BPF_X ? machine->x : op->k;
	bool taken = false;

	switch (BPF_OP(op->code)) {
	case BPF_JA:
		machine->at += op->k;
		machine->valid = op->k < BPF_MAXINSNS;
		return;
	case BPF_JEQ:
		taken = machine->a == with;
		break;
	case BPF_JGT:
		taken = machine->a > with;
		break;
	case BPF_JGE:
		taken = machine->a >= with;
		break;
	case BPF_JSET:
		taken = (machine->a & with) != 0;
		break;
	default:
		machine->valid = false;
	}
	machine->at += taken ? op->jt : op->jf;
}

static uint32_t load(struct machine *machine, const struct sock_filter *op,
		     const struct seccomp_data *call)
{
	uint32_t word;

	switch (BPF_MODE(op->code)) {
	case BPF_IMM:
		return op->k;
	case BPF_LEN:
		return sizeof(*call);
	case BPF_MEM:
		machine->valid = op->k < BPF_MEMWORDS;
		return machine->valid ? machine->scratch[op->k] : 0;
	case BPF_ABS:
		machine->valid = op->k <= sizeof(*call) - sizeof(word);
		if (!machine->valid)
			return 0;
		memcpy(&word, (const char *)call + op->k, sizeof(word));
		return word;
	default:
		machine->valid = false;
		return 0;
	}
}

static void store(struct machine *machine, const struct sock_filter *op, uint32_t word)
{
	machine->valid = op->k < BPF_MEMWORDS;
	if (machine->valid)
		machine->scratch[op->k] = word;
}

static void step(struct machine *machine, const struct sock_filter *op,
		 const struct seccomp_data *call)
{
	switch (BPF_CLASS(op->code)) {
	case BPF_LD:
		machine->a = load(machine, op, call);
		break;
	case BPF_LDX:
		machine->x = load(machine, op, call);
		break;
	case BPF_ST:
		store(machine, op, machine->a);
		break;
	case BPF_STX:
		store(machine, op, machine->x);
		break;
	case BPF_ALU:
		machine->a = compute(machine, op);
		break;
	case BPF_JMP:
		jump(machine, op);
		break;
	default: /* BPF_MISC */
		if (BPF_MISCOP(op->code) == BPF_TAX)
			machine->x = machine->a;
		else
			machine->a = machine->x;
	}
}

uint32_t weft__filter_verdict(const struct sock_filter *program, unsigned int length,
			      const struct seccomp_data *call)
{
	struct machine machine = {.valid = true};

	while (machine.valid && machine.at < length) {
		const struct sock_filter *op = &program[machine.at++];

		if (BPF_CLASS(op->code) == BPF_RET)
			return BPF_RVAL(op->code) == BPF_A ? machine.a : op->k;
		if (op->code == (BPF_ALU | BPF_DIV | BPF_X) && machine.x == 0)
			return SECCOMP_RET_KILL_THREAD; /* a division by nothing returns 0 */
		step(&machine, op, call);
	}
	return SECCOMP_RET_ALLOW;
}
