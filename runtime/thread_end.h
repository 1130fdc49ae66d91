/* What the runtime keeps for a thread, and has to free with it. */
#ifndef WEFT_THREAD_END_H
#define WEFT_THREAD_END_H

#include <stdbool.h>

/**
 * Have what the runtime keeps for the calling thread freed when it ends.
 *
 * Switches   no
 * Context    any thread that libc knows
 *
 * @return false when libc has no key left: what is kept would be lost
 */
bool weft__watch_thread_end(void);

#endif
