/* Bytes among the code that look like a system call, and are data. */
#include "guest.h"

/* clang-format off */
__asm__(".text\n.type looks_like_a_call, @object\n.skip 64, 0x90\n"
	"looks_like_a_call: .byte 1, 2, 3, 4, 5, 6, 7, 8, 0x0f, 0x05, 7, 8\n"
	".size looks_like_a_call, 12\n.skip 64, 0x90\n");
/* clang-format on */

int main(void)
{
	become_threaded();
	say("nothing is called");
	return 23;
}
