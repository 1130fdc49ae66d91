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

/* A thread of the kernel's, or a task whom such a one may want to wake, looks again this often. */
#define SLICE_NS UINT64_C(10000000)

static uint64_t end_of_slice(uint64_t until_ns)
{
	uint64_t slice_ns = weft__now_ns() + SLICE_NS;

	return until_ns == 0 || until_ns > slice_ns ? slice_ns : until_ns;
}

static int wait_in_kernel(struct pollfd *fds, nfds_t n, uint64_t until_ns)
{
	uint64_t now = weft__now_ns(), slice_ns = end_of_slice(until_ns);
	struct timespec left = {0, slice_ns > now ? (long)(slice_ns - now) : 0};
	int ready = (int)weft__raw(SYS_ppoll, fds, n, &left, NULL, 0);

	if (ready == 0 && until_ns != 0 && until_ns <= slice_ns)
		return -ETIMEDOUT;
	return ready == -EINTR ? 0 : ready;
}

/* From the look at `over` until it is parked nobody else runs, so end_wait() does not come too early. */
static int wait_in_task(struct pollfd *fds, nfds_t n, uint64_t until_ns, const bool *over)
{
	bool slices = !weft__has_family(WEFT_THREAD);
	int ready = 0;

	while (!__atomic_load_n(over, __ATOMIC_ACQUIRE) && ready == 0) {
		uint64_t end_ns = slices ? end_of_slice(until_ns) : until_ns;

		ready = (int)weft__poll_now(fds, n);
		if (ready == 0)
			ready = weft__ready_wait_any(fds, n, end_ns);
		if (ready == -EINTR || (ready == -ETIMEDOUT && end_ns != until_ns))
			return 0;
		if (ready == -EAGAIN)
			ready = 0;
	}
	return ready;
}

/* What came for the task meanwhile is delivered at the end of a call. */
static int poll_fds(struct pollfd *fds, nfds_t n, uint64_t until_ns, const bool *over)
{
	struct weft__task *me = weft__current;
	int ready;

	if (me == NULL)
		return wait_in_kernel(fds, n, until_ns);
	weft__go_inside(me);
	ready = wait_in_task(fds, n, until_ns, over);
	weft__go_outside(me);
	if (me->attention)
		syscall(SYS_gettid);
	return ready;
}

static void end_wait(struct weft__task *task)
{
	struct weft__task *me = weft__current;

	if (me == NULL)
		return;
	weft__go_inside(me);
	weft__interrupt(task);
	weft__go_outside(me);
}

const struct weft__shim_ops weft__shim_here = {
	.wake = be_awake,
	.create = weft__create_task,
	.poll = poll_fds,
	.end_wait = end_wait,
	.patch = patch,
	.patched = patched,
	.is_patched = weft__is_patched,
	.original = weft__original,
};
