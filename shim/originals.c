/*
 * See originals.h. An original is a function of the program's that asks the kernel where no site is
 * patched. Most are made from calls.def: as the calling convention has it, six words in and one out are
 * the prototype of every one of them, and the kernel looks at those that it knows. The others are those
 * whose function in libc has other arguments than the system call, or gives another result.
 */
#include "originals.h"

#include <errno.h>
#include <mqueue.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <time.h>
#include <weft/monkey.h>

#include "catch.h"
#include "families.h"
#include "preempt.h"
#include "shim.h"

#define MASK_BYTES 8 /* the kernel's sigset_t */

/* The call is to wait in the kernel: nothing of weft's interrupts it there, and nobody catches it. */
static long ask_kernel(long nr, long a, long b, long c, long d, long e, long f)
{
	struct weft__task *me = weft__process.hub != NULL ? weft__current : NULL;

	if (me != NULL) {
		weft__go_inside(me);
		weft__preempt_not();
		weft__go_outside(me);
	}
	return weft__raw6(nr, a, b, c, d, e, f);
}

#define ASK7(nr, a, b, c, d, e, f, ...) \
	ask_kernel((long)(nr), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define ask(...) ASK7(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

static long as_libc(long result)
{
	if (!weft__failed(result))
		return result;
	errno = (int)-result;
	return -1;
}

#define MAKE_PASS(number, name)
#define MAKE_EMULATE(number, name)
#define MAKE_PARK(number, name) \
	static long plain_##name(long a, long b, long c, long d, long e, long f) \
	{ \
		return as_libc(ask_kernel(number, a, b, c, d, e, f)); \
	}
#define MAKE_OFFLOAD MAKE_PARK
#define CALL(number, name, class, handler, family, reason) MAKE_##class(number, name)
#include "calls.def"
#undef CALL
MAKE_PARK(SYS_sched_yield, sched_yield)

static ssize_t original_recv(int fd, void *buf, size_t n, int flags)
{
	return as_libc(ask(SYS_recvfrom, fd, buf, n, flags));
}

static ssize_t original_send(int fd, const void *buf, size_t n, int flags)
{
	return as_libc(ask(SYS_sendto, fd, buf, n, flags));
}

/* The system call says in its argument what is left, the function does not. */
static int original_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
			  const sigset_t *mask)
{
	struct timespec left;

	if (timeout != NULL)
		left = *timeout;
	return (int)as_libc(
		ask(SYS_ppoll, fds, n, timeout == NULL ? NULL : &left, mask, MASK_BYTES));
}

static int original_pselect(int n, fd_set *in, fd_set *out, fd_set *except,
			    const struct timespec *timeout, const sigset_t *mask)
{
	struct {
		const sigset_t *mask;
		size_t bytes;
	} with = {mask, MASK_BYTES};
	struct timespec left;

	if (timeout != NULL)
		left = *timeout;
	return (int)as_libc(
		ask(SYS_pselect6, n, in, out, except, timeout == NULL ? NULL : &left, &with));
}

static int original_epoll_pwait(int fd, struct epoll_event *events, int most, int ms,
				const sigset_t *mask)
{
	return (int)as_libc(ask(SYS_epoll_pwait, fd, events, most, ms, mask, MASK_BYTES));
}

static int original_epoll_pwait2(int fd, struct epoll_event *events, int most,
				 const struct timespec *timeout, const sigset_t *mask)
{
	return (int)as_libc(ask(SYS_epoll_pwait2, fd, events, most, timeout, mask, MASK_BYTES));
}

static ssize_t original_preadv2(int fd, const struct iovec *iov, int n, off_t at, int flags)
{
	return as_libc(ask(SYS_preadv2, fd, iov, n, at, 0, flags));
}

static ssize_t original_pwritev2(int fd, const struct iovec *iov, int n, off_t at, int flags)
{
	return as_libc(ask(SYS_pwritev2, fd, iov, n, at, 0, flags));
}

/* This one says its error, and leaves errno alone. */
static int original_clock_nanosleep(clockid_t clock, int flags, const struct timespec *time,
				    struct timespec *left)
{
	return (int)-ask(SYS_clock_nanosleep, clock, flags, time, left);
}

static unsigned int original_sleep(unsigned int seconds)
{
	struct timespec time = {seconds, 0}, left = {0, 0};

	if (ask(SYS_nanosleep, &time, &left) == 0)
		return 0;
	return (unsigned int)left.tv_sec + (left.tv_nsec >= 500000000);
}

static int original_usleep(unsigned int us)
{
	struct timespec time = {us / 1000000, us % 1000000 * 1000L};

	return (int)as_libc(ask(SYS_nanosleep, &time));
}

static pid_t original_wait(int *status)
{
	return (pid_t)as_libc(ask(SYS_wait4, -1, status));
}

static pid_t original_waitpid(pid_t child, int *status, int options)
{
	return (pid_t)as_libc(ask(SYS_wait4, child, status, options));
}

static int original_waitid(idtype_t kind, id_t child, siginfo_t *info, int options)
{
	return (int)as_libc(ask(SYS_waitid, kind, child, info, options));
}

static int original_mq_send(mqd_t queue, const char *data, size_t n, unsigned int priority)
{
	return (int)as_libc(ask(SYS_mq_timedsend, queue, data, n, priority));
}

static ssize_t original_mq_receive(mqd_t queue, char *data, size_t n, unsigned int *priority)
{
	return as_libc(ask(SYS_mq_timedreceive, queue, data, n, priority));
}

struct original {
	const char *name;
	void *function; /* NULL: there is none of that name */
};

#define LIST(name) \
	{ \
#name, (void *)original_##name \
	}
#define RENAMED(name, call) \
	{ \
		name, (void *)plain_##call \
	}
#define NONE(name) \
	{ \
		name, NULL \
	}

/* Before what comes from calls.def. */
static const struct original special[] = {
	LIST(recv),
	LIST(send),
	LIST(ppoll),
	LIST(pselect),
	LIST(epoll_pwait),
	LIST(epoll_pwait2),
	LIST(preadv2),
	LIST(pwritev2),
	LIST(clock_nanosleep),
	LIST(sleep),
	LIST(usleep),
	LIST(wait),
	LIST(waitpid),
	LIST(waitid),
	LIST(mq_send),
	LIST(mq_receive),
	RENAMED("pread", pread64),
	RENAMED("pwrite", pwrite64),
	RENAMED("fstatat", newfstatat),
	RENAMED("klogctl", syslog),
	RENAMED("sched_yield", sched_yield),
	/* Of libc's functions of these names, or without one, the call is but a part. */
	NONE("pselect6"),
	NONE("syslog"),
	NONE("newfstatat"),
	NONE("faccessat"),
	NONE("fchmodat"),
	NONE("ustat"),
	NONE("vfork"),
	/* Waits for what only weft knows of. */
	NONE("pause"),
	NONE("rt_sigsuspend"),
	NONE("rt_sigtimedwait"),
	NONE("futex"),
	NONE("futex_wait"),
	NONE("futex_waitv"),
	NONE("io_uring_enter"),
};

#define ENTRY_PASS(name)
#define ENTRY_EMULATE(name)
#define ENTRY_PARK(name) {#name, (void *)plain_##name},
#define ENTRY_OFFLOAD ENTRY_PARK
#define CALL(number, name, class, handler, family, reason) ENTRY_##class(name)

static const struct original plain[] = {
#include "calls.def"
};
#undef CALL

static const struct original *find(const struct original *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i].name, name) == 0)
			return &list[i];
	return NULL;
}

int weft__original(const char *name, void **ret_function)
{
	const struct original *found = find(special, sizeof(special) / sizeof(*special), name);

	if (found == NULL)
		found = find(plain, sizeof(plain) / sizeof(*plain), name);
	if (found == NULL || found->function == NULL)
		return -ENOENT;
	*ret_function = found->function;
	return 0;
}

/* Numbers by name, as calls.def has them. */
enum {
#define CALL(number, name, class, handler, family, reason) NR_##name = (number),
#include "calls.def"
#undef CALL
};

static const struct {
	const char *name;
	short calls[2];
} functions[] = {
#define FUNCTION(name, call, other) {#name, {NR_##call, NR_##other}},
#include "functions.def"
#undef FUNCTION
};

static bool call_is_patched(long nr)
{
	unsigned int family = weft__family_of(nr);

	return family == WEFT_ALL || (family != 0 && weft__has_family(family));
}

int weft__is_patched(const char *name)
{
	bool awake = weft__process.hub != NULL;

	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++)
		if (strcmp(functions[i].name, name) == 0)
			return awake && call_is_patched(functions[i].calls[0]) &&
			       call_is_patched(functions[i].calls[1]);
	for (long nr = 0; nr < WEFT__CALLS; nr++)
		if (weft__call_name(nr) != NULL && strcmp(weft__call_name(nr), name) == 0)
			return awake && call_is_patched(nr);
	return -ENOENT;
}
