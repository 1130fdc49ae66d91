/* Sending all there is, as a blocking call does, in pieces as the other side takes them. */
#ifndef WEFT_SEND_H
#define WEFT_SEND_H

#include <sys/socket.h>
#include <sys/uio.h>

#include "descriptor.h"

#ifndef RWF_NOWAIT /* <sys/uio.h> */
#define RWF_NOWAIT 0x00000008
#endif

/** How many bytes a program's vector speaks of; -EFAULT when it is not there. */
long weft__iov_bytes(const struct iovec *iov, size_t n);

/**
 * Write all of a buffer to the socket or pipe that is claimed.
 *
 * @param flags  of send(2)
 *
 * @return how many bytes were taken when it ended early, or an error when none was
 */
long weft__send_bytes(struct weft__call *c, const char *bytes, long n, int flags);

/** What a call that sends has come to elsewhere: a SIGPIPE for the caller goes with it. */
long weft__sent(const struct weft__call *c, long result);

/** Send all of a message: ancillary data and address with its first piece. */
long weft__send_message(struct weft__call *c, const struct msghdr *message, int flags);

#endif
