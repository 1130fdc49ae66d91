/*
 * signalfd(2) and signals that are sent to one thread.
 *
 * What is sent to the process, and blocked by every task, is pending in the kernel, where a signalfd
 * sees it. What is sent to a task is weft's to keep, and the kernel has no such thread. So for as
 * long as a task looks at descriptors (reads one, polls, waits for an epoll set), its own signals are
 * given to the kernel as the carrier's. Another that looks at a signalfd in this very while might
 * read them.
 *
 * Only signals that every task blocks can stay there: any other is let in, and handled by a task.
 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "denied.h"
#include "handlers.h"
#include "mask.h"
#include "pending.h"
#include "shim.h"
#include "signals.h"
#include "thread.h"

/* Whether there is a signalfd: one may have been made before weft woke, or been inherited. */
static enum { UNKNOWN, NONE, SOME } signalfds;

long on_signalfd(struct weft__call *c)
{
	(void)c;
	signalfds = SOME;
	return WEFT__PASS;
}

static bool is_signalfd(long folder, const char *number)
{
	static const char wanted[] = "anon_inode:[signalfd]";
	char name[sizeof(wanted)];

	return weft__raw(SYS_readlinkat, folder, number, name, sizeof(name)) ==
		       (long)sizeof(wanted) - 1 &&
	       memcmp(name, wanted, sizeof(wanted) - 1) == 0;
}

/* Look through what the process has open. */
static bool find_signalfd(void)
{
	char entries[1024] __attribute__((aligned(8)));
	long folder = weft__raw(SYS_openat, AT_FDCWD, "/proc/self/fd",
				O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool found = false;
	long n;

	while (!found && (n = weft__raw(SYS_getdents64, folder, entries, sizeof(entries))) > 0)
		for (long at = 0; at < n && !found;) {
			const struct dirent64 *entry = (const void *)&entries[at];

			found = is_signalfd(folder, entry->d_name);
			at += entry->d_reclen;
		}
	weft__raw(SYS_close, folder);
	return found;
}

static bool may_give(void)
{
	if (weft__denied[SYS_rt_tgsigqueueinfo] || weft__denied[SYS_readlinkat] ||
	    weft__denied[SYS_openat] || weft__denied[SYS_getdents64])
		return false;
	if (signalfds == UNKNOWN)
		signalfds = find_signalfd() ? SOME : NONE;
	return signalfds == SOME;
}

static void give_to_kernel(const siginfo_t *info)
{
	/* Of several carriers, who reads or polls the descriptor is not who has it now. */
	if (weft__parallel)
		weft__raw(SYS_rt_sigqueueinfo, weft__raw(SYS_getpid), info->si_signo, info);
	else
		weft__raw(SYS_rt_tgsigqueueinfo, weft__raw(SYS_getpid), weft__raw(SYS_gettid),
			  info->si_signo, info);
}

void weft__signalfd_watch(bool watches)
{
	struct weft__thread *me = weft__thread_here();
	siginfo_t info;

	me->watches = watches;
	while (weft__unlikely(me->pending != 0) && watches && may_give() &&
	       weft__signal_take_own(me, weft__mask_common(), &info))
		give_to_kernel(&info);
}

bool weft__signalfd_show(const struct weft__thread *thread, const siginfo_t *info)
{
	if (!thread->watches || (weft__mask_common() & weft__signal_bit(info->si_signo)) == 0 ||
	    !may_give())
		return false;
	give_to_kernel(info);
	return true;
}
