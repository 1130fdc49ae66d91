/* long hidden_read(long fd, void *buf, long n): read(2), in code that nothing says anything of. */
/* clang-format off */
__asm__(".text\n.globl hidden_read\n.type hidden_read, @function\n.skip 64, 0x90\n"
	"hidden_read: mov $0, %eax\nsyscall\nret\n.size hidden_read, . - hidden_read\n.skip 64, 0x90\n");
/* clang-format on */
