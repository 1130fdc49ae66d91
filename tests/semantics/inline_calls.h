/*
 * System calls that no libc makes: instructions in the program's own code, in the shapes that
 * compilers and people give them. Each function makes the call with three arguments, and a fourth of 0.
 */
#ifndef INLINE_CALLS_H
#define INLINE_CALLS_H

#include <sys/syscall.h>

typedef long inline_call(long nr, long a, long b, long c);

struct shape {
	const char *name;
	inline_call *call;
	long nr; /* the only number that its code makes; -1: any */
};

/* Visible, for the library that is loaded; the program has its own of the same name. */
extern const struct shape inline_shapes[];

#endif
