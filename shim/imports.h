/* What objects of the process have bound already, when the shim is loaded after them. */
#ifndef WEFT_IMPORTS_H
#define WEFT_IMPORTS_H

/**
 * Have all that is loaded call the shim's functions where it would libc's (pthread_create, and what makes a
 * thread in libc), as it does of itself when the shim is preloaded.
 *
 * What an object has bound to another library's function of that name stays. So do objects that are
 * loaded later: their threads are tasks, too, but for the stacks that weft saves on, and do not wake it
 * in a child of fork(2).
 *
 * Context  the process has one thread
 */
void weft__imports_take(void);

#endif
