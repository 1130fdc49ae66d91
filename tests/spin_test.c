/* Which loops are taken for waiting, at each of their instructions. */
#include "spin.h"

#include <Zydis/Zydis.h>
#include <criterion/criterion.h>
#include <string.h>

#include "call.h"

long weft__copy(void *to, const void *from, size_t n)
{
	memcpy(to, from, n);
	return 0;
}

/* A loop and what stands around it; the pointers are to its first instruction and behind its last. */
#define LOOP(name, text) \
	__asm__(".text\n\t.globl " #name "\n\t.globl " #name "_end\n" #name ":\n\t" text \
		"\n" #name "_end:\n\tret\n\t.fill 256, 1, 0x90\n"); \
	extern const unsigned char name[], name##_end[];

__asm__(".text\n\t.fill 256, 1, 0x90\n");

/* waiting */
LOOP(look, "mov (%rdi), %eax\n\tcmp %esi, %eax\n\tjne look")
LOOP(paused, "pause\n\tjmp paused")
LOOP(counted, "sub $1, %eax\n\tje 1f\n\tmov (%rbp), %rdx\n\ttest %rdx, %rdx\n\tje counted\n1:")
LOOP(delayed, "mov $100, %ecx\n1:\tpause\n\tdec %ecx\n\tjnz 1b\n\tcmpb $0, (%rdi)\n\tjne delayed")
LOOP(scanned,
     "mov %r12, %rdx\n\tmov $1, %eax\n\txor %ecx, %ecx\n1:\tadd $1, %eax\n\tadd $64, %rdx\n\t"
     "mov -64(%rdx), %rsi\n\tadd %rsi, %rcx\n\tcmp %eax, %r9d\n\tjg 1b\n\ttest %rcx, %rcx\n\t"
     "jne scanned")
LOOP(followed, "mov (%rdi), %rax\n\tcmpq $0, 8(%rax)\n\tje followed")
LOOP(tried, "mov $1, %eax\n\txchg %eax, (%rdi)\n\ttest %eax, %eax\n\tjne tried")
LOOP(swapped, "xor %eax, %eax\n\tlock cmpxchg %ecx, (%rdi)\n\tjne swapped")

LOOP(apart, "jmp 2f\n1:\tpause\n\tjmp 3f\n2:\n3:\tmov (%rdx), %rax\n\ttest %rax, %rax\n\tje 1b")

/* at work */
LOOP(added, "add (%rdi), %rax\n\tadd $8, %rdi\n\tcmp %rsi, %rdi\n\tjne added")
LOOP(added_same, "add (%rdi), %rax\n\tdec %ecx\n\tjne added_same")
LOOP(listed, "mov 8(%rax), %rax\n\ttest %rax, %rax\n\tjne listed")
LOOP(searched, "mov (%rdi), %eax\n\tadd $4, %rdi\n\tcmp %esi, %eax\n\tjne searched")
LOOP(indexed, "inc %rcx\n\tcmpb $0, (%rdi,%rcx)\n\tjne indexed")
LOOP(stored, "mov (%rdi), %eax\n\tmov %eax, (%rsi)\n\ttest %eax, %eax\n\tje stored")
LOOP(called, "mov (%rdi), %eax\n\tcall added_end\n\tcmp %esi, %eax\n\tjne called")
LOOP(pushed, "push %rax\n\tpop %rcx\n\tcmpl $0, (%rdi)\n\tje pushed")
LOOP(floating, "mulsd (%rdi), %xmm0\n\taddsd %xmm1, %xmm0\n\tdec %ecx\n\tjne floating")
LOOP(hashed, "movzbl (%rdi), %edx\n\tinc %rdi\n\timul $31, %eax, %eax\n\tadd %edx, %eax\n\tcmp "
	     "%rsi, %rdi\n\t"
	     "jne hashed")
LOOP(only_counted, "dec %ecx\n\tjne only_counted")
LOOP(counter, "lock incl (%rdi)\n\tdec %ecx\n\tjne counter")
LOOP(straight, "mov (%rdi), %eax\n\ttest %eax, %eax\n\tnop")

/* Of the instructions from `at` to `end`, those where a task that was stopped would be waiting. */
static void count(const unsigned char *at, const unsigned char *end, int *waiting, int *all)
{
	ZydisDecodedInstruction insn;
	ZydisDecoder decoder;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (*waiting = *all = 0; at < end; at += insn.length) {
		cr_assert(ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(
			&decoder, NULL, at, (ZyanUSize)(end - at), &insn)));
		*waiting += weft__spins((uintptr_t)at);
		++*all;
	}
}

static void expect(const char *name, const unsigned char *at, const unsigned char *end, bool waits)
{
	int waiting, all;

	count(at, end, &waiting, &all);
	cr_expect_eq(waiting, waits ? all : 0, "%s: waits at %d of %d instructions", name, waiting,
		     all);
}

#define WAITS(name) expect(#name, name, name##_end, true)
#define WORKS(name) expect(#name, name, name##_end, false)

Test(spins, loops_that_only_look_wait)
{
	WAITS(look);
	WAITS(paused);
	WAITS(counted);
	WAITS(delayed);
	WAITS(scanned);
	WAITS(followed);
	WAITS(tried);
	WAITS(swapped);
	expect("apart", apart + 2, apart_end, true);
}

Test(spins, loops_that_get_on_work)
{
	WORKS(added);
	WORKS(added_same);
	WORKS(listed);
	WORKS(searched);
	WORKS(indexed);
	WORKS(stored);
	WORKS(called);
	WORKS(pushed);
	WORKS(floating);
	WORKS(hashed);
	WORKS(only_counted);
	WORKS(counter);
	WORKS(straight);
}
