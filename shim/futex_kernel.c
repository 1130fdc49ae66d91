/*
 * Waiting in the kernel on behalf of a task, for words that other processes share.
 *
 * An offload thread waits by futex_waitv(2), for the word and for one by which it is called off.
 * Where that cannot be (more waiters than offload threads, a bitset, Linux before 5.16) the wait
 * is done some other way, but it is never refused: glibc would ask again at once, for ever.
 */
#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <time.h>

#include "futex.h"
#include "offload.h"
#include "shim.h"
#include "thread.h"
#include "times.h"

/* How often who found no thread looks at the word, and when it says that it was woken. */
#define FIRST_LOOK_NS 100000U
#define LAST_LOOK_NS 12800000U

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){(time_t)(ns / 1000000000U), (long)(ns % 1000000000U)};
}

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

/* A bitset is futex(2)'s alone; this call goes on by itself when it is interrupted. */
static long wait_with_bits(uintptr_t word, uint32_t expected, uint32_t bitset,
			   const struct timespec *time, const struct weft__until *until)
{
	struct weft__job job = {.nr = SYS_futex,
				.arg = {(long)word, FUTEX_WAIT_BITSET, expected, 0, 0, bitset},
				.data_arg = -1};
	long result;

	if (until->deadline_ns != 0) {
		memcpy(job.data, time, sizeof(*time));
		job.data_arg = 3;
	}
	if (until->realtime_ns != 0)
		job.arg[1] |= FUTEX_CLOCK_REALTIME;
	result = weft__offload(&job);
	if (result == -EAGAIN || result == -ENOMEM)
		result = wait_by_looking(word, expected, until);
	return result;
}

long weft__futex_wait_between(uintptr_t word, uint32_t expected, uint32_t bitset,
			      struct weft__until *until)
{
	static bool no_waitv;
	struct timespec time =
		timespec_of(until->realtime_ns != 0 ? until->realtime_ns : until->deadline_ns);
	struct weft__job job = {.nr = SYS_futex_waitv, .data_arg = -1};
	struct futex_waitv words[2] = {
		{.uaddr = (uintptr_t)&job.cancel, .flags = FUTEX_32 | FUTEX_PRIVATE_FLAG},
		{.uaddr = word, .val = expected, .flags = FUTEX_32}};
	long result = -ENOSYS;

	job.arg[0] = (long)words;
	job.arg[1] = 2;
	job.arg[3] = until->deadline_ns == 0 ? 0 : (long)&time;
	job.arg[4] = until->realtime_ns != 0 ? CLOCK_REALTIME : CLOCK_MONOTONIC;
	if (bitset == FUTEX_BITSET_MATCH_ANY && !no_waitv)
		result = weft__offload_waitv(&job);
	if (result == WEFT__NO_THREAD)
		return wait_by_looking(word, expected, until);
	if (result != -ENOSYS)
		return result > 0 ? 0 : result;
	no_waitv = no_waitv || bitset == FUTEX_BITSET_MATCH_ANY;
	return wait_with_bits(word, expected, bitset, &time, until);
}
