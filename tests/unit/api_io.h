/* What the tests of weft's I/O share. */
#ifndef API_IO_H
#define API_IO_H

#include <sys/types.h>

#include "unit.h"

/** A call made by a task, and what it gave. */
struct made {
	ssize_t (*call)(void *arg);
	void *arg;
	ssize_t result;
	weft_task *task;
};

/** Have a task make a call. */
void make(struct made *made, ssize_t (*call)(void *arg), void *arg);

/** The same, and go on when it waits. */
void make_and_wait(struct made *made, ssize_t (*call)(void *arg), void *arg);

/** Wait until it has been made; gives its result. */
ssize_t result_of(struct made *made);

/** socketpair(2) of streams, whose ends block. */
void make_pair(int ends[2]);

/** Write until nothing more fits, whatever it is. */
void fill_up(int fd);

/** A listener at 127.0.0.1, and its address. */
struct sockaddr_in;
int listen_here(struct sockaddr_in *addr);

/** The last bytes of what can be read and written; behind them begins what cannot. */
char *before_a_hole(size_t bytes);

#endif
