/*
 * accept(2) that does not wait, whatever the listener's O_NONBLOCK is: that belongs to all who share
 * the listener, and accept4(2) has no flag to try with. io_uring has (Linux 6.10).
 */
#ifndef WEFT_ACCEPT_RING_H
#define WEFT_ACCEPT_RING_H

#include <stdbool.h>

/** Whether connections can be accepted so; the ring is made when this is first asked. */
bool weft__accept_ring(void);

/**
 * Accept a connection if there is one.
 *
 * Switches   no
 *
 * @return the new number; -EAGAIN; another error of accept4(2); -ENOSYS when it cannot be said
 */
long weft__accept_now(long listener, long address, long address_bytes, long flags);

/** Forget the ring, its number being closed by somebody else: for a child after fork(2). */
void weft__accept_ring_forget(void);

#endif
