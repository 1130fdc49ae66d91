#ifndef WEFT_LAUNCHER_FINDING_H
#define WEFT_LAUNCHER_FINDING_H

/*
 * What can be said of a program before it runs:
 * FINDING(name, exit status of the launcher, sentence).
 *
 * UNREADABLE stops `weft check` only: the launcher starts such a program, since
 * the kernel would, and the loader honours LD_PRELOAD for it.
 */
#define WEFT__FINDINGS(FINDING) \
	FINDING(FITS, 0, "weft can work on it") \
	FINDING(NOT_FOUND, 127, "not found") \
	FINDING(NOT_EXECUTABLE, 126, "not executable") \
	FINDING(DIRECTORY, 126, "is a directory") \
	FINDING(NOT_A_FILE, 126, "not a regular file") \
	FINDING(UNREADABLE, 126, "executable but not readable, so nothing can be said of it") \
	FINDING(TOO_DEEP, 126, "scripts that interpret scripts, too many levels of them") \
	FINDING(DAMAGED, 126, "a damaged ELF file") \
	FINDING(NOT_A_PROGRAM, 126, "an ELF file but not a program") \
	FINDING(STATIC, 126, "statically linked, so no loader can bring weft in") \
	FINDING(NARROW, 126, "a 32-bit program, and weft works on x86-64 only") \
	FINDING(FOREIGN, 126, "made for another processor, and weft works on x86-64 only") \
	FINDING(OTHER_LIBC, 126, "not linked against glibc, the one libc that weft knows") \
	FINDING(NO_LIBC, 126, \
		"linked against no libc, so it makes its threads where weft sees none") \
	FINDING(LEAKS, 126, \
		"built with a sanitizer that looks for leaks in kernel threads (detect_leaks=0 " \
		"in " \
		"ASAN_OPTIONS or LSAN_OPTIONS stops that)") \
	FINDING(RULED_OUT, 126, "a rule says so") \
	FINDING(SETUID, 126, "setuid, so the loader ignores LD_PRELOAD") \
	FINDING(SETGID, 126, "setgid, so the loader ignores LD_PRELOAD") \
	FINDING(CAPABLE, 126, "has file capabilities, so the loader ignores LD_PRELOAD") \
	FINDING(REFUSED, 126, "the kernel refuses it")

enum weft__finding {
#define FINDING(name, status, text) WEFT__##name,
	WEFT__FINDINGS(FINDING)
#undef FINDING
};

#endif
