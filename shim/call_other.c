/* Calls of no family that may wait. */
#include <errno.h>
#include <linux/keyctl.h>
#include <linux/membarrier.h>
#include <sys/random.h>

#include "blocking.h"
#include "handlers.h"
#include "shim.h"

#define SYSLOG_READ 2

static long try_random(const struct weft__call *c)
{
	return weft__raw(SYS_getrandom, c->arg[0], c->arg[1], c->arg[2] | GRND_NONBLOCK);
}

/* At boot the pool has to fill first. */
long on_getrandom(struct weft__call *c)
{
	return (c->arg[2] & GRND_NONBLOCK) != 0 ? WEFT__PASS : weft__blocking(c, try_random);
}

long on_syslog(struct weft__call *c)
{
	return c->arg[0] == SYSLOG_READ ? weft__blocking(c, NULL) : WEFT__PASS;
}

/* A key for the thread's own keyring must come from this thread. */
long on_request_key(struct weft__call *c)
{
	return (int)c->arg[3] == KEY_SPEC_THREAD_KEYRING ? weft__blocks(c) : weft__offloaded(c);
}

/* The expedited ones interrupt other processors; the rest wait for all of them to come by. */
long on_membarrier(struct weft__call *c)
{
	switch (c->arg[0]) {
	case MEMBARRIER_CMD_GLOBAL:
	case MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ:
		return weft__offloaded(c);
	default:
		return WEFT__PASS;
	}
}

/*
 * Memory whose pages another thread is to bring when they are touched: the carrier waits for the
 * page, and that thread with it. It cannot be helped, so it is said.
 */
long on_userfaultfd(struct weft__call *c)
{
	long number = weft__raw(SYS_userfaultfd, c->arg[0]);
	static bool said;

	if (number >= 0 && !said) {
		said = true;
		weft__say("userfaultfd: a fault that another thread of this process is to resolve "
			  "stops them all");
	}
	return number;
}
