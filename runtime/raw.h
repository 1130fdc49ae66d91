/* System calls that no libc and no patch stands between, and the checks of our own invariants. */
#ifndef WEFT_RAW_H
#define WEFT_RAW_H

#include <sys/syscall.h>

/* Younger than the headers of Debian 12 know. */
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif
#ifndef SYS_futex_wake
#define SYS_futex_wake 454
#define SYS_futex_wait 455
#define SYS_futex_requeue 456
#endif

/** What libweft.so shares with libweft-preload.so, and with nobody else. */
#define WEFT__SHARED __attribute__((visibility("default")))

#define weft__likely(x) __builtin_expect(!!(x), 1)
#define weft__unlikely(x) __builtin_expect(!!(x), 0)

static inline long weft__raw6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

#define WEFT__RAW7(nr, a, b, c, d, e, f, ...) \
	weft__raw6((long)(nr), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/** weft__raw(nr, up to six arguments): ask the kernel; a result or -errno. errno stays as it is. */
#define weft__raw(...) WEFT__RAW7(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

/** Whether a raw result is an error (the kernel's own range, syscall(2)). */
static inline int weft__failed(long result)
{
	return (unsigned long)result > -4096UL;
}

/** Say that one of our own invariants is broken, in one line on stderr, and abort. */
WEFT__SHARED void weft__broken(const char *what, const char *file, int line)
	__attribute__((noreturn, cold));

/** Hold weft to one of its own invariants, in release builds too. No side effects in x. */
#define weft__check(x) \
	do { \
		if (weft__unlikely(!(x))) \
			weft__broken(#x, __FILE__, __LINE__); \
	} while (0)

#endif
