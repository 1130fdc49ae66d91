/* See carriers.h. */
#include "carriers.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <time.h>

#include "catch.h"
#include "denied.h"
#include "hub.h"
#include "kernel_handler.h"
#include "kernel_thread.h"
#include "mask.h"
#include "memory.h"
#include "iterative.h"
#include "shim.h"
#include "statics.h"

/* How often to look whether who does not come can come. */
#define LONG_NS 20000000U

struct weft__crew weft__crew;
bool weft__careful;

/* What the errand that is being done is, and how many have not done it yet. */
static weft__errand *errand_now;
static unsigned int errands_left;

/*
 * On a socket these begin without the lock, and take it when they wait: before that they change
 * nothing that others go by.
 */
static const bool begins_free[WEFT__CALLS] = {
	[SYS_read] = true,  [SYS_readv] = true,  [SYS_recvfrom] = true, [SYS_recvmsg] = true,
	[SYS_write] = true, [SYS_writev] = true, [SYS_sendto] = true,   [SYS_sendmsg] = true,
};

void weft__entry_go_in(const struct weft__call *c)
{
	weft__select(WEFT__SELECT_PASS);
	if (weft__unlikely(weft__statics_on))
		weft__statics_open();
	if (!begins_free[c->nr % WEFT__CALLS])
		weft__lock();
}

void weft__entry_go_out(void)
{
	weft__unlock();
	if (weft__unlikely(weft__statics_on) && weft__iterative_copy() != 0)
		weft__statics_close(weft__iterative_copy());
	weft__select(WEFT__SELECT_CATCH);
}

unsigned int weft__carriers_wanted(void)
{
	unsigned int wanted = weft__settings.carriers;

	if (wanted > 1 && weft__catches()) {
		weft__say("one carrier instead of %u: calls are caught (WEFT_CATCH)", wanted);
		wanted = 1;
	}
	if (wanted > 1 && weft__iterative_wakes()) {
		weft__say("one carrier instead of %u: connections share a stack (WEFT_ITERATIVE)",
			  wanted);
		wanted = 1;
	}
	return wanted;
}

/* The spare, whose kernel thread this is, goes on as one that is caught. */
static void swap_rest(struct weft__carrier *spare, struct weft__carrier *caught)
{
	weft__handler_stacks_swap(spare->number, caught->number);
	weft__preempt_swap(spare->number, caught->number);
	weft__mask_become(caught);
}

/* The beginning of a carrier's kernel thread, whose own stack and thread pointer are left for good. */
static void run_carrier(void *arg)
{
	struct weft__carrier *carrier = arg;
	struct weft__context none;
	uint64_t mask = weft__mask_of_others();
	stack_t stack;

	__atomic_store_n(&carrier->kernel_thread, (int)weft__raw(SYS_gettid), __ATOMIC_RELEASE);
	weft__handler_stack(carrier->number, &stack);
	weft__raw(SYS_sigaltstack, &stack, NULL);
	weft__raw(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
	weft__hub_of = carrier; /* it does errands from here on */
	weft__lock();
	weft__context_leave(&none, &carrier->hub_context);
}

int weft__carriers_make(unsigned int wanted, int (*make_hub)(struct weft__carrier *carrier))
{
	int err = 0;

	if (wanted > 1)
		wanted++; /* the spare, the last */
	while (weft__crew.carriers < wanted && err == 0) {
		struct weft__carrier *carrier = weft__alloc(sizeof(*carrier));

		if (carrier == NULL)
			return -ENOMEM;
		*carrier = (struct weft__carrier){.wanted = weft__process.wanted};
		err = weft__hub_open(carrier);
		if (err == 0)
			err = make_hub(carrier);
		if (err == 0)
			weft__crew_join(&weft__crew, carrier);
	}
	return err;
}

static int run(struct weft__carrier *carrier)
{
	stack_t stack;
	int err = (int)weft__handler_stack(carrier->number, &stack);

	if (err == 0)
		err = weft__kernel_thread_make(run_carrier, carrier);
	while (err == 0 && __atomic_load_n(&carrier->kernel_thread, __ATOMIC_ACQUIRE) == 0)
		weft__raw(SYS_sched_yield);
	return err;
}

int weft__carriers_run(void)
{
	unsigned int made = weft__crew.carriers;
	int err = 0;

	weft__kick = weft__come_to;
	weft__process.kernel_thread = (int)weft__raw(SYS_gettid);
	if (made == 1)
		return 0;
	/* They join again, one by one. */
	weft__crew.carriers = 1;
	weft__parallel = weft__careful = true;
	weft__crew.swapped = swap_rest;
	while (weft__crew.carriers < made && err == 0) {
		if (weft__crew.carriers == made - 1)
			weft__crew.spare = weft__crew.carrier[made - 1];
		err = run(weft__crew.carrier[weft__crew.carriers]);
		if (err == 0)
			__atomic_add_fetch(&weft__crew.carriers, 1, __ATOMIC_RELEASE);
		else
			weft__crew.spare = NULL;
	}
	if (weft__crew.carriers == 1)
		weft__parallel = weft__careful = false;
	return err;
}

void weft__carriers_forked(void)
{
	weft__crew_forked(&weft__crew);
	errands_left = 0;
}

static void do_errand(struct weft__carrier *here)
{
	errand_now(here);
	__atomic_sub_fetch(&errands_left, 1, __ATOMIC_RELEASE);
}

static void send_on_errand(struct weft__carrier *carrier)
{
	__atomic_add_fetch(&errands_left, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&carrier->errand, do_errand, __ATOMIC_RELEASE);
	weft__come_to(carrier);
}

/*
 * Mostly short: who is in the program's code or waits for the lock does its errand at once. False: it
 * has taken too long, which it may when there is a limit.
 */
static bool await_errands(uint64_t limit_ns)
{
	uint64_t until = limit_ns == 0 ? UINT64_MAX : weft__now_ns() + limit_ns;
	struct timespec pause = {0, 50000};
	unsigned int left;

	while ((left = __atomic_load_n(&errands_left, __ATOMIC_ACQUIRE)) != 0) {
		if (weft__now_ns() > until)
			return false;
		if (weft__denied[SYS_futex])
			__builtin_ia32_pause();
		else
			weft__raw(SYS_futex, &errands_left, FUTEX_WAIT_PRIVATE, left, &pause);
	}
	return true;
}

/* The kernel keeps it, for a page of a dead file server, say. */
static void withdraw_errand(struct weft__carrier *carrier)
{
	weft__errand *sent = do_errand;

	if (__atomic_compare_exchange_n(&carrier->errand, &sent, NULL, false, __ATOMIC_ACQ_REL,
					__ATOMIC_RELAXED))
		__atomic_sub_fetch(&errands_left, 1, __ATOMIC_RELEASE);
}

void weft__errand_for(struct weft__carrier *carrier, weft__errand *errand)
{
	errand_now = errand;
	send_on_errand(carrier);
	while (!await_errands(LONG_NS))
		if (weft__crew_state(carrier->kernel_thread) == 'D')
			withdraw_errand(carrier);
}

static void send_others(weft__errand *errand)
{
	const struct weft__carrier *here = weft__carrier_here();

	if (!weft__parallel)
		return;
	errand_now = errand;
	for (unsigned int i = 0; i < weft__crew.carriers; i++)
		if (weft__crew.carrier[i] != here)
			send_on_errand(weft__crew.carrier[i]);
	await_errands(0);
}

static const struct weft__call *call_now;

static void make_call(struct weft__carrier *here)
{
	const struct weft__call *c = call_now;

	(void)here;
	weft__raw6(c->nr, c->arg[0], c->arg[1], c->arg[2], c->arg[3], c->arg[4], c->arg[5]);
}

void weft__call_for_others(const struct weft__call *c)
{
	call_now = c;
	send_others(make_call);
}

/* The hub that slept in it is gone with the kernel thread, as is all that was its own. */
static void leave_for_good(struct weft__carrier *here)
{
	(void)here;
	__atomic_sub_fetch(&errands_left, 1, __ATOMIC_RELEASE);
	weft__raw(SYS_exit, 0);
}

void weft__carriers_end(void)
{
	if (!weft__parallel)
		return;
	if (weft__current->carrier != &weft__process)
		weft__move_to(&weft__process);
	send_others(leave_for_good);
	weft__crew.spare = NULL;
	weft__crew.carriers = 1;
	weft__parallel = weft__careful = false;
	weft__holds_lock = false;
}
