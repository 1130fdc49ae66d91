/* See blocking.h. */
#include "blocking.h"

#include <errno.h>
#include <string.h>

#include "offload.h"
#include "shim.h"
#include "times.h"

/* How long a call waits between tries that no offload thread can make. */
#define TRY_AGAIN_NS UINT64_C(5000000)

long weft__blocking_until(const struct weft__call *c, weft__attempt *attempt, int timeout_arg,
			  uint64_t deadline_ns)
{
	struct weft__job job = {.nr = c->nr, .data_arg = -1};
	struct timespec left;
	long result;

	memcpy(job.arg, c->arg, sizeof(job.arg));
	while ((result = attempt(c)) == -EAGAIN) {
		weft__counts.parks[c->nr]++;
		if (deadline_ns != 0) {
			left = weft__left_until(deadline_ns);
			memcpy(job.data, &left, sizeof(left));
			job.data_arg = timeout_arg;
		}
		if (weft__offload_call(&job, &result) == 0)
			break;
		if (deadline_ns != 0 && weft__now_ns() >= deadline_ns)
			break;
		if (weft__park(weft__now_ns() + TRY_AGAIN_NS) == -EINTR)
			return -EINTR;
	}
	return result;
}

long weft__blocking(const struct weft__call *c, weft__attempt *attempt)
{
	return weft__blocking_until(c, attempt, -1, 0);
}
