/*
 * Clocks of processor time: a thread's are its own, not the carrier's.
 *
 * glibc and the kernel make a clock's number of a thread's id: (~tid << 3) | 4 | kind. A task's id
 * has more bits than the kernel's, the topmost is lost in this, and the number comes out positive
 * where all of the kernel's are negative. None of its ids makes one of the kernel's few others
 * (WEFT__LAST_TID).
 */
#include <errno.h>
#include <sys/resource.h>
#include <time.h>

#include "cpu.h"
#include "handlers.h"
#include "shim.h"
#include "thread.h"
#include "times.h"

#define SECOND UINT64_C(1000000000)

/* include/linux/posix-timers_types.h */
#define KIND_MASK 3
#define KIND_VIRTUAL 1 /* of what the others count, what was not in the kernel */
#define KIND_EXACT 2
#define KIND_FD 3 /* no processor time at all: a device's clock */
#define PER_THREAD 4
#define OWN_CLOCK (-8 | PER_THREAD) /* of the calling thread, whose id is taken for 0 */

#define LAST_KNOWN_CLOCK 63 /* entry_clock_x86_64.S */

/* A sleeper looks again after so long at most, as time may pass on several processors at once. */
#define LONGEST_STEP_NS 10000000U
#define SHORTEST_STEP_NS 1000000U

static bool is_cpu_clock(clockid_t clock)
{
	if (clock < 0 || clock > LAST_KNOWN_CLOCK)
		return (clock & KIND_MASK) != KIND_FD;
	return clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID;
}

struct weft__thread *weft__thread_of_clock(clockid_t clock)
{
	long tid = ~((long)clock >> 3);

	if (clock == CLOCK_THREAD_CPUTIME_ID)
		return weft__thread_here();
	if (!is_cpu_clock(clock) || (clock & PER_THREAD) == 0)
		return NULL;
	if (clock > 0)
		tid = WEFT__FIRST_TID | (tid & (WEFT__FIRST_TID - 1));
	return tid == 0 ? weft__thread_here() : weft__thread_by_tid(tid);
}

/*
 * Split a thread's time as the carrier's is, so that neither part is ever less than it was (the
 * kernel does the same to its own estimate, cputime_adjust()).
 */
static void split(struct weft__thread *thread, const struct rusage *carrier)
{
	uint64_t user =
		(uint64_t)carrier->ru_utime.tv_sec * 1000000U + (uint64_t)carrier->ru_utime.tv_usec;
	uint64_t both = user + (uint64_t)carrier->ru_stime.tv_sec * 1000000U +
			(uint64_t)carrier->ru_stime.tv_usec;
	uint64_t total = weft__cpu_time(&thread->task), user_ns = total;

	if (both != 0)
		user_ns = (uint64_t)((unsigned __int128)total * user / both);
	if (user_ns < thread->user_ns)
		user_ns = thread->user_ns;
	if (total - user_ns < thread->system_ns)
		user_ns = total - thread->system_ns;
	thread->user_ns = user_ns;
	thread->system_ns = total - user_ns;
}

static uint64_t time_of(struct weft__thread *thread, int kind)
{
	struct rusage carrier = {.ru_utime = {0, 0}};

	if (kind != KIND_VIRTUAL)
		return weft__cpu_time(&thread->task);
	weft__raw(SYS_getrusage, RUSAGE_THREAD, &carrier);
	split(thread, &carrier);
	return thread->user_ns;
}

static int kind_of(clockid_t clock)
{
	return clock == CLOCK_THREAD_CPUTIME_ID ? KIND_EXACT : clock & KIND_MASK;
}

long on_clock_gettime(struct weft__call *c)
{
	clockid_t clock = (clockid_t)c->arg[0];
	struct weft__thread *thread = weft__thread_of_clock(clock);
	struct timespec now;

	if (thread == NULL)
		return WEFT__PASS;
	/* Whoever asks for another's over and over waits for it to run. */
	weft__spend(thread == weft__thread_here() ? 1 : WEFT__EMPTY_HANDED);
	thread = weft__thread_of_clock(clock);
	if (thread == NULL)
		return -EINVAL;
	now = weft__to_timespec(time_of(thread, kind_of(clock)));
	return weft__copy((void *)c->arg[1], &now, sizeof(now));
}

/* What the kernel says of a task's clock is what it says of the same kind of the carrier's. */
static long ask_of_carrier(const struct weft__call *c)
{
	clockid_t clock = (clockid_t)c->arg[0];

	if (clock <= LAST_KNOWN_CLOCK || weft__thread_of_clock(clock) == NULL)
		return WEFT__PASS;
	return weft__raw(c->nr, OWN_CLOCK | (clock & KIND_MASK), c->arg[1]);
}

long on_clock_getres(struct weft__call *c)
{
	return ask_of_carrier(c);
}

long on_clock_settime(struct weft__call *c)
{
	return ask_of_carrier(c);
}

/* The time of a clock of processor time; -EINVAL when there is none, or no longer. */
static long read_clock(clockid_t clock, uint64_t *now_ns)
{
	struct weft__thread *thread = weft__thread_of_clock(clock);
	struct timespec now;
	long err;

	if (thread != NULL) {
		*now_ns = time_of(thread, kind_of(clock));
		return 0;
	}
	err = weft__raw(SYS_clock_gettime, clock, &now);
	if (err == 0)
		*now_ns = weft__to_ns(&now);
	return err;
}

/* How long to park: no time passes on a thread's clock faster than on the wall's. */
static uint64_t step(clockid_t clock, uint64_t left_ns)
{
	if (left_ns < SHORTEST_STEP_NS)
		return SHORTEST_STEP_NS;
	return left_ns > LONGEST_STEP_NS && weft__thread_of_clock(clock) == NULL ? LONGEST_STEP_NS
										 : left_ns;
}

/* Wait until a clock shows so much; what is left when a signal came first. */
static long sleep_on(const struct weft__call *c, clockid_t clock, uint64_t until_ns,
		     uint64_t *left_ns)
{
	uint64_t now_ns = 0;
	long err = read_clock(clock, &now_ns);

	if (err != 0)
		return err;
	weft__count_park(c->nr);
	while (now_ns < until_ns) {
		long ended;

		err = weft__park(weft__now_ns() + step(clock, until_ns - now_ns));
		ended = read_clock(clock, &now_ns);
		/* A clock that has ended will never be there: the kernel's sleeper stays, too. */
		if (err == -ETIMEDOUT && ended != 0)
			err = weft__park(0);
		if (err != -ETIMEDOUT) {
			*left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
			return err;
		}
	}
	return 0;
}

long weft__sleep_on_cpu_clock(struct weft__call *c)
{
	clockid_t clock = (clockid_t)c->arg[0];
	struct timespec *rest = (struct timespec *)c->arg[3], time;
	uint64_t until_ns, now_ns = 0, left_ns = 0;
	long err;

	/* CLOCK_THREAD_CPUTIME_ID is one that the kernel has no sleep for. */
	if (!is_cpu_clock(clock) || clock == CLOCK_THREAD_CPUTIME_ID)
		return weft__blocks(c);
	err = weft__read_time((void *)c->arg[2], &time);
	if (err != 0)
		return err;
	if (weft__thread_of_clock(clock) == weft__thread_here())
		return -EINVAL; /* it would never wake */
	until_ns = weft__to_ns(&time);
	if ((c->arg[1] & TIMER_ABSTIME) != 0)
		return sleep_on(c, clock, until_ns, &left_ns);
	err = read_clock(clock, &now_ns);
	if (err != 0)
		return err;
	until_ns = weft__call_deadline(until_ns + now_ns);
	err = sleep_on(c, clock, until_ns, &left_ns);
	if (err == -EINTR && rest != NULL) {
		time = weft__to_timespec(left_ns);
		if (weft__copy(rest, &time, sizeof(time)) != 0)
			return -EFAULT;
	}
	return err;
}

static struct timeval to_timeval(uint64_t ns)
{
	return (struct timeval){(time_t)(ns / SECOND), (long)(ns % SECOND / 1000)};
}

/* RUSAGE_THREAD: the times are the thread's, the counts the carrier's. */
long on_getrusage(struct weft__call *c)
{
	struct weft__thread *me = weft__thread_here();
	struct rusage usage = {.ru_utime = {0, 0}};

	if ((int)c->arg[0] != RUSAGE_THREAD)
		return WEFT__PASS;
	weft__spend(1);
	weft__raw(SYS_getrusage, RUSAGE_THREAD, &usage);
	split(me, &usage);
	usage.ru_utime = to_timeval(me->user_ns);
	usage.ru_stime = to_timeval(me->system_ns);
	return weft__copy((void *)c->arg[1], &usage, sizeof(usage));
}
