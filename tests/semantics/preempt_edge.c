/*
 * Threads compute in code at the very beginning of a mapping, with nothing before it: whoever looks at
 * that code where it was stopped finds no memory there, and they all go on.
 */
#include "guest.h"

#include <sys/mman.h>

#define THREADS 8
#define PAGE 4096
#define STEPS 40 /* of a round: as many instructions to be stopped at */

static const uint64_t rounds = 12000000; /* for several slices */

typedef uint64_t count_t(uint64_t rounds);

extern const char count_begin[], count_end[];

__asm__(".pushsection .rodata\n"
	"count_begin: xor %eax, %eax\n"
	"1: .rept 40; inc %rax; .endr; dec %rdi; jnz 1b; ret\n"
	"count_end:\n"
	".popsection");

static count_t *make_code(void)
{
	char *pages = mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *code = pages + PAGE;

	check(pages != MAP_FAILED);
	check(mprotect(code, PAGE, PROT_READ | PROT_WRITE) == 0);
	memcpy(code, count_begin, (size_t)(count_end - count_begin));
	check(mprotect(code, PAGE, PROT_READ | PROT_EXEC) == 0);
	return (count_t *)(uintptr_t)code;
}

static void *count(void *arg)
{
	check(make_code()(rounds) == rounds * STEPS);
	return arg;
}

int main(void)
{
	pthread_t thread[THREADS];

	for (int i = 0; i < THREADS; i++)
		thread[i] = start(count, NULL);
	for (int i = 0; i < THREADS; i++)
		finish(thread[i]);
	say("all have counted right");
	return 0;
}
