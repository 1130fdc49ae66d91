/* The reading of seccomp filters, held against the kernel's. */
#include "filter.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Filters made at random; each has a process of its own. */
#define FILTERS 1500
#define LONGEST 12

/* The call that is asked about fails with what the filter says, from 64 to 127; or else: */
#define NOT_INSTALLED 255
#define KILLED 0

static long ask_kernel(const long arg[3])
{
	return syscall(SYS_fcntl, arg[0], arg[1], arg[2], 0L, 0L, 0L) == -1 ? errno : 0;
}

static int told_by_kernel(struct sock_filter *program, unsigned short length, const long arg[3])
{
	struct sock_fprog filter = {length, program};
	pid_t child = fork();
	int status;

	cr_assert_geq(child, 0);
	if (child == 0) {
		bool installed = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
				 prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;

		_exit(installed ? (int)ask_kernel(arg) : NOT_INSTALLED);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return KILLED;
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) != KILLED);
	return WEXITSTATUS(status);
}

static uint32_t pick(const uint32_t *from, size_t n)
{
	return from[(unsigned long)random() % n];
}

#define PICK(...) \
	pick((const uint32_t[]){__VA_ARGS__}, \
	     sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static uint32_t any_number(void)
{
	return PICK(0, 1, 2, 7, 31, 32, 63, 72, 0x7fffffff, 0x80000000, 0xffffffff,
		    (uint32_t)random());
}

/* What seccomp(2) takes, and now and then something that it does not. */
static struct sock_filter any_instruction(unsigned int left)
{
	uint32_t source = PICK(BPF_K, BPF_X), most = left > 0 ? left : 1;
	uint8_t yes = (uint8_t)((unsigned long)random() % most);
	uint8_t no = (uint8_t)((unsigned long)random() % most);

	switch (random() % 10) {
	case 0:
	case 1:
		return (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						    PICK(0, 4, 16, 20, 24, 28, 32, 36, 60));
	case 2:
		return (struct sock_filter)BPF_STMT(PICK(BPF_LD, BPF_LDX) | PICK(BPF_IMM, BPF_MEM),
						    PICK(0, 1, 3, 15));
	case 3:
		return (struct sock_filter)BPF_STMT(PICK(BPF_LD, BPF_LDX) | BPF_W | BPF_LEN, 0);
	case 4:
		return (struct sock_filter)BPF_STMT(PICK(BPF_ST, BPF_STX), PICK(0, 1, 3, 15));
	case 5:
		return (struct sock_filter)BPF_STMT(BPF_MISC | PICK(BPF_TAX, BPF_TXA), 0);
	case 6:
	case 7:
		return (struct sock_filter)BPF_STMT(BPF_ALU | source |
							    PICK(BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV,
								 BPF_AND, BPF_OR, BPF_XOR, BPF_LSH,
								 BPF_RSH, BPF_NEG),
						    PICK(1, 2, 5, 31, any_number()));
	case 8:
		return (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, yes);
	default:
		return (struct sock_filter)BPF_JUMP(
			BPF_JMP | source | PICK(BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET), any_number(),
			yes, no);
	}
}

/* fcntl fails with a number below 64 that depends on all that came before, other calls pass. */
static unsigned short make_filter(struct sock_filter *program)
{
	unsigned int length = 1 + (unsigned int)((unsigned long)random() % LONGEST), n = 0;

	program[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
	program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fcntl, 1, 0);
	program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	/* All of the scratch memory may be read. */
	for (uint32_t i = 0; i < BPF_MEMWORDS; i++)
		program[n++] = (struct sock_filter)BPF_STMT(BPF_ST, i);
	for (unsigned int i = 0; i < length; i++)
		program[n++] = any_instruction(length - i - 1);
	program[n++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 63);
	program[n++] =
		(struct sock_filter)BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO | 64);
	program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_A, 0);
	return (unsigned short)n;
}

Test(filter, says_what_the_kernel_says, .timeout = 120)
{
	struct sock_filter program[LONGEST + BPF_MEMWORDS + 8];
	const long arg[3] = {7, 0x123456789abcdef0, -1};
	struct seccomp_data call = {.nr = SYS_fcntl, .arch = AUDIT_ARCH_X86_64};
	uint32_t expected;
	int installed = 0;

	memcpy(call.args, arg, sizeof(arg));
	srandom(1);
	for (int i = 0; i < FILTERS; i++) {
		unsigned short length = make_filter(program);
		int told = told_by_kernel(program, length, arg);

		if (told == NOT_INSTALLED)
			continue;
		installed++;
		expected = told == KILLED ? SECCOMP_RET_KILL_THREAD
					  : SECCOMP_RET_ERRNO | (uint32_t)told;
		cr_assert_eq(weft__filter_verdict(program, length, &call), expected,
			     "filter %d: kernel %d", i, told);
	}
	cr_assert_gt(installed, FILTERS / 2, "only %d were filters at all", installed);
}

Test(filter, ends_on_what_is_no_filter)
{
	struct sock_filter wild[] = {{0xffff, 255, 255, 0xffffffff},
				     {BPF_JMP | BPF_JA, 0, 0, 0xfffffffe},
				     {BPF_LD | BPF_W | BPF_ABS, 0, 0, 0xfffffffc},
				     {BPF_ST, 0, 0, 99},
				     {BPF_LD | BPF_MEM, 0, 0, 0xffffffff},
				     {BPF_ALU | BPF_DIV | BPF_K, 0, 0, 0}};
	struct seccomp_data call = {.nr = SYS_fcntl};

	for (unsigned int i = 0; i < sizeof(wild) / sizeof(*wild); i++)
		cr_expect_eq(weft__filter_verdict(&wild[i], 1, &call), SECCOMP_RET_ALLOW);
}
