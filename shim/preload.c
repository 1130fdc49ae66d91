/*
 * libweft-preload.so: asleep until the program makes a thread.
 *
 * The constructor reads the settings and no more, so a program without threads is never touched.
 * The first pthread_create patches what is loaded, makes the calling thread a task and the hub another, and
 * from then on is libc's own: the thread it makes is a task because clone3 is answered.
 *
 * A child after fork(2) sleeps again: its text stays patched, but the current task is nobody, and
 * with nobody the stubs go straight to the kernel.
 */
#include <dlfcn.h>
#include <errno.h>
#include <gnu/lib-names.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <threads.h>
#include <weft/monkey.h>

#include "accept_ring.h"
#include "carriers.h"
#include "catch.h"
#include "control.h"
#include "descriptor.h"
#include "detour.h"
#include "families.h"
#include "file.h"
#include "futex.h"
#include "hub.h"
#include "kernel_handler.h"
#include "iterative.h"
#include "loaded.h"
#include "mask.h"
#include "memory.h"
#include "monkey.h"
#include "names.h"
#include "offload.h"
#include "parking.h"
#include "preempt.h"
#include "shim.h"
#include "signals.h"
#include "stats.h"
#include "thread.h"
#include "timers.h"

/* The __thread variables of all libraries are on the stack, too: some have much (libtsan). */
#define HUB_STACK_BYTES ((size_t)256 * 1024)
#define HUB_STACK_MOST ((size_t)64 * 1024 * 1024)
#define HWCAP2_WRFSBASE 2U
#define ARCH_SHSTK_STATUS 0x5005 /* <asm/prctl.h> of Linux 6.6 */

struct weft__carrier weft__process;

typedef int create_function(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
			    void *arg);
typedef int thrd_create_function(thrd_t *thread, thrd_start_t start, void *arg);
typedef int register_function(void (*prepare)(void), void (*parent)(void), void (*child)(void),
			      void *object);

WEFT__SHARED register_function __register_atfork;
WEFT__SHARED const char *__asan_default_options(void);

bool weft__hub_counted, weft__waking;

/* The next one, which is another library's if that one interposes it, too (libasan); and libc's. */
static create_function *next_pthread_create, *libc_pthread_create;
static thrd_create_function *libc_thrd_create;
bool weft__refused;
static const char *not_patched; /* why; NULL: it is, or was not to be */
static bool has_to_catch;       /* by what is loaded, not by wish */

/* What libuv wants done in a child after fork(2); NULL: it has not asked yet. */
static void (*renew_libuv)(void);
static bool renewal_due;

/* Each is a directory. */
bool weft__has_threads(void)
{
	struct stat status = {.st_nlink = 0};

	return weft__raw(SYS_stat, "/proc/self/task", &status) == 0 && status.st_nlink > 3;
}

static bool refuse(const char *why)
{
	weft__say("not used: %s; the program runs as it would without", why);
	weft__refused = true;
	return false;
}

/* Whether the processor keeps return addresses apart (glibc.cpu.x86_shstk), where no task has its own. */
static bool has_shadow_stack(void)
{
	unsigned long features = 0;

	return weft__raw(SYS_arch_prctl, ARCH_SHSTK_STATUS, &features) == 0 && features != 0;
}

static bool patch(void)
{
	static bool done;
	const char *why;

	if (weft__program_finds_leaks())
		return refuse(
			"a sanitizer in it looks for leaks in kernel threads (detect_leaks=0 in "
			"ASAN_OPTIONS or LSAN_OPTIONS stops that)");
	if (weft__rule.line != 0 && weft__rule.reason[0] != '\0')
		return refuse(weft__rule.reason);
	if (!weft__detour_may_wake())
		return refuse("a seccomp filter denies what it takes");
	if (done)
		return true;
	if ((getauxval(AT_HWCAP2) & HWCAP2_WRFSBASE) == 0)
		return refuse("no wrfsbase instruction (FSGSBASE, Linux 5.9)");
	if (has_shadow_stack())
		return refuse("a shadow stack is on");
	if (weft__has_threads())
		return refuse("there are threads already");
	done = true;
	if (weft__settings.catch_mode == WEFT__CATCH_ONLY)
		return true;
	why = weft__patch_all();
	if (why != NULL && weft__settings.catch_mode == WEFT__CATCH_ALL) {
		weft__settings.catch_mode = WEFT__CATCH_ONLY;
		not_patched = why;
		return true;
	}
	return why == NULL || refuse(why);
}

static void *hub_main(void *carrier)
{
	weft__lock();
	weft__mask_end(weft__thread_here());
	weft__current = NULL;
	weft__select(WEFT__SELECT_PASS); /* from here on it is entered from weft's code only */
	weft__hub_run(carrier);
}

/*
 * The hub is no thread of the program's: the last of those ends the process, for which glibc counts
 * them.
 */
static void uncount_thread(void)
{
	unsigned int *count = dlsym(RTLD_DEFAULT, "__nptl_nthreads");

	weft__hub_counted = count == NULL;
	if (count != NULL)
		__atomic_sub_fetch(count, 1, __ATOMIC_RELAXED);
}

/* The hub's stack and thread pointer come from glibc, as a thread's; clone3 makes it the hub. */
static int make_hub(struct weft__carrier *carrier)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all;
	int err;

	err = pthread_attr_init(&attr);
	if (err != 0)
		return -err;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	/* It counts as a thread until it runs, and has no say in what signals are admitted. */
	sigfillset(&all);
	pthread_attr_setsigmask_np(&attr, &all);
	weft__making_hub = carrier;
	for (size_t bytes = HUB_STACK_BYTES; bytes <= HUB_STACK_MOST; bytes *= 2) {
		pthread_attr_setstacksize(&attr, bytes);
		err = libc_pthread_create(&thread, &attr, hub_main, carrier);
		if (err != EINVAL) /* no room for them */
			break;
	}
	weft__making_hub = NULL;
	pthread_attr_destroy(&attr);
	if (err == 0)
		uncount_thread();
	return -err;
}

static uint64_t name_task(const struct weft__task *task)
{
	return ((const struct weft__thread *)task)->entry;
}

/*
 * Until there is a hub nobody can wait, and what libuv and glibc need for it may come from the
 * program's malloc: so the thread is no task yet, and its calls go to the kernel.
 */
long weft__waking_call(struct weft__call *c)
{
	long result;

	switch (c->nr) {
	case SYS_epoll_create1:
	case SYS_eventfd2:
	case SYS_pipe2:
	case SYS_clone:
	case SYS_clone3:
	case SYS_rt_sigaction: /* of SIGSETXID, with the first thread */
		weft__current = &weft__main_thread.task;
		weft__go_inside(weft__current);
		result = weft__handlers[c->nr](c);
		weft__go_outside(weft__current);
		weft__current = NULL;
		return result;
	case SYS_rt_sigprocmask:
		if (!weft__catching)
			return WEFT__PASS;
		/* The next call of libc's may be caught. */
		result = weft__raw(c->nr, c->arg[0], c->arg[1], c->arg[2], c->arg[3]);
		weft__mask_close();
		return result;
	/* libuv has one per loop since 1.46, with a low number and memory that a child would inherit. */
	case SYS_io_uring_setup:
		return -ENOSYS;
	default:
		return WEFT__PASS;
	}
}

/*
 * A program that asks the kernel itself where weft cannot see it waits in the kernel, maybe for
 * another of its threads: so these calls are caught, or it is left alone.
 */
static void choose_catching(void)
{
	if (weft__settings.catch_mode != WEFT__CATCH_AUTO || weft__patches.missed == 0)
		return;
	weft__settings.catch_mode = WEFT__CATCH_ALL;
	has_to_catch = true;
}

static const char *why_not_caught(void)
{
	if (has_to_catch)
		return "it makes calls that cannot be patched, and the kernel catches none (Linux "
		       "5.11 does)";
	return not_patched != NULL ? not_patched : "the kernel catches no calls (Linux 5.11 does)";
}

/* False when there is no other way, and the kernel refuses this one. */
static bool catch_calls(void)
{
	long err = 0;

	if (weft__catches())
		err = weft__catch_begin();
	if (err == 0) {
		if (not_patched != NULL)
			weft__say("libc's calls are all caught: %s", not_patched);
		not_patched = NULL; /* said once, not in each child */
		return true;
	}
	if (weft__settings.catch_mode == WEFT__CATCH_ONLY || has_to_catch) {
		weft__current = &weft__main_thread.task;
		weft__asleep();
		return refuse(why_not_caught());
	}
	weft__say("what cannot be patched is not caught: %s", strerror((int)-err));
	return true;
}

/*
 * Have the hub begin, which otherwise waits until its carrier has nothing to run: maybe for ever, and
 * with it whoever changes ids, for libc waits for each thread that has not begun (setxid_mark_thread).
 */
static void begin_hub(struct weft__carrier *carrier)
{
	weft__go_inside(weft__current);
	carrier->attention = 1;
	weft__look_soon(carrier);
	weft__yield();
	weft__go_outside(weft__current);
}

/*
 * Patch what is loaded if it is not yet, make the calling thread a task, make the hub. When that cannot be
 * done it is said in one line, once, and the program runs as if weft were not there.
 */
static void wake_up(void)
{
	struct weft__carrier *carrier = &weft__process;
	int err, fewer = 0;

	if (weft__refused || weft__current != NULL || weft__hub_of != NULL ||
	    carrier->hub != NULL || !patch())
		return;
	choose_catching();
	*carrier = (struct weft__carrier){.attend = weft__signals_attend,
					  .wanted = weft__signals_want};
	weft__crew_join(&weft__crew, carrier);
	weft__watched = weft__settings.stats ? WEFT__WATCH_RUNS : 0;
	weft__stats_name = name_task;
	weft__adopt_main(carrier);
	if (weft__signals_begin(&weft__main_thread) != 0) {
		refuse("the first thread is made on an alternate signal stack");
		return;
	}
	weft__paths_look();
	weft__report_begin();
	weft__mask_close();
	if (!catch_calls())
		return;
	weft__waking = true;
	if (renewal_due && renew_libuv != NULL)
		renew_libuv();
	renewal_due = false;
	err = weft__hub_open(carrier);
	if (err == 0)
		err = make_hub(carrier);
	if (err == 0)
		fewer = weft__carriers_make(weft__carriers_wanted(), make_hub);
	weft__waking = false;
	weft__current = &weft__main_thread.task;
	weft__signals_adopt(&weft__main_thread);
	weft__mask_open();
	if (err != 0) {
		weft__asleep();
		refuse(strerror(-err));
		return;
	}
	weft__on_threads = true;
	err = weft__carriers_run();
	begin_hub(carrier);
	weft__iterative_begin();
	if (fewer == 0)
		fewer = err;
	if (fewer != 0)
		weft__say("fewer carriers than wanted: %s", strerror(-fewer));
	if (weft__settings.preempt_ms != 0) {
		err = (int)weft__preempt_begin(weft__settings.preempt_ms);
		if (err != 0)
			weft__say("threads that compute are not preempted: %s", strerror(-err));
	}
}

void weft__asleep(void)
{
	const struct weft__thread *me = weft__thread_here();
	uint64_t mask = weft__mask_of(me);

	renewal_due = true;
	weft__iterative_end();
	weft__catch_end();
	weft__current = NULL;
	weft__process.hub = NULL;
	weft__report_end();
	weft__signals_end(me);
	weft__raw(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
	weft__fd_close_own();
	weft__accept_ring_forget();
	weft__carriers_forked();
	weft__fd_forget_all(&weft__crew);
	weft__memory_forked();
	weft__lot_clear();
	weft__timers_clear();
	weft__pi_clear();
	weft__offload_clear();
}

void weft__catch_missed(void)
{
	long err;

	/* The others do so when they wake up, or when a task loads something. */
	if (weft__settings.catch_mode != WEFT__CATCH_AUTO || weft__patches.missed == 0 ||
	    weft__current == NULL || weft__process.hub == NULL)
		return;
	if (weft__parallel) {
		if (!has_to_catch)
			weft__say(
				"what cannot be patched is not caught: there are several carriers");
		has_to_catch = true;
		return;
	}
	weft__settings.catch_mode = WEFT__CATCH_ALL;
	weft__go_inside(weft__current);
	weft__signals_catch();
	weft__mask_open();
	err = weft__catch_begin();
	weft__go_outside(weft__current);
	has_to_catch = err == 0;
	if (err != 0)
		weft__say("what cannot be patched is not caught: %s", strerror((int)-err));
}

static void find_originals(void)
{
	void *libc = dlopen(LIBC_SO, RTLD_LAZY | RTLD_NOLOAD);

	next_pthread_create = (create_function *)dlsym(RTLD_NEXT, "pthread_create");
	libc_pthread_create = next_pthread_create;
	if (libc != NULL) {
		libc_pthread_create = (create_function *)dlsym(libc, "pthread_create");
		dlclose(libc);
	}
	libc_thrd_create = (thrd_create_function *)dlsym(RTLD_NEXT, "thrd_create");
}

/* An ended thread's stack comes back when another runs. */
static bool ask_again(int err)
{
	return err == EAGAIN && weft__current != NULL && sched_yield() == 0;
}

void weft__before_thread(void)
{
	int saved_errno = errno;

	if (next_pthread_create == NULL) {
		find_originals();
		weft__read_settings(); /* a constructor may make a thread before on_load() */
	}
	if (weft__settings.on)
		wake_up();
	errno = saved_errno;
}

/* Let thread.c, call_memory.c and the statistics know of it, too. */
static void begin_create(uintptr_t entry, bool is_program_s)
{
	weft__before_thread();
	if (weft__current != NULL && (!is_program_s || weft__has_family(WEFT_THREAD))) {
		weft__creating_thread = true;
		weft__next_entry = entry;
	}
}

static void end_create(void)
{
	struct weft__task *me = weft__current;

	weft__creating_thread = false;
	if (me == NULL)
		return;
	weft__go_inside(me);
	weft__mask_tell_kernel();
	weft__go_outside(me);
	if (me->attention) /* what has come meanwhile */
		weft__come_to(me->carrier);
}

static int create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg,
		  bool is_program_s)
{
	int err;

	begin_create((uintptr_t)start, is_program_s);
	weft__iterative_shares(arg);
	err = next_pthread_create(thread, attr, start, arg);
	if (ask_again(err))
		err = next_pthread_create(thread, attr, start, arg);
	end_create();
	return err;
}

WEFT__SHARED int pthread_create(pthread_t *thread, const pthread_attr_t *attr,
				void *(*start)(void *), void *arg)
{
	return create(thread, attr, start, arg, true);
}

int weft__create_task(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
		      void *arg)
{
	return create(thread, attr, start, arg, false);
}

WEFT__SHARED int thrd_create(thrd_t *thread, thrd_start_t start, void *arg)
{
	int result;

	begin_create((uintptr_t)start, true);
	weft__iterative_shares(arg);
	result = libc_thrd_create(thread, start, arg);
	end_create();
	return result;
}

/*
 * What pthread_atfork comes down to. With its first loop, which is weft's, libuv asks to make a
 * pipe anew in each child of fork(2), where a descriptor of the lowest numbers shows, and to close
 * the one before by its numbers, which are the program's by then if it has closed all that was
 * open, as daemons do. It is done when the child needs a loop.
 */
WEFT__SHARED int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void),
				   void *object)
{
	static register_function *libc_register;

	if (weft__waking) {
		renew_libuv = child;
		return 0;
	}
	if (libc_register == NULL)
		libc_register = (register_function *)dlsym(RTLD_NEXT, "__register_atfork");
	return libc_register(prepare, parent, child, object);
}

__attribute__((constructor)) static void on_load(void)
{
	weft__shim = &weft__shim_here;
	weft__read_settings();
	if (weft__settings.on && !weft__program_has_libraries())
		refuse("the program is linked against no libc, and makes its threads itself");
}

/* libasan wants to be the first of all libraries, but behind weft's it is early enough. */
WEFT__SHARED const char *__asan_default_options(void)
{
	return "verify_asan_link_order=0";
}

__attribute__((destructor)) static void on_unload(void)
{
	weft__report();
}
