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

/* What GCC makes of such loops without optimisation: a flag, a lock, a word that is another's turn. */
LOOP(kept, "mov -24(%rbp), %rax\n\tmov %rax, -8(%rbp)\n\tmov -8(%rbp), %rax\n\tmov (%rax), %eax\n\t"
	   "mov %eax, -12(%rbp)\n\tmov -12(%rbp), %eax\n\ttest %eax, %eax\n\tje kept")
LOOP(kept_turn,
     "lea kept_turn(%rip), %rax\n\tmov %rax, -8(%rsp)\n\tmov -8(%rsp), %rax\n\tmov (%rax), %eax\n\t"
     "mov %eax, -12(%rsp)\n\tmov -12(%rsp), %eax\n\tcmp -20(%rsp), %eax\n\tjne kept_turn")
LOOP(kept_truth, "mov -8(%rbp), %rax\n\tmov (%rax), %eax\n\ttest %eax, %eax\n\tsete %al\n\tmov "
		 "%al, -9(%rbp)\n\t"
		 "cmpb $0, -9(%rbp)\n\tjne kept_truth")
LOOP(kept_exchange,
     "mov -40(%rbp), %rax\n\tmov %rax, -8(%rbp)\n\tmovl $1, -24(%rbp)\n\tmov -24(%rbp), %eax\n\t"
     "mov %eax, %edx\n\tmov -8(%rbp), %rax\n\txchg %edx, (%rax)\n\tmov %edx, %eax\n\t"
     "mov %eax, -28(%rbp)\n\tmov -28(%rbp), %eax\n\ttest %eax, %eax\n\tjne kept_exchange")
LOOP(kept_swap,
     "movl $0, -12(%rbp)\n\tmov -24(%rbp), %rax\n\tmov %rax, -8(%rbp)\n\tmovl $1, -16(%rbp)\n\t"
     "mov -16(%rbp), %eax\n\tmov %eax, %ecx\n\tmov -8(%rbp), %rsi\n\tlea -12(%rbp), %rdx\n\t"
     "mov (%rdx), %eax\n\tlock cmpxchg %ecx, (%rsi)\n\tmov %eax, %ecx\n\tsete %al\n\t"
     "test %al, %al\n\tjne 1f\n\tmov %ecx, (%rdx)\n1:\txor $1, %eax\n\ttest %al, %al\n\t"
     "jne kept_swap")
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
LOOP(counted_kept, "addl $1, -4(%rbp)\n\tmov -4(%rbp), %eax\n\tcmp (%rdi), %eax\n\tjl counted_kept")
LOOP(added_kept,
     "mov -16(%rbp), %rax\n\tmov (%rax), %eax\n\tadd -4(%rbp), %eax\n\tmov %eax, -4(%rbp)\n\t"
     "cmp $1000, %eax\n\tjl added_kept")
/* -16(%rbp) may have the address of -4(%rbp). */
LOOP(added_behind,
     "mov -16(%rbp), %rax\n\tmov (%rax), %eax\n\tadd $1, %eax\n\tmov %eax, -4(%rbp)\n\t"
     "cmp $1000, %eax\n\tjl added_behind")
LOOP(listed_kept,
     "mov -8(%rbp), %rax\n\tmov (%rax), %rax\n\tmov %rax, -8(%rbp)\n\tcmpq $0, -8(%rbp)\n\t"
     "jne listed_kept")
LOOP(searched_kept,
     "mov -8(%rbp), %rax\n\tlea 4(%rax), %rdx\n\tmov %rdx, -8(%rbp)\n\tmov (%rax), %eax\n\t"
     "cmp %eax, -12(%rbp)\n\tjne searched_kept")
LOOP(looked_at_own,
     "movl $0, -4(%rbp)\n\tmov -4(%rbp), %eax\n\ttest %eax, %eax\n\tje looked_at_own")
LOOP(stored_by_pointer,
     "mov -8(%rbp), %rax\n\tmov (%rcx), %edx\n\tmov %edx, (%rax)\n\ttest %edx, %edx\n\t"
     "je stored_by_pointer")
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
	WAITS(kept);
	WAITS(kept_turn);
	WAITS(kept_truth);
	WAITS(kept_exchange);
	expect("apart", apart + 2, apart_end, true);
}

/* Where what the compare is about has been looked up already, the place it stands at is not known. */
Test(spins, most_of_a_loop_that_swaps_words_on_the_stack_waits)
{
	int waiting, all;

	count(kept_swap, kept_swap_end, &waiting, &all);
	cr_expect(waiting >= all / 2, "waits at %d of %d instructions", waiting, all);
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
	WORKS(counted_kept);
	WORKS(added_kept);
	WORKS(added_behind);
	WORKS(listed_kept);
	WORKS(searched_kept);
	WORKS(looked_at_own);
	WORKS(stored_by_pointer);
	WORKS(straight);
}
