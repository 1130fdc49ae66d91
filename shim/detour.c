/*
 * See detour.h. What the tables say of a call is what its handler and its neighbours do: who changes
 * those changes these.
 */
#include "detour.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include "blocking.h"
#include "descriptor.h"
#include "families.h"
#include "filter.h"
#include "handlers.h"
#include "hub.h"
#include "memory.h"
#include "offload.h"
#include "shim.h"

_Static_assert(WEFT__DENIABLE == WEFT__CALLS, "every call can be denied");

/* A descriptor of the program's, whichever; and places of arguments for weft's own. */
#define SOME_FD 7
#define SET (-2)
#define BELL (-3)

/*
 * The calls that weft makes, with the arguments by which a filter may judge them: first those whose
 * loss can be felt, then those that something stands in for.
 */
static const struct {
	short nr;
	bool felt;
	long arg[4];
} made[] = {
	{SYS_epoll_ctl, true, {SET, EPOLL_CTL_ADD, SOME_FD}},
	{SYS_epoll_wait, true, {SET, 0, 256, -1}},
	{SYS_write, true, {BELL, 0, 8}},
	{SYS_poll, true, {0, 1, 0}},
	{SYS_fstat, true, {SOME_FD}},
	{SYS_fcntl, true, {SOME_FD, F_GETFL}},
	{SYS_fcntl, true, {SOME_FD, F_SETFL}},
	{SYS_getsockopt, true, {SOME_FD, SOL_SOCKET, SO_TYPE}},
	{SYS_recvfrom, true, {SOME_FD, 0, 0, MSG_DONTWAIT}},
	{SYS_recvmsg, true, {SOME_FD, 0, MSG_DONTWAIT}},
	{SYS_sendto, true, {SOME_FD, 0, 0, MSG_DONTWAIT | MSG_NOSIGNAL}},
	{SYS_sendmsg, true, {SOME_FD, 0, MSG_DONTWAIT | MSG_NOSIGNAL}},
	{SYS_futex, true, {0, FUTEX_WAIT_PRIVATE}},
	{SYS_futex, true, {0, FUTEX_WAKE_PRIVATE}},
	{SYS_mmap, true, {0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS}},
	{SYS_mprotect, true, {0, 4096, PROT_NONE}},
	{SYS_munmap, true, {0, 4096}},
	{SYS_exit, true, {0}},
	{SYS_rt_sigprocmask, true, {SIG_SETMASK, 0, 0, 8}},
	{SYS_rt_sigreturn, true, {0}},
	{SYS_clone,
	 false,
	 {CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
	  CLONE_SETTLS | CLONE_CHILD_SETTID}},
	{SYS_clone3, false, {0, 88}},
	{SYS_epoll_pwait, false, {SET, 0, 256, -1}},
	{SYS_epoll_pwait2, false, {SET, 0, 256}},
	{SYS_preadv2, false, {SOME_FD}},
	{SYS_pwritev2, false, {SOME_FD}},
	{SYS_madvise, false, {0, 4096, 102}},
	{SYS_getpid, false, {0}},
	{SYS_gettid, false, {0}},
	{SYS_getuid, false, {0}},
	{SYS_rt_sigtimedwait, false, {0, 0, 0, 8}},
	{SYS_rt_tgsigqueueinfo, false, {0, 0, WEFT__OFFLOAD_SIGNAL}},
	{SYS_tgkill, false, {0, 0, WEFT__OFFLOAD_SIGNAL}},
	{SYS_kill, false, {0, 0}},
	{SYS_signalfd4, false, {-1}},
	{SYS_getdents64, false, {SOME_FD}},
	{SYS_readlinkat, false, {SOME_FD}},
	{SYS_readlink, false, {0}},
	{SYS_pidfd_open, false, {2}},
	{SYS_waitid, false, {0}},
	{SYS_nanosleep, false, {0}},
	{SYS_clock_nanosleep, false, {CLOCK_MONOTONIC}},
	{SYS_pselect6, false, {0}},
	{SYS_openat, false, {AT_FDCWD, 0, O_RDONLY | O_CLOEXEC}},
	{SYS_ioctl, false, {SOME_FD}},
	{SYS_close, false, {SOME_FD}},
	{SYS_read, false, {SOME_FD}},
	{SYS_newfstatat, false, {AT_FDCWD}},
	{SYS_mq_getsetattr, false, {SOME_FD}},
	/* The program's own, which is not to be made elsewhere when it ends the process. */
	{SYS_readv, false, {SOME_FD}},
	{SYS_writev, false, {SOME_FD}},
	{SYS_recvmmsg, false, {SOME_FD}},
	{SYS_sendmmsg, false, {SOME_FD}},
	{SYS_sendfile, false, {SOME_FD}},
	{SYS_accept, false, {SOME_FD}},
	{SYS_accept4, false, {SOME_FD}},
	{SYS_connect, false, {SOME_FD}},
	{SYS_ppoll, false, {0}},
	{SYS_select, false, {0}},
	{SYS_wait4, false, {-1}},
	{SYS_mq_timedsend, false, {SOME_FD}},
	{SYS_mq_timedreceive, false, {SOME_FD}},
	{SYS_open, false, {0}},
	{SYS_openat2, false, {AT_FDCWD}},
	{SYS_creat, false, {0}},
	{SYS_splice, false, {SOME_FD}},
	{SYS_tee, false, {SOME_FD}},
	{SYS_vmsplice, false, {SOME_FD}},
	/* For a file that is sent; to learn what a file lies on. */
	{SYS_lseek, false, {SOME_FD}},
	{SYS_cachestat, false, {SOME_FD}},
	{SYS_madvise, false, {0, 4096, MADV_POPULATE_READ}},
	{SYS_statfs, false, {0}},
	{SYS_fstatfs, false, {SOME_FD}},
	/* To wake up, in a child that makes threads, what is not among the above. */
	{SYS_stat, false, {0}},
	{SYS_epoll_create1, false, {EPOLL_CLOEXEC}},
	{SYS_eventfd2, false, {0}},
	{SYS_pipe2, false, {0}},
	{SYS_fcntl, false, {SOME_FD, F_DUPFD_CLOEXEC}},
	{SYS_prlimit64, false, {0, RLIMIT_NOFILE}},
	{SYS_prctl, false, {PR_GET_NAME}},
	{SYS_get_robust_list, false, {0}},
	{SYS_sigaltstack, false, {0}},
	{SYS_rt_sigaction, false, {SIGSEGV}},
	{SYS_rt_sigpending, false, {0}},
	{SYS_clock_gettime, false, {CLOCK_THREAD_CPUTIME_ID}},
	{SYS_sched_getscheduler, false, {0}},
	{SYS_sched_getparam, false, {0}},
	{SYS_sched_getaffinity, false, {0}},
	{SYS_getpriority, false, {PRIO_PROCESS}},
	{SYS_ioprio_get, false, {1}},
	{SYS_timer_create, false, {CLOCK_THREAD_CPUTIME_ID}},
	{SYS_timer_settime, false, {0}},
};

/* Those of them without which there is no waking up. */
static const short waking_needs[] = {SYS_stat,           SYS_epoll_create1,
				     SYS_epoll_ctl,      SYS_eventfd2,
				     SYS_pipe2,          SYS_fcntl,
				     SYS_close,          SYS_prlimit64,
				     SYS_prctl,          SYS_get_robust_list,
				     SYS_sigaltstack,    SYS_rt_sigaction,
				     SYS_rt_sigprocmask, SYS_rt_sigpending,
				     SYS_clock_gettime,  SYS_sched_getscheduler,
				     SYS_sched_getparam, SYS_getpriority,
				     SYS_ioprio_get,     SYS_timer_create,
				     SYS_timer_settime,  SYS_mmap,
				     SYS_getpid,         SYS_gettid,
				     SYS_openat,         SYS_read};

/* The calls whose handlers wait for descriptors, and what else each of those makes. */
#define MOST_NEEDS 5
static const struct {
	short nr;
	short needs[MOST_NEEDS];
} handled[] = {
	{SYS_read, {SYS_recvfrom}},
	{SYS_readv, {SYS_recvmsg}},
	{SYS_write, {SYS_sendto, SYS_rt_sigprocmask, SYS_rt_sigtimedwait}},
	{SYS_writev, {SYS_sendmsg, SYS_sendto, SYS_rt_sigprocmask, SYS_rt_sigtimedwait}},
	{SYS_recvfrom, {0}},
	{SYS_recvmsg, {0}},
	{SYS_recvmmsg, {0}},
	{SYS_sendto, {0}},
	{SYS_sendmsg, {SYS_sendto}},
	{SYS_sendmmsg, {SYS_sendto}},
	{SYS_sendfile, {SYS_lseek, SYS_cachestat, SYS_madvise, SYS_mmap, SYS_munmap}},
	{SYS_splice, {0}},
	{SYS_tee, {0}},
	{SYS_vmsplice, {0}},
	{SYS_accept, {0}},
	{SYS_accept4, {0}},
	{SYS_connect, {0}},
	{SYS_poll, {0}},
	{SYS_ppoll, {0}},
	{SYS_select, {SYS_pselect6}},
	{SYS_pselect6, {0}},
	{SYS_epoll_wait, {0}},
	{SYS_epoll_pwait, {SYS_epoll_wait}},
	{SYS_epoll_pwait2, {SYS_epoll_wait}},
	{SYS_wait4, {SYS_pidfd_open, SYS_waitid, SYS_close}},
	{SYS_waitid, {SYS_pidfd_open, SYS_close}},
	{SYS_mq_timedsend, {SYS_mq_getsetattr}},
	{SYS_mq_timedreceive, {SYS_mq_getsetattr}},
};

/* These look first whether it is a FIFO. */
static const short openers[] = {SYS_open, SYS_openat, SYS_openat2, SYS_creat};

/* And what all of them need, to learn what a descriptor is and to wait for it. */
static const short common_needs[] = {SYS_fstat, SYS_fcntl, SYS_getsockopt, SYS_poll};

#define MOST_THREADS 1024U /* as the setting may be */

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* A mask that is for the wait alone is the carrier's to have, not an offload thread's. */
static bool has_mask(const struct weft__call *c)
{
	switch (c->nr) {
	case SYS_ppoll:
		return c->arg[3] != 0;
	case SYS_pselect6:
		return c->arg[5] != 0;
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2:
		return c->arg[4] != 0;
	default:
		return false;
	}
}

/* The call itself, by an offload thread. What is denied ends, or is trapped, where it is made. */
static long on_offloaded(struct weft__call *c)
{
	c->fd = weft__fd_peek((int)c->arg[0]);
	if (c->fd != NULL && c->fd->kind == WEFT__NAME && c->nr == SYS_write)
		return weft__write_name(c);
	if (weft__denied[c->nr] || (c->fd != NULL && c->fd->kind == WEFT__MEMORY))
		return WEFT__PASS;
	weft__spend(1);
	if (has_mask(c))
		return weft__blocks(c);
	return c->fd != NULL && c->fd->kind == WEFT__FILE ? weft__offloaded(c)
							  : weft__blocking(c, NULL);
}

static bool any_denied(const short *calls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (calls[i] != 0 && weft__denied[calls[i]])
			return true;
	return false;
}

bool weft__detour_may_wake(void)
{
	return !any_denied(waking_needs, COUNT(waking_needs));
}

bool weft__detour_take(bool waits)
{
	bool all = !waits || any_denied(common_needs, COUNT(common_needs)), any = false;

	for (size_t i = 0; i < COUNT(handled); i++)
		if (all || any_denied(handled[i].needs, MOST_NEEDS)) {
			any |= !weft__denied[handled[i].nr];
			weft__handler_replace(handled[i].nr, on_offloaded);
		}
	for (size_t i = 0; weft__denied[SYS_newfstatat] && i < COUNT(openers); i++)
		weft__handler_replace(openers[i], on_offloaded);
	/* Each wait takes a thread, and may be for another's: the user did not reckon with that. */
	if (any && weft__offload_makes(weft__denied) && weft__offload_most < MOST_THREADS)
		weft__offload_most = MOST_THREADS;
	return any;
}

/* What a filter would deny; its own copy is the kernel's, which may find another program there. */
static void ask_filter(const struct sock_filter *program, unsigned int length,
		       bool denied[WEFT__CALLS])
{
	struct seccomp_data call;

	for (size_t i = 0; i < COUNT(made); i++) {
		uint32_t verdict;

		call = (struct seccomp_data){.nr = made[i].nr,
					     .arch = AUDIT_ARCH_X86_64,
					     .instruction_pointer = (uintptr_t)weft__hub_ring};
		for (size_t j = 0; j < COUNT(made[i].arg); j++)
			call.args[j] = made[i].arg[j] == SET    ? weft__hub_set(&weft__process)
				       : made[i].arg[j] == BELL ? weft__hub_bell(&weft__process)
								: made[i].arg[j];
		verdict = weft__filter_verdict(program, length, &call) & SECCOMP_RET_ACTION_FULL;
		if (verdict != SECCOMP_RET_ALLOW && verdict != SECCOMP_RET_LOG &&
		    verdict != SECCOMP_RET_USER_NOTIF)
			denied[made[i].nr] = true;
	}
}

void weft__detour_ask(uintptr_t at, bool denied[WEFT__CALLS])
{
	struct sock_fprog from;
	struct sock_filter *program;
	size_t bytes;

	if (weft__copy(&from, (const void *)at, sizeof(from)) != 0 || from.len == 0 ||
	    from.len > BPF_MAXINSNS)
		return;
	bytes = from.len * sizeof(*program);
	program = weft__alloc(bytes);
	if (program == NULL)
		return;
	if (weft__copy(program, from.filter, bytes) == 0)
		ask_filter(program, from.len, denied);
	weft__free(program, bytes);
}

static bool is_clone(long nr)
{
	return nr == SYS_clone || nr == SYS_clone3;
}

void weft__detour_name(char *names, size_t bytes)
{
	size_t used = 0;

	names[0] = '\0';
	for (size_t i = 0; i < COUNT(made) && used < bytes - 24; i++) {
		bool again = i > 0 && made[i].nr == made[i - 1].nr;
		bool felt = made[i].felt || (weft__offload_most == 0 && is_clone(made[i].nr));

		if (felt && weft__denied[made[i].nr] && !again)
			used += (size_t)snprintf(names + used, bytes - used, "%s%s",
						 used == 0 ? "" : ", ",
						 weft__call_name(made[i].nr));
	}
}
