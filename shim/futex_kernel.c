/*
 * Waiting in the kernel on behalf of a task, for words that other processes share.
 *
 * An offload thread waits. With more waiters than offload threads the wait is done by looking at
 * the word, but it is never refused: glibc would ask again at once, for ever.
 */
#include <errno.h>
#include <linux/futex.h>
#include <time.h>

#include "futex.h"
#include "offload.h"
#include "shim.h"
#include "thread.h"
#include "times.h"

/* How often who found no thread looks at the word, and when it says that it was woken. */
#define FIRST_LOOK_NS 100000U
#define LAST_LOOK_NS 12800000U

/* Wake-ups without a cause are allowed (futex(2)), and better than a wake that is missed. */
static long wait_by_looking(uintptr_t word, uint32_t expected, const struct weft__until *until)
{
	uint32_t value;

	for (uint64_t pause = FIRST_LOOK_NS; pause <= LAST_LOOK_NS; pause *= 2) {
		uint64_t next = weft__now_ns() + pause;
		bool last = until->deadline_ns != 0 && until->deadline_ns <= next;
		int result = weft__park(last ? until->deadline_ns : next);
		long err = weft__load(word, &value);

		if (result == -EINTR || err != 0)
			return result == -EINTR ? -EINTR : err;
		if (value != expected)
			return 0;
		if (last)
			return -ETIMEDOUT;
	}
	return 0;
}

long weft__futex_wait_between(uintptr_t word, uint32_t expected, uint32_t bitset,
			      const struct weft__until *until)
{
	bool realtime = until->realtime_ns != 0;
	struct timespec time =
		weft__to_timespec(realtime ? until->realtime_ns : until->deadline_ns);
	struct weft__job job = {.nr = SYS_futex,
				.arg = {(long)word, FUTEX_WAIT_BITSET, expected, 0, 0, bitset},
				.data_arg = -1};

	if (realtime)
		job.arg[1] |= FUTEX_CLOCK_REALTIME;
	if (until->deadline_ns != 0)
		job.arg[3] = (long)&time;
	return weft__offload_call(&job) != 0 ? wait_by_looking(word, expected, until) : job.result;
}
