/*
 * See weft__bell_take(). A bell is an event descriptor that SHARERS waits poll at the same time as what
 * they are for: a process with thousands of waits needs few. One that has been rung is given to nobody
 * any more, and is quiet again when the last of its waits has left it.
 *
 *	bells -> [fd, users 3] -> [fd, users 64] -> [fd, users 12, rung]
 */
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "native.h"

#define SHARERS 64

struct weft__bell {
	struct weft__bell *next;
	int fd;
	unsigned int users;
	bool rung;
};

static struct weft__bell *bells;
static pthread_once_t begun = PTHREAD_ONCE_INIT;

/* A child has none of the waits, and what it rang would be the parent's. */
static void forget(void)
{
	while (bells != NULL) {
		struct weft__bell *bell = bells;

		bells = bell->next;
		weft__ask(SYS_close, bell->fd);
		free(bell);
	}
}

static void begin(void)
{
	pthread_atfork(NULL, NULL, forget);
}

static struct weft__bell *make(void)
{
	struct weft__bell *bell = calloc(1, sizeof(*bell));

	if (bell == NULL)
		return NULL;
	bell->fd = (int)weft__ask(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (bell->fd < 0) {
		free(bell);
		return NULL;
	}
	bell->next = bells;
	bells = bell;
	return bell;
}

struct weft__bell *weft__bell_take(void)
{
	struct weft__bell *bell = bells;

	pthread_once(&begun, begin);
	while (bell != NULL && (bell->rung || bell->users == SHARERS))
		bell = bell->next;
	if (bell == NULL)
		bell = make();
	if (bell != NULL)
		bell->users++;
	return bell;
}

void weft__bell_ring(struct weft__bell *bell)
{
	uint64_t one = 1;

	if (!bell->rung)
		weft__ask(SYS_write, bell->fd, &one, sizeof(one));
	bell->rung = true;
}

bool weft__bell_rung(const struct weft__bell *bell)
{
	return bell->rung;
}

int weft__bell_fd(const struct weft__bell *bell)
{
	return bell->fd;
}

static void drop(struct weft__bell *bell)
{
	struct weft__bell **place = &bells;

	while (*place != bell)
		place = &(*place)->next;
	*place = bell->next;
	free(bell);
}

void weft__bell_give(struct weft__bell *bell)
{
	uint64_t count;

	if (--bell->users != 0 || !bell->rung)
		return;
	bell->rung = false;
	/* The program has closed what it does not know. */
	if (weft__ask(SYS_read, bell->fd, &count, sizeof(count)) != sizeof(count))
		drop(bell);
}
