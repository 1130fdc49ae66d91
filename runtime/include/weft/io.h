/*
 * Reading, writing and waiting for descriptors, so that the other tasks run meanwhile.
 */
#ifndef WEFT_IO_H
#define WEFT_IO_H

#include <weft/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What weft_wait_fd() waits for, and returns; or-ed together. */
#define WEFT_IN 1
#define WEFT_OUT 2

/**
 * Wait until a descriptor can be read or written without waiting (poll(2)).
 *
 * A descriptor that is never waited for, such as a regular file, is ready at once.
 *
 * Switches   yes, unless it is ready
 * Context    a task
 *
 * @param events       WEFT_IN, WEFT_OUT or both
 * @param deadline_ns  when to give up, or WEFT_FOREVER
 *
 * @return the events of those asked for that came true; an error or a hang-up of the descriptor
 * makes all of them true, so that the next call on it tells; or
 *   -ETIMEDOUT  the deadline came first
 *   -EBADF      fd is not open
 *   -EINVAL     events is empty or has other bits, or deadline_ns is negative
 *   -ENOMEM     no room to keep it
 *   -EPERM      the caller is no task
 *   what was raised
 */
WEFT_API int weft_wait_fd(int fd, int events, int64_t deadline_ns);

#ifdef __cplusplus
}
#endif

#endif
