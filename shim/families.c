/* See families.h. */
#include "families.h"

#include <fcntl.h>
#include <weft/monkey.h>

#include "descriptor.h"
#include "handlers.h"
#include "shim.h"

/* What the words in calls.def stand for. */
#define FAMILY_NONE 0
#define FAMILY_ALWAYS WEFT_ALL
#define FAMILY_SIGNAL WEFT_SIGNAL
#define FAMILY_SOCKET WEFT_SOCKET
#define FAMILY_TIME WEFT_TIME
#define FAMILY_SELECT WEFT_SELECT
#define FAMILY_FILE WEFT_FILE
#define FAMILY_PROCESS WEFT_PROCESS
#define FAMILY_THREAD WEFT_THREAD
#define FAMILY_STREAM (WEFT_SOCKET | WEFT_FILE)

unsigned int weft__families = WEFT_ALL;

static const uint8_t family[WEFT__CALLS] = {
#define CALL(number, name, class, handler, family, reason) [number] = FAMILY_##family,
#include "calls.def"
#undef CALL
};

/* Some call may still be on its way to a handler that has been set aside. */
static weft__handler *set_aside[WEFT__CALLS];
static bool is_aside[WEFT__CALLS];

unsigned int weft__family_of(long nr)
{
	return family[nr];
}

/* The kernel's, which may wait in it; at least nothing of weft's is to interrupt that. */
static long leave_to_kernel(struct weft__call *c)
{
	return weft__blocks(c);
}

/* The names of threads are weft's whoever opens files. */
static long open_name_only(struct weft__call *c)
{
	int path = c->nr == SYS_openat;
	long number = weft__open_name((uintptr_t)c->arg[path], c->arg[path + 1]);

	return number == WEFT__PASS ? leave_to_kernel(c) : number;
}

/* A mask that is for the wait alone is one of weft's. (ppoll(2) always is: the API waits by it.) */
static long wait_with_mask_only(struct weft__call *c)
{
	int mask = c->nr == SYS_pselect6 ? 5 : 4;

	return c->arg[mask] == 0 ? leave_to_kernel(c) : set_aside[c->nr](c);
}

/* What is read of a signalfd, or written to the name of a thread, is weft's to tell. */
static bool is_answered_at(const struct weft__call *c, int end)
{
	struct weft__call at = {.nr = c->nr, .arg = {c->arg[end]}};
	const struct weft__fd *fd = weft__fd_claim(&at);

	if (fd == NULL)
		return false;
	if (fd->kind == WEFT__SIGNALFD || fd->kind == WEFT__NAME)
		return true;
	return weft__has_family(fd->kind == WEFT__SOCKET ? WEFT_SOCKET : WEFT_FILE);
}

/* Of two families, of which one is there: by the descriptors. */
static long look_at_ends(struct weft__call *c)
{
	int other = 0;

	if (c->nr == SYS_sendfile || c->nr == SYS_tee)
		other = 1;
	else if (c->nr == SYS_splice)
		other = 2;
	if (is_answered_at(c, 0) || (other != 0 && is_answered_at(c, other)))
		return set_aside[c->nr](c);
	return leave_to_kernel(c);
}

/* What stands in for the handler of a call whose family, or one of whose two, is not there. */
static weft__handler *stand_in(long nr)
{
	switch (nr) {
	case SYS_open:
	case SYS_openat:
		return open_name_only;
	case SYS_pselect6:
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2:
		return wait_with_mask_only;
	default:
		return family[nr] == FAMILY_STREAM ? look_at_ends : leave_to_kernel;
	}
}

static bool stands_aside(long nr)
{
	switch (family[nr]) {
	case FAMILY_NONE:
	case FAMILY_ALWAYS:
	case FAMILY_SIGNAL:
	case FAMILY_THREAD: /* make_child() of thread.c sees to it */
		return false;
	default:
		return !weft__has_family(family[nr]);
	}
}

static void choose_handlers(void)
{
	for (long nr = 0; nr < WEFT__CALLS; nr++) {
		if (is_aside[nr] == stands_aside(nr))
			continue;
		is_aside[nr] = !is_aside[nr];
		if (is_aside[nr]) {
			set_aside[nr] = weft__handlers[nr];
			weft__handlers[nr] = stand_in(nr);
		} else {
			weft__handlers[nr] = set_aside[nr];
		}
	}
}

/* Resolvers are sockets and polls. */
static unsigned int spell_out(unsigned int families)
{
	if ((families & WEFT_DNS) != 0)
		families |= WEFT_SOCKET | WEFT_SELECT;
	if ((families & WEFT_SOCKET) != 0 && (families & WEFT_SELECT) != 0)
		families |= WEFT_DNS;
	return families | WEFT_SIGNAL;
}

void weft__families_ask(unsigned int families)
{
	static bool asked;

	if (asked)
		families |= weft__families;
	asked = true;
	weft__families = spell_out(families);
	choose_handlers();
}

void weft__handler_replace(long nr, weft__handler *handler)
{
	set_aside[nr] = handler;
	if (!is_aside[nr])
		weft__handlers[nr] = handler;
}
