/*
 * The parking lot: futex(2) for tasks.
 *
 * Waiters are kept by address, as the kernel keeps them (WebKit's ParkingLot gave the name). The
 * lot is for private memory of this process: what is shared with other processes waits in the
 * kernel, by way of an offload thread (offload.h). Threads that are not tasks wake through the
 * lot as well, so each bucket has a lock.
 *
 * The word at an address is read by `load`, so that the shim can turn a bad pointer into -EFAULT.
 */
#ifndef WEFT_PARKING_H
#define WEFT_PARKING_H

#include <stdint.h>

#include "raw.h"

/** Read the word at an address: 0 and *value, or -EFAULT. */
typedef long weft__load_word(uintptr_t address, uint32_t *value);

/**
 * Wait at an address while its word is `expected` (FUTEX_WAIT_BITSET).
 *
 * Switches   yes, unless the word differs
 * Context    a task
 *
 * @return 0 when woken, or -EAGAIN the word differs, -ETIMEDOUT, -EINTR, -EFAULT
 */
WEFT__SHARED long weft__lot_wait(uintptr_t address, uint32_t expected, uint32_t bitset,
				 uint64_t deadline_ns, weft__load_word *load);

/** Wake at most `most` of those whose bitset meets `bitset`, as they stand; how many. */
WEFT__SHARED long weft__lot_wake(uintptr_t address, long most, uint32_t bitset);

/**
 * Wake at most `wake` waiters of an address and move at most `move` of the others to another
 * (FUTEX_CMP_REQUEUE; a NULL `expected` is FUTEX_REQUEUE). Who is moved to where it was counts.
 *
 * @return how many were woken, and moved are added to *moved; or -EAGAIN the word differs, -EFAULT
 */
WEFT__SHARED long weft__lot_requeue(uintptr_t address, long wake, uintptr_t to, long move,
				    const uint32_t *expected, weft__load_word *load, long *moved);

/** Forget all waiters: for a child after fork(2), where none of them is. */
WEFT__SHARED void weft__lot_clear(void);

#endif
