/* Filters of system calls, for guests that lock themselves in. */
#ifndef SANDBOX_H
#define SANDBOX_H

#include "guest.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

#define MOST_ALLOWED 100

/* Let through the calls of a list that ends with -1; `otherwise` is for all others. */
static inline void allow_only(const int *calls, uint32_t otherwise)
{
	struct sock_filter rules[2 * MOST_ALLOWED + 2];
	struct sock_fprog program = {0, rules};
	unsigned short n = 0;

	rules[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						  offsetof(struct seccomp_data, nr));
	for (; *calls >= 0; calls++) {
		check(n + 3 < 2 * MOST_ALLOWED);
		rules[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							  (unsigned int)*calls, 0, 1);
		rules[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	rules[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, otherwise);
	program.len = n;
	check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	check(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) ==
	      0);
}

/* Run a part in a process of its own, since filters are for good, and say how that ended. */
static inline void run_apart(const char *what, void (*run)(void))
{
	pid_t child;
	int status;

	fflush(stdout);
	child = fork();
	check(child >= 0);
	if (child == 0) {
		run();
		fflush(stdout);
		_exit(0);
	}
	check(waitpid(child, &status, 0) == child);
	say_status(what, status);
}

#endif
