/* System calls from code that is made at run time, where nobody can have looked for them. */
#ifndef MADE_CODE_H
#define MADE_CODE_H

#include "guest.h"

#include <sys/mman.h>

/* rdi rsi rdx rcx r8 r9, as functions have them; a result or -errno, as the kernel gives it. */
typedef long made_call(long, long, long, long, long, long);

/*
 * call  mov $0, %eax; mov %rcx, %r10; syscall; ret, the number to be filled in
 * vfork the same, but what it returns to is kept out of the child's reach
 * end   mov $60, %eax; mov $9, %edi; syscall: exit(9)
 */
extern const char made_call_begin[], made_call_end[], made_vfork_begin[], made_vfork_end[],
	made_end_begin[], made_end_end[];

__asm__(".pushsection .rodata\n"
	"made_call_begin: mov $0x11111111, %eax; mov %rcx, %r10; syscall; ret\n"
	"made_call_end:\n"
	"made_vfork_begin: pop %rdx; mov $58, %eax; syscall; jmp *%rdx\n"
	"made_vfork_end:\n"
	"made_end_begin: mov $60, %eax; mov $9, %edi; syscall; ud2\n"
	"made_end_end:\n"
	".popsection");

static inline void *make_code(const char *begin, const char *end, long nr)
{
	char *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int number = (int)nr;

	check(code != MAP_FAILED);
	memcpy(code, begin, (size_t)(end - begin));
	if (nr >= 0)
		memcpy(code + 1, &number, sizeof(number));
	check(mprotect(code, 4096, PROT_READ | PROT_EXEC) == 0);
	return code;
}

static inline made_call *make_call(long nr)
{
	return (made_call *)make_code(made_call_begin, made_call_end, nr);
}

#define made(call, ...) MADE_CALL(call, __VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)
#define MADE_CALL(call, a, b, c, d, e, f, ...) \
	call((long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

static inline void say_made(const char *what, long result)
{
	if (result < 0 && result > -4096)
		say("%s: %s", what, strerrorname_np((int)-result));
	else
		say("%s: %ld", what, result);
}

#endif
