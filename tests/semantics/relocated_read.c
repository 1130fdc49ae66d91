/*
 * long hidden_read(long fd, void *buf, long n): read(2), in a text that the loader has to change: it
 * has an address in it. Nobody patches that.
 */
long hidden_read(long fd, void *buf, long n);

long hidden_read(long fd, void *buf, long n)
{
	const char *here;
	long result;

	__asm__ volatile("1: movabs $1b, %0" : "=r"(here));
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "0"(0), "D"(fd), "S"(buf), "d"(n)
			 : "rcx", "r11", "memory");
	return here != (void *)0 ? result : -1;
}
