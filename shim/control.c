/* See control.h: the program's own hand on weft, by the functions of weft/monkey.h. */
#include "control.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>
#include <weft/monkey.h>

#include "catch.h"
#include "families.h"
#include "imports.h"
#include "originals.h"
#include "ready.h"
#include "shim.h"

/* So long a thread that has been joined may still be there, in ms. */
#define ENDING_MS 50

static bool be_awake(void)
{
	if (weft__process.hub == NULL)
		weft__before_thread();
	return weft__process.hub != NULL;
}

/* pthread_join(3) returns a moment before the kernel is done with the thread. */
static bool still_has_threads(void)
{
	const struct timespec moment = {0, 1000000};

	for (int ms = 0; ms < ENDING_MS && weft__has_threads(); ms++)
		weft__raw(SYS_nanosleep, &moment, NULL);
	return weft__has_threads();
}

/* As with the first thread, but by the program's own wish. */
static int patch(unsigned int families)
{
	static bool imports_taken; /* a child has them, too */

	if (weft__process.hub == NULL) {
		if (weft__current != NULL || weft__hub_of != NULL)
			return -EBUSY;
		if (weft__refused)
			return -EOPNOTSUPP;
		if (still_has_threads())
			return -EBUSY;
		weft__settings_turn_on();
	}
	weft__families_ask(families);
	if (!be_awake())
		return -EOPNOTSUPP;
	if (!imports_taken)
		weft__imports_take();
	imports_taken = true;
	return 0;
}

static unsigned int patched(void)
{
	return weft__process.hub != NULL ? weft__families : 0;
}

const struct weft__shim_ops weft__shim_here = {
	.wake = be_awake,
	.create = weft__create_task,
	.patch = patch,
	.patched = patched,
	.is_patched = weft__is_patched,
	.original = weft__original,
};
