/*
 * Children, and the waiting for them.
 *
 * The child of a fork has one thread, which is the kernel's again: weft goes to sleep in it, and
 * wakes like the first time when it makes a thread. A child of vfork borrows the parent's memory,
 * thread pointer and all (spawn.c): while it does, the parent's task is set aside, so that its calls
 * are nobody's but the kernel's.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "carriers.h"
#include "catch.h"
#include "descriptor.h"
#include "file.h"
#include "offload.h"
#include "process.h"
#include "handlers.h"
#include "kernel_thread.h"
#include "names.h"
#include "shim.h"
#include "signals.h"
#include "thread.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

/* What the two returns of a vfork need, in the thread pointer they share (entry_x86_64.S). */
__thread uintptr_t weft__vfork_exit __attribute__((tls_model("initial-exec")));
__thread struct weft__task *weft__vfork_task __attribute__((tls_model("initial-exec")));

weft__handler weft__vfork_end;

/* Let the kernel thread have the running task's own mask, for a child or a new image inherits it. */
static void lend_mask(void)
{
	uint64_t mask = weft__mask_of(weft__thread_here());

	weft__raw(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
}

static void take_back_mask(void)
{
	uint64_t mask = weft__mask_here();

	weft__raw(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
}

/*
 * A child with a stack of its own has a copy of the parent's too: it stays on that until it leaves
 * weft.
 */
static long fork_here(const struct weft__call *c)
{
	struct clone_args args = {.flags = 0};
	size_t n = (size_t)c->arg[1];

	if (c->nr == SYS_clone)
		return weft__raw(c->nr, c->arg[0], 0, c->arg[2], c->arg[3], c->arg[4]);
	if (n > sizeof(args)) /* of another time: the kernel judges it */
		return weft__raw(c->nr, c->arg[0], n);
	if (weft__copy(&args, (void *)c->arg[0], n) != 0)
		return -EFAULT;
	if ((args.stack == 0) != (args.stack_size == 0))
		return -EINVAL;
	args.stack = args.stack_size = 0;
	return weft__raw(c->nr, &args, n);
}

long weft__fork(struct weft__call *c, uintptr_t stack_top)
{
	long result;

	lend_mask();
	result = fork_here(c);
	if (result == 0) {
		if (stack_top != 0)
			c->sp = stack_top;
		weft__asleep();
		return 0;
	}
	take_back_mask();
	weft__fd_forked();
	return result;
}

void weft__vfork_begin(void)
{
	if (weft__current == NULL)
		return;
	lend_mask();
	weft__fd_forked();
	weft__unlock();
	weft__current->inside = 0;
	weft__vfork_task = weft__current;
	weft__current = NULL;
}

static void end_vfork(void)
{
	if (weft__vfork_task == NULL)
		return;
	weft__current = weft__vfork_task;
	weft__vfork_task = NULL;
	weft__go_outside(weft__current);
	take_back_mask();
}

/* What the parent does after such a call (entry_x86_64.S); its result comes as the number. */
long weft__vfork_end(struct weft__call *c)
{
	long result = c->nr;

	c->nr = SYS_clone;
	end_vfork();
	weft__go_inside(weft__current);
	return result;
}

static long exec(struct weft__call *c)
{
	long err;

	lend_mask();
	weft__signals_lend(weft__thread_here());
	err = weft__raw(c->nr, c->arg[0], c->arg[1], c->arg[2], c->arg[3], c->arg[4]);
	weft__signals_adopt(weft__thread_here());
	take_back_mask();
	return err;
}

long on_execve(struct weft__call *c)
{
	return exec(c);
}

long on_execveat(struct weft__call *c)
{
	return exec(c);
}

static bool has_other_tasks(void)
{
	return weft__crew_tasks(&weft__crew) > 1;
}

/* What all tasks share with each other, whatever one of them asks for. */
#define SHARED_BY_TASKS (CLONE_FILES | CLONE_FS | CLONE_SYSVSEM)

/*
 * Of several carriers each would have descriptors of its own, or be in a namespace of its own: these
 * stay shared, and what cannot be had for all of them is refused, unless the caller is the only task,
 * which needs one carrier.
 */
static long enter_namespace(struct weft__call *c)
{
	long result;

	if (weft__parallel && (c->nr != SYS_unshare || (c->arg[0] & ~(long)SHARED_BY_TASKS) != 0) &&
	    !has_other_tasks())
		weft__carriers_end();
	if (!weft__parallel || c->nr != SYS_unshare)
		result = on_credentials(c);
	else
		result = (c->arg[0] & ~(long)SHARED_BY_TASKS) != 0 ? -EINVAL : 0;
	weft__paths_look(); /* another one may have other mounts */
	return result;
}

/* How often a call is tried when the offload threads have gone, and how long they have for it. */
#define ALONE_TRIES 20
#define ALONE_PAUSE_NS UINT64_C(1000000)
#define ALONE_PAUSES 1000

/*
 * What only a process with one thread may do, the kernel would allow: it sees no tasks. But it does
 * see offload threads, which for the only task have nothing to do, and end.
 */
static long do_alone(struct weft__call *c)
{
	long result;

	if (has_other_tasks())
		return -EINVAL;
	weft__carriers_end();
	weft__offload_retire();
	for (int pauses = 0, tries = 0; pauses < ALONE_PAUSES && tries < ALONE_TRIES; pauses++) {
		tries += !weft__kernel_threads_left();
		result = enter_namespace(c);
		if (result != -EINVAL || weft__park(weft__now_ns() + ALONE_PAUSE_NS) == -EINTR)
			return result;
	}
	return -EINVAL;
}

long on_unshare(struct weft__call *c)
{
	long alone = CLONE_NEWUSER | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM;

	return (c->arg[0] & alone) != 0 ? do_alone(c) : enter_namespace(c);
}

/* As far as the kernel asks before it looks at the threads, in the caller's own namespace. */
static bool may_join_mounts(void)
{
	uint32_t needed = 1U << CAP_SYS_ADMIN | 1U << CAP_SYS_CHROOT;
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct sets[2] = {{.effective = 0}};

	weft__raw(SYS_capget, &header, sets);
	return (sets[0].effective & needed) == needed;
}

/* Threads share root and working folder, which a mount namespace changes. */
long on_setns(struct weft__call *c)
{
	long type = weft__raw(SYS_ioctl, c->arg[0], NS_GET_NSTYPE);

	if (type == CLONE_NEWUSER || (type == CLONE_NEWNS && may_join_mounts()))
		return do_alone(c);
	return enter_namespace(c);
}

/* Park until one process has ended; 0, an error, or WEFT__PASS when it cannot be watched. */
static long park_until_exit(const struct weft__call *c, long pid)
{
	long number = weft__raw(SYS_pidfd_open, pid, 0), result = WEFT__PASS;
	struct weft__fd *fd = number < 0 ? NULL : weft__fd_at(number);

	if (fd != NULL) {
		weft__count_park(c->nr);
		result = weft__ready_wait(fd, (int)number, POLLIN, 0);
		weft__fd_forget(fd, (int)number);
	}
	if (number >= 0)
		weft__raw(SYS_close, number);
	return result == 0 || result == -EINTR ? result : WEFT__PASS;
}

/* How often a wait looks for which no offload thread can be had. */
#define LOOK_AGAIN_NS UINT64_C(5000000)

/*
 * Park until waitid(2) has something to say: an offload thread asks, without taking it. It looks
 * for the children of the whole process, as the caller would.
 */
static long park_until_child(const struct weft__call *c, long type, long id, long options)
{
	struct weft__job job = {.nr = SYS_waitid,
				.arg = {type, id, 0, (options & ~(long)WNOHANG) | WNOWAIT, 0},
				.data_arg = -1};
	weft__count_park(c->nr);
	if (weft__offload_call(&job) != 0) /* the caller looks again, after a while */
		return weft__park(weft__now_ns() + LOOK_AGAIN_NS) == -EINTR ? -EINTR : 0;
	return job.result == 0 || job.result == -EINTR || job.result == -ECHILD ? job.result
										: WEFT__PASS;
}

static long wait_for(const struct weft__call *c, long type, long id, long options)
{
	long result = WEFT__PASS;

	/* Of a traced process there is more to tell than its end. */
	if (type == P_PID && !weft__program_traces() && (options & (WSTOPPED | WCONTINUED)) == 0)
		result = park_until_exit(c, id);
	if (result == WEFT__PASS)
		result = park_until_child(c, type, id, options);
	return result == WEFT__PASS ? weft__blocks(c) : result;
}

/*
 * A child is any thread's that made it, an offload thread's too, so __WNOTHREAD is not heeded.
 *
 * A child that ends makes the wait end and sends SIGCHLD. The kernel looks at the children first, and
 * at signals only when there is nothing to tell: after an interruption there is one look more.
 */
long on_wait4(struct weft__call *c)
{
	long pid = (int)c->arg[0], options = (unsigned int)c->arg[2] & ~(long)__WNOTHREAD, result;
	long type = pid == -1 ? P_ALL : pid > 0 ? P_PID : P_PGID;
	long id = pid > 0 ? pid : pid == 0 ? weft__raw(SYS_getpgid, 0) : -pid;
	bool interrupted = false;

	if ((options & WNOHANG) != 0) {
		weft__spend(WEFT__EMPTY_HANDED);
		return weft__raw(SYS_wait4, c->arg[0], c->arg[1], options, c->arg[3]);
	}
	for (;;) {
		result = weft__raw(SYS_wait4, c->arg[0], c->arg[1], options | WNOHANG, c->arg[3]);
		if (result != 0)
			return result;
		if (interrupted)
			return -EINTR;
		result = wait_for(c, type, id,
				  WEXITED | (options & WUNTRACED ? WSTOPPED : 0) |
					  (options & (WCONTINUED | __WALL | __WCLONE)));
		interrupted = result == -EINTR;
		if (result != 0 && result != -ECHILD && !interrupted)
			return result;
	}
}

long on_waitid(struct weft__call *c)
{
	siginfo_t info, *user = (siginfo_t *)c->arg[2];
	bool interrupted = false;
	long options = c->arg[3] & ~(long)__WNOTHREAD, result;

	if ((options & WNOHANG) != 0) {
		weft__spend(WEFT__EMPTY_HANDED);
		return weft__raw(SYS_waitid, c->arg[0], c->arg[1], user, options, c->arg[4]);
	}
	for (;;) {
		info.si_pid = 0;
		result = weft__raw(SYS_waitid, c->arg[0], c->arg[1], &info, options | WNOHANG,
				   c->arg[4]);
		if (result != 0 || info.si_pid != 0)
			break;
		if (interrupted)
			return -EINTR;
		result = wait_for(c, c->arg[0], c->arg[1], options);
		interrupted = result == -EINTR;
		if (result != 0 && result != -ECHILD && !interrupted)
			return result;
	}
	if (result == 0 && user != NULL && weft__copy(user, &info, sizeof(info)) != 0)
		return -EFAULT;
	return result;
}
