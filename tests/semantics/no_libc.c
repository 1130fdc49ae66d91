/* A program that the usual loader loads, and that is linked against no library at all. */
void _start(void);

__attribute__((force_align_arg_pointer)) void _start(void)
{
	__asm__ volatile("syscall" : : "a"(60), "D"(23) : "rcx", "r11", "memory"); /* exit(23) */
}
