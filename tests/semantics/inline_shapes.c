/* See inline_calls.h. Stands in the program and in a library of its own. */
#include "inline_calls.h"

#include <stddef.h>

/* clang-format off */
#define SHAPE(name, body) \
	inline_call name; \
	__asm__(".text\n.p2align 4\n.type " #name ", @function\n.hidden " #name "\n" #name ":\n" \
		".cfi_startproc\n" body "\n.cfi_endproc\n.size " #name ", . - " #name "\n");

#define ARGUMENTS "mov %rsi, %rdi\nmov %rdx, %rsi\nmov %rcx, %rdx\nxor %r10d, %r10d\n"
#define READ "0"

/* As libc's syscall(), and with nothing but `ret` behind it. */
SHAPE(number_in_register, "mov %rdi, %rax\n" ARGUMENTS "syscall\nret")
SHAPE(number_before_call, ARGUMENTS "mov $" READ ", %eax\nsyscall\nret")
SHAPE(number_by_xor, ARGUMENTS "xor %eax, %eax\nsyscall\nret")
SHAPE(number_far_away,
      "mov $" READ ", %eax\npush %rbx\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset %rbx, 0\n"
      ARGUMENTS
      "lea 1(%rsi), %rbx\nsub $1, %rbx\ncmp %rbx, %rsi\nje 1f\nud2\n"
      "1: mov %rdx, %rbx\nmov %rbx, %rdx\ntest %rbx, %rbx\nsyscall\n"
      "pop %rbx\n.cfi_adjust_cfa_offset -8\n.cfi_restore %rbx\nret")
SHAPE(jump_behind, "mov %rdi, %rax\n" ARGUMENTS "1: syscall\njmp 2f\nud2\n"
      "3: add $0, %rax\nret\n2: cmp $-512, %rax\nje 1b\njmp 3b")
SHAPE(condition_behind, "mov %rdi, %rax\n" ARGUMENTS "1: syscall\njz 2f\njmp 3f\n"
      "2: ret\n3: ret\ntest %eax, %eax\njmp 1b")
SHAPE(memory_before, "mov %rdi, %rax\n" ARGUMENTS
      "jmp 2f\n1: ud2\n2: add inline_zero(%rip), %rdx\nsyscall\njmp 3f\njmp 1b\n3: ret")
SHAPE(long_jump_behind, "mov %rdi, %rax\n" ARGUMENTS "1: syscall\njmp 2f\n.skip 300, 0x90\n"
      "2: cmp $-512, %rax\nje 1b\nret")
/* The frame lies in the red zone, and what the kernel leaves alone is counted on. */
SHAPE(registers_kept,
      "mov %rdi, %rax\n" ARGUMENTS "mov %rdi, -8(%rsp)\nmov %rsi, -128(%rsp)\n"
      "mov $11, %r8d\nmov $12, %r9d\nmovq %rsi, %xmm0\nmovq %rdx, %xmm15\n"
      "syscall\n"
      "cmp %rdi, -8(%rsp)\njne 1f\ncmp %rsi, -128(%rsp)\njne 1f\n"
      "cmp $11, %r8\njne 1f\ncmp $12, %r9\njne 1f\ntest %r10, %r10\njne 1f\n"
      "movq %xmm0, %rcx\ncmp %rcx, %rsi\njne 1f\nmovq %xmm15, %rcx\ncmp %rcx, %rdx\njne 1f\n"
      "ret\n1: ud2")
/* clang-format on */

__attribute__((visibility("hidden"), used)) long inline_zero;

/* As in a program that has the kernel's headers and no libc: cases that share one instruction. */
static __attribute__((noinline)) long by_compiler(long nr, long a, long b, long c)
{
	register long r10 __asm__("r10") = 0;
	long result;

	switch (nr) {
	case SYS_read:
	case SYS_write:
		__asm__ volatile("syscall"
				 : "=a"(result)
				 : "0"(nr), "D"(a), "S"(b), "d"(c)
				 : "rcx", "r11", "memory");
		break;
	case SYS_nanosleep:
		__asm__ volatile("syscall"
				 : "=a"(result)
				 : "0"(SYS_nanosleep), "D"(a), "S"(b)
				 : "rcx", "r11", "memory");
		break;
	default:
		__asm__ volatile("syscall"
				 : "=a"(result)
				 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
				 : "rcx", "r11", "memory");
	}
	return result;
}

const struct shape inline_shapes[] = {
	{"number in a register", number_in_register, -1},
	{"number before the call", number_before_call, SYS_read},
	{"number by xor", number_by_xor, SYS_read},
	{"number far away", number_far_away, SYS_read},
	{"a jump behind", jump_behind, -1},
	{"a condition behind", condition_behind, -1},
	{"memory before, relative to the instruction", memory_before, -1},
	{"a long jump behind", long_jump_behind, -1},
	{"registers kept", registers_kept, -1},
	{"made by the compiler", by_compiler, -1},
	{NULL, NULL, 0},
};
