/*
 * The load's connections, one message under way on each: what is said and checked
 * is exchange.h's, how it travels transport.h's. Times go to latency.h. Why the first one
 * failed is said on standard error.
 */
#ifndef DEMO_CONNECTIONS_H
#define DEMO_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct target {
	struct sockaddr_storage server;
	socklen_t server_len;
	size_t connections;
	size_t idle; /* how many others say nothing between opening and draining */
	/*
	 * After each answer the server closes, or the load does: the next message
	 * needs a new connection. At most one of the two, and not beside idle ones.
	 */
	bool reconnects;
	bool leaves;
	/* Loopback addresses to connect from, in turn; 0: as many as ports call for. */
	size_t sources;
	/* Look for answers again and again, and never sleep until one comes. */
	bool spins;
};

/**
 * Make room for all connections, before any is opened.
 *
 * @return 0, or -errno
 */
int connections_prepare(const struct target *target);

/**
 * Open all, with all that comes before a request and one message and its answer
 * on each, a few at a time: the server's queue never overflows, which would cost
 * a second for the kernel's retry. Those that get nowhere have failed.
 */
void connections_open(void);

/**
 * From now on, an answer starts the next message; this starts the first.
 */
void connections_start(void);

/**
 * Go on for a while.
 *
 * @return how long it was, in ns
 */
int64_t connections_run(int64_t ns);

/**
 * Start nothing more, but for one message on each idle connection, and wait for
 * the answers that are due: whose own does not come has failed.
 */
void connections_drain(void);

size_t connections_failed(void);

#endif
