/*
 * Whoever is stopped while it computes goes on with all it had in its registers: general ones, flags,
 * those of the x87 and its stack, of SSE, AVX and AVX-512 as far as the machine has them, rounding
 * modes, and what is below its stack pointer. So it is in a handler, and beside threads in malloc and
 * printf. With an argument, that many times as long.
 */
#include "guest.h"

#include <cpuid.h>
#include <stdatomic.h>

#define HOLDERS 4
#define ROUNDS 1500000 /* half a millisecond and more */

/* x87, SSE, AVX, opmask, the upper halves of zmm0-15, zmm16-31 */
#define COMPONENTS 0xe7U
#define LAST_COMPONENT 7

/* struct _xstate of the kernel, in the standard form of XSAVE. */
#define AREA_BYTES 4096
#define HEADER_AT 512

struct area {
	unsigned char bytes[AREA_BYTES] __attribute__((aligned(64)));
};

/*
 * long hold(const struct area *load, struct area *save, long rounds, uint64_t seed, uint32_t mask):
 * fill all registers and the red zone, count down, and see that all is as it was; 0 if so, but for
 * what save is given. rcx: the seed; r8: the mask; r9: the count.
 */
long hold(const struct area *load, struct area *save, long rounds, uint64_t seed, uint32_t mask);
__asm__(".text\n"
	".type hold, @function\n"
	"hold:\n"
	".irp reg, %rbx, %rbp, %r12, %r13, %r14, %r15\n\tpush \\reg\n.endr\n"
	"	mov %rdx, %r9\n"
	"	mov %r8d, %eax\n"
	"	xor %edx, %edx\n"
	"	xrstor64 (%rdi)\n"
	".irp at, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120, 128\n"
	"	lea \\at(%rcx), %rax\n"
	"	mov %rax, -\\at(%rsp)\n"
	".endr\n"
	".irp reg, rax, rbx, rbp, rdx, r10, r11, r12, r13, r14, r15\n"
	"	lea \\reg\\()_adds(%rcx), %\\reg\n"
	".endr\n"
	"	std\n"
	"	stc\n"
	"1:	dec %r9\n"
	"	jnz 1b\n"
	"	adc $-1, %r9\n" /* 0 if there is a carry still */
	".irp reg, rax, rbx, rbp, rdx, r10, r11, r12, r13, r14, r15\n"
	"	lea \\reg\\()_adds(%rcx), %rdi\n"
	"	sub %\\reg, %rdi\n"
	"	or %rdi, %r9\n"
	".endr\n"
	".irp at, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120, 128\n"
	"	lea \\at(%rcx), %rdi\n"
	"	sub -\\at(%rsp), %rdi\n"
	"	or %rdi, %r9\n"
	".endr\n"
	"	pushfq\n"
	"	pop %rdi\n"
	"	cld\n"
	"	not %rdi\n"
	"	and $0x400, %edi\n" /* the direction */
	"	or %rdi, %r9\n"
	"	mov %r8d, %eax\n"
	"	xor %edx, %edx\n"
	"	xsave64 (%rsi)\n"
	"	fninit\n"
	"	ldmxcsr usual_mxcsr(%rip)\n"
	"	mov %r9, %rax\n"
	".irp reg, %r15, %r14, %r13, %r12, %rbp, %rbx\n\tpop \\reg\n.endr\n"
	"	ret\n"
	"usual_mxcsr: .long 0x1f80\n"
	".size hold, . - hold\n"
	".set rax_adds, 1\n.set rbx_adds, 2\n.set rbp_adds, 3\n.set rdx_adds, 4\n"
	".set r10_adds, 5\n.set r11_adds, 6\n.set r12_adds, 7\n.set r13_adds, 8\n"
	".set r14_adds, 9\n.set r15_adds, 10\n");

static uint32_t components; /* those that there are */
static uint32_t at[LAST_COMPONENT + 1], bytes[LAST_COMPONENT + 1];
static int times = 1;
static atomic_int holding;

static bool find_components(void)
{
	uint32_t a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || (c & bit_OSXSAVE) == 0)
		return false;
	__asm__("xgetbv" : "=a"(components), "=d"(d) : "c"(0));
	components &= COMPONENTS;
	for (uint32_t i = 2; i <= LAST_COMPONENT; i++) {
		__cpuid_count(0xd, i, bytes[i], at[i], c, d);
		check((components >> i & 1) == 0 || at[i] + bytes[i] <= AREA_BYTES);
	}
	return true;
}

/* No two seeds of a few share a byte's pattern. */
static void fill_area(struct area *area, uint64_t seed)
{
	static const uint32_t no_mask = 0x1f80;
	uint32_t mxcsr = no_mask | (uint32_t)(seed & 3) << 13;
	uint16_t control = (uint16_t)(0x037f | (seed & 3) << 10);
	uint16_t state = (uint16_t)((seed & 7) << 11);

	memset(area, 0, sizeof(*area));
	memcpy(area->bytes, &control, 2);
	memcpy(area->bytes + 2, &state, 2);
	area->bytes[4] = 0xff; /* all of the x87's stack is in use */
	memcpy(area->bytes + 24, &mxcsr, 4);
	for (int i = 0; i < 8; i++) {
		unsigned char *number = area->bytes + 32 + 16 * (size_t)i;

		fill(number, 8, seed * 4096 + 32 + (uint64_t)i * 16);
		number[7] |= 0x80; /* what it has in every number but 0 */
		number[8] = 0xff;
		number[9] = 0x3f;
	}
	fill(area->bytes + 160, 256, seed * 4096 + 160);
	for (int i = 2; i <= LAST_COMPONENT; i++)
		if ((components >> i & 1) != 0)
			fill(area->bytes + at[i], bytes[i], seed * 4096 + at[i]);
	memcpy(area->bytes + HEADER_AT, &components, sizeof(components));
}

/* Where the last instructions of the x87 were is nobody's business. */
static void compare(const struct area *left, const struct area *right)
{
	check(memcmp(left->bytes, right->bytes, 5) == 0);
	check(memcmp(left->bytes + 24, right->bytes + 24, 4) == 0);
	for (size_t i = 0; i < 8; i++)
		check(memcmp(left->bytes + 32 + 16 * i, right->bytes + 32 + 16 * i, 10) == 0);
	check(memcmp(left->bytes + 160, right->bytes + 160, 256) == 0);
	for (int i = 2; i <= LAST_COMPONENT; i++)
		check((components >> i & 1) == 0 ||
		      memcmp(left->bytes + at[i], right->bytes + at[i], bytes[i]) == 0);
}

static void hold_for(uint64_t seed, long rounds)
{
	struct area load, save;

	fill_area(&load, seed);
	memset(&save, 0, sizeof(save));
	check(hold(&load, &save, rounds, seed << 32, components) == 0);
	compare(&load, &save);
}

static void *hold_much(void *arg)
{
	uint64_t me = *(uint64_t *)arg;

	for (uint64_t i = 0; i < 300U * (unsigned int)times; i++)
		hold_for(me + i * HOLDERS, ROUNDS);
	atomic_fetch_sub(&holding, 1);
	return NULL;
}

static void hold_in_handler(int signal)
{
	hold_for(1000000 + (unsigned int)signal, 2L * ROUNDS);
}

/* There is always somebody who is woken soon. */
static void *sleep_shortly(void *arg)
{
	while (atomic_load(&holding) > 0)
		check(usleep(200) == 0 || errno == EINTR);
	return arg;
}

static void *print(void *arg)
{
	FILE *nowhere = arg;
	char text[64];

	for (int i = 0; atomic_load(&holding) > 0; i++) {
		char *copy;

		check(snprintf(text, sizeof(text), "%.3f %d", i / 8.0, i) > 0);
		check(strtod(text, NULL) > i / 8.0 - 0.01 && strtod(text, NULL) < i / 8.0 + 0.01);
		copy = strdup(text);
		check(copy != NULL && fprintf(nowhere, "%s %s\n", text, copy) > 0);
		free(copy);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	uint64_t number[HOLDERS];
	pthread_t holder[HOLDERS], sleeper, printer[2];
	FILE *nowhere = fopen("/dev/null", "w");

	if (argc > 1)
		times = atoi(argv[1]);
	check(nowhere != NULL && signal(SIGUSR1, hold_in_handler) != SIG_ERR);
	if (!find_components()) {
		say("what was held was there");
		return 0;
	}
	atomic_store(&holding, HOLDERS);
	for (uint64_t i = 0; i < HOLDERS; i++) {
		number[i] = i;
		holder[i] = start(hold_much, &number[i]);
	}
	for (int i = 0; i < 2; i++)
		printer[i] = start(print, nowhere);
	sleeper = start(sleep_shortly, NULL);
	for (int i = 0; i < 20; i++) {
		pthread_kill(holder[0], SIGUSR1);
		check(usleep(10000) == 0);
	}
	for (int i = 0; i < HOLDERS; i++)
		finish(holder[i]);
	for (int i = 0; i < 2; i++)
		finish(printer[i]);
	finish(sleeper);
	fclose(nowhere);
	say("what was held was there");
	return 0;
}
