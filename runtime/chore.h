/*
 * Chores: what the families have done by a thread that libc knows, because it blocks and no system
 * call stands for it: looking up a name, a disk's work that may be given up.
 *
 * In own mode the threads are the kernel's; in a patched program they are what all its threads are. They
 * are made when a chore finds none idle, block all signals, and end when they have had nothing to do
 * for a while.
 */
#ifndef WEFT_CHORE_H
#define WEFT_CHORE_H

#include <stdbool.h>
#include <stdint.h>

/** The first member of what is to be done; made by malloc(3). */
struct weft__chore {
	void (*run)(struct weft__chore *chore);  /* by the thread */
	void (*undo)(struct weft__chore *chore); /* what was done for nobody; NULL: nothing */
	bool lasts; /* perhaps for ever: nobody else waits for its thread */
	/* chore.c's */
	struct weft__chore *next;
	int done_fd;
	bool finished, abandoned;
};

/**
 * Have a chore run, and wait for that.
 *
 * A chore that is given up runs all the same, and is then undone. It must not point to what may be
 * gone by then.
 *
 * Switches   yes
 * Context    a task
 * Ownership  chore is the caller's again after 0, and gone after an error
 *
 * @return 0, or
 *   -EAGAIN  no thread could be made
 *   -EMFILE, -ENFILE  no descriptor to wait with
 *   what weft_wait_fd() returns
 */
int weft__chore(struct weft__chore *chore, int64_t deadline_ns);

/** The same to its end, whatever is raised meanwhile: that is raised at the next wait. */
int weft__chore_firmly(struct weft__chore *chore);

#endif
