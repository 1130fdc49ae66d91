/* What a server costs the machine, seen from outside by way of /proc. */
#ifndef DEMO_USAGE_H
#define DEMO_USAGE_H

#include <stdint.h>
#include <sys/types.h>

struct usage {
	int64_t cpu_ns; /* user and system time of all threads, dead ones included */
	/*
	 * VmRSS and VmPTE, plus a kernel stack for each thread. What processes
	 * share counts once for each, so that differences mean more than sums.
	 */
	long memory_kb;
	long threads; /* kernel threads */
};

/**
 * Read the present usage of a process and its descendants together.
 *
 * A descendant that ends while it is read does not count; its processor time
 * comes back, to 10 ms, once its parent has waited for it.
 *
 * @return 0, or -errno
 */
int usage_read(pid_t pid, struct usage *usage);

#endif
