/* Robust locks: what the kernel does for those of a thread that ends, weft does for a task's. */
#ifndef WEFT_ROBUST_H
#define WEFT_ROBUST_H

struct weft__thread;

/** Tell those who wait for a dying thread's locks (get_robust_list(2)). */
void weft__robust_exit(struct weft__thread *dead);

/** The same for all threads whose locks the kernel does not know: the process ends. */
void weft__robust_exit_all(void);

#endif
