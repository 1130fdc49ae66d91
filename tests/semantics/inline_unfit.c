/* System calls that nobody can turn into jumps: among code with no room, and in no known function. */
#include "guest.h"

/* clang-format off */
long read_in_the_thick(long fd, void *buf, long n);
long call_in_the_open(long fd, void *buf, long n);

__asm__(".text\n.type read_in_the_thick, @function\nread_in_the_thick:\n.cfi_startproc\n"
	"mov $0, %eax\n.rept 64\nmov %rdi, %rdi\n.endr\n"
	"jmp 1f\n.rept 60\nmov %rsi, %rsi\n.endr\n"
	"2: xor %ecx, %ecx\nmov $0, %eax\njrcxz 1f\njmp 2b\n"
	"1: syscall\njrcxz 3f\n3: jmp 4f\n.rept 60\nmov %rdx, %rdx\n.endr\n"
	"4: ret\n.cfi_endproc\n.size read_in_the_thick, . - read_in_the_thick\n"
	".type call_in_the_open, @function\n.skip 64, 0x90\n"
	"call_in_the_open: mov $0, %eax\nsyscall\nret\n.size call_in_the_open, 8\n.skip 64, 0x90\n");
/* clang-format on */

int main(void)
{
	char byte;
	long first, second;

	become_threaded();
	first = read_in_the_thick(-1, &byte, 1);
	second = call_in_the_open(-1, &byte, 1);
	say("%s %s", strerrorname_np((int)-first), strerrorname_np((int)-second));
	return 0;
}
