/* What a process costs the machine, seen from outside by way of /proc. */
#ifndef DEMO_USAGE_H
#define DEMO_USAGE_H

#include <stdint.h>
#include <sys/types.h>

struct usage {
	int64_t cpu_ns; /* user and system time of all threads, dead ones included */
	/*
	 * VmRSS and VmPTE of the process, plus the kernel stacks of the whole
	 * machine: the kernel does not count those by process. Only differences
	 * mean anything, and only while nothing else starts threads by the hundred.
	 */
	long memory_kb;
	long threads; /* kernel threads */
};

/**
 * Read the present usage of a process.
 *
 * @return 0, or -errno
 */
int usage_read(pid_t pid, struct usage *usage);

#endif
