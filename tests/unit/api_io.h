/* What the tests of weft's I/O share. */
#ifndef API_IO_H
#define API_IO_H

#include <sys/types.h>

#include "unit.h"

/** Two of them: the tasks are weft's own, and they are threads. */
#ifndef BothWays
#define BothWays(suite, name) \
	static void suite##_##name##_body(void *unused); \
	Test(suite, name, .timeout = HANG_S) \
	{ \
		cr_assert_eq(run_tasks(suite##_##name##_body, NULL), 0); \
	} \
	Test(suite, name##_on_threads, .timeout = HANG_S) \
	{ \
		weft__on_threads = true; \
		cr_assert_eq(run_tasks(suite##_##name##_body, NULL), 0); \
	} \
	static void suite##_##name##_body(void *unused __attribute__((unused)))
#endif

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

/** Let the others run until a task is in a wait of weft's. */
void until_in_wait(weft_task *task);

/** socketpair(2) of streams, whose ends block. */
void make_pair(int ends[2]);

/** Write until nothing more fits, whatever it is. */
void fill_up(int fd);

/** A listener at 127.0.0.1, and its address. */
struct sockaddr_in;
int listen_here(struct sockaddr_in *addr);

/** Memory that ends where what is no memory begins; and that place. */
char *before_a_hole(size_t bytes);

#endif
