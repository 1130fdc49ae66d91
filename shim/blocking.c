/* See blocking.h. */
#include "blocking.h"

#include <errno.h>
#include <string.h>

#include "crew.h"
#include "denied.h"
#include "offload.h"
#include "send.h"
#include "shim.h"
#include "signals.h"
#include "thread.h"
#include "times.h"

/* A signal for who made the call went to the thread that made it. */
static void pass_signal_on(int signal)
{
	siginfo_t info;

	if (signal == 0)
		return;
	info = weft__signal_from_self(signal, signal == SIGPIPE ? SI_USER : SI_KERNEL);
	weft__signal_send(weft__thread_here(), &info);
}

/* What a job has come to; where its thread could not ask for the signal, the result tells of it. */
static long end_of(const struct weft__call *c, const struct weft__job *job)
{
	pass_signal_on(job->signal);
	return weft__unlikely(weft__denied[SYS_rt_sigtimedwait]) ? weft__sent(c, job->result)
								 : job->result;
}

static struct weft__job job_of(const struct weft__call *c)
{
	struct weft__job job = {.nr = c->nr, .data_arg = -1};

	memcpy(job.arg, c->arg, sizeof(job.arg));
	return job;
}

long weft__blocking_until(const struct weft__call *c, weft__attempt *attempt, int timeout_arg,
			  uint64_t deadline_ns)
{
	struct weft__job job = job_of(c);
	struct timespec left;
	long result;

	weft__lock();
	for (;;) {
		result = attempt == NULL ? -EAGAIN : attempt(c);
		if (result != -EAGAIN)
			return result;
		weft__count_park(c->nr);
		if (deadline_ns != 0) {
			left = weft__left_until(deadline_ns);
			memcpy(job.data, &left, sizeof(left));
			job.data_arg = timeout_arg;
		}
		if (weft__offload_call(&job) == 0)
			break;
		if (attempt == NULL && weft__offload_most == 0) /* there will never be a thread */
			return weft__blocks(c);
		if (deadline_ns != 0 && weft__now_ns() >= deadline_ns)
			return result;
		if (weft__park(weft__now_ns() + WEFT__TRY_AGAIN_NS) == -EINTR)
			return -EINTR;
	}
	return end_of(c, &job);
}

long weft__blocking(const struct weft__call *c, weft__attempt *attempt)
{
	return weft__blocking_until(c, attempt, -1, 0);
}

bool weft__blocking_once(const struct weft__call *c, long *ret_result)
{
	struct weft__job job = job_of(c);

	weft__count_park(c->nr);
	if (weft__offload_call(&job) != 0)
		return false;
	*ret_result = end_of(c, &job);
	return true;
}

long weft__offloaded(const struct weft__call *c)
{
	return weft__offloaded_in_order(c, 0);
}

long weft__offloaded_in_order(const struct weft__call *c, uint32_t order)
{
	struct weft__job job = job_of(c);

	job.ends = true;
	job.order = order;
	weft__count_park(c->nr);
	if (weft__offload_call(&job) != 0) {
		weft__blocks(c);
		return weft__raw6(c->nr, c->arg[0], c->arg[1], c->arg[2], c->arg[3], c->arg[4],
				  c->arg[5]);
	}
	return end_of(c, &job);
}
