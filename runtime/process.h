/* Waiting for a child without taking its status, and taking it without waiting. */
#ifndef WEFT_PROCESS_H
#define WEFT_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

/** A descriptor of a process, or a negative errno: before Linux 5.3 there is none. */
int weft__process_open(pid_t pid);

/** Wait until a child has ended; pid_fd is its descriptor, or negative. As weft_waitpid(). */
int weft__process_await(pid_t pid, int pid_fd, int64_t deadline_ns);

/** Take the status of a child: 0, -EAGAIN: it has not ended, or -ECHILD. */
int weft__process_reap(pid_t pid, int *ret_status);

#endif
