/* Which memory other processes may have as well. */
#ifndef WEFT_SHARING_H
#define WEFT_SHARING_H

#include <stdbool.h>
#include <stdint.h>

/** Whether an address lies in a shared mapping (mmap(2), MAP_SHARED), or cannot be told not to. */
bool weft__is_shared(uintptr_t address);

#endif
