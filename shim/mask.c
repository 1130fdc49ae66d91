/* See mask.h. */
#include "mask.h"

#include <errno.h>

#include "call.h"
#include "carriers.h"
#include "kernel_handler.h"
#include "memory.h"
#include "shim.h"
#include "signals.h"
#include "thread.h"

static struct weft__mask_group first_group;
static struct weft__link waiting = {&waiting, &waiting}; /* by their `waits` */
static uint64_t kernel_mask; /* what the first carrier has, as far as weft has set it */
/* What the spare has if its kernel thread was the first one's; else all, of what may come to a process. */
static uint64_t left_mask = UINT64_MAX;

uint64_t weft__mask_in_handler(void)
{
	uint64_t admitted = weft__signal_bit(SIGSEGV) | weft__signal_bit(SIGBUS);

	if (weft__catches())
		admitted |= weft__signal_bit(SIGSYS);
	return ~admitted;
}

uint64_t weft__mask_common(void)
{
	uint64_t common = UINT64_MAX;

	for (struct weft__mask_group *group = &first_group; group != NULL; group = group->next)
		if (group->threads > 0)
			common &= group->mask;
	return common & weft__mask_in_handler() & ~WEFT__UNBLOCKABLE &
	       ~weft__signal_bit(WEFT__SIGNAL_SETXID);
}

static bool is_first(void)
{
	const struct weft__carrier *here = weft__carrier_here();

	return here == NULL || here->number == 0;
}

uint64_t weft__mask_of_others(void)
{
	static const int raised[] = {
		SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGPIPE, SIGXFSZ, WEFT__SIGNAL_SETXID};
	uint64_t mask = weft__mask_in_handler() & ~WEFT__UNBLOCKABLE;

	for (size_t i = 0; i < sizeof(raised) / sizeof(*raised); i++)
		mask &= ~weft__signal_bit(raised[i]);
	return mask;
}

uint64_t weft__mask_here(void)
{
	return is_first() ? weft__mask_common() : weft__mask_of_others();
}

static void open_here(struct weft__carrier *here)
{
	(void)here;
	if (!weft__in_handler)
		weft__mask_open();
}

static void have_open(struct weft__carrier *carrier)
{
	const struct weft__carrier *here = weft__carrier_here();

	if (here == NULL || here == carrier)
		weft__mask_open();
	else
		weft__errand_for(carrier, open_here);
}

void weft__mask_tell_kernel(void)
{
	uint64_t common = weft__mask_common();

	if (weft__unlikely((common & ~left_mask) != 0)) {
		left_mask = UINT64_MAX;
		have_open(weft__crew.spare);
	}
	if (common != kernel_mask)
		have_open(&weft__process);
}

static void enter(struct weft__mask_group *group, struct weft__thread *thread)
{
	group->threads++;
	weft__list_append(&group->members, &thread->fellows);
	thread->mask = group;
}

static void leave(struct weft__thread *thread)
{
	thread->mask->threads--;
	weft__list_remove(&thread->fellows);
}

/* The group of a mask; the first one, whatever its mask, when there is no memory for another. */
static struct weft__mask_group *group_of(uint64_t mask)
{
	struct weft__mask_group *group, *vacant = NULL;

	for (group = &first_group; group != NULL; group = group->next) {
		if (group->threads > 0 && group->mask == mask)
			return group;
		if (group->threads == 0)
			vacant = group;
	}
	if (vacant == NULL) {
		vacant = weft__alloc(sizeof(*vacant));
		if (vacant == NULL)
			vacant = &first_group;
		else {
			*vacant = (struct weft__mask_group){.next = first_group.next};
			weft__list_init(&vacant->members);
			first_group.next = vacant;
		}
	}
	if (vacant->threads == 0)
		vacant->mask = mask;
	return vacant;
}

void weft__mask_begin(struct weft__thread *only)
{
	for (struct weft__mask_group *group = &first_group; group != NULL; group = group->next) {
		group->threads = 0;
		weft__list_init(&group->members);
	}
	weft__list_init(&waiting);
	weft__raw(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &kernel_mask, sizeof(kernel_mask));
	left_mask = UINT64_MAX;
	enter(group_of(kernel_mask), only);
}

void weft__mask_fill(struct weft__thread *thread)
{
	enter(group_of(UINT64_MAX), thread);
}

void weft__mask_inherit(struct weft__thread *thread, const struct weft__thread *from)
{
	enter(from->mask, thread);
}

void weft__mask_end(struct weft__thread *thread)
{
	leave(thread);
	if (thread->mask->threads == 0)
		weft__mask_tell_kernel();
}

void weft__mask_wait_for(struct weft__thread *thread, uint64_t set)
{
	thread->waiting_for = set;
	weft__list_remove(&thread->waits);
	if (set != 0)
		weft__list_append(&waiting, &thread->waits);
}

struct weft__thread *weft__mask_admitting(int signal)
{
	uint64_t bit = weft__signal_bit(signal);

	for (struct weft__mask_group *group = &first_group; group != NULL; group = group->next)
		if (group->threads > 0 && (group->mask & bit) == 0)
			return weft__container(group->members.next, struct weft__thread, fellows);
	for (struct weft__link *link = waiting.next; link != &waiting; link = link->next) {
		struct weft__thread *thread = weft__container(link, struct weft__thread, waits);

		if ((thread->waiting_for & bit) != 0)
			return thread;
	}
	return NULL;
}

/* Where to look for the next thread after the last one of a group. */
static const struct weft__link *past_end(const struct weft__mask_group **group)
{
	do
		*group = (*group)->next;
	while (*group != NULL && (*group)->threads == 0);
	return *group == NULL ? NULL : (*group)->members.next;
}

struct weft__thread *weft__thread_next(const struct weft__thread *thread)
{
	const struct weft__mask_group *group = thread == NULL ? &first_group : thread->mask;
	const struct weft__link *link = thread == NULL ? group->members.next : thread->fellows.next;

	if (link == NULL || link == &group->members)
		link = past_end(&group);
	return link == NULL ? NULL : weft__container(link, struct weft__thread, fellows);
}

void weft__mask_set(struct weft__thread *thread, uint64_t mask)
{
	struct weft__mask_group *before = thread->mask;

	mask &= ~WEFT__UNBLOCKABLE;
	if (mask == before->mask)
		return;
	leave(thread);
	enter(group_of(mask), thread);
	if ((before->threads == 0 || thread->mask->threads == 1) && !weft__creating_thread)
		weft__mask_tell_kernel();
}

uint64_t weft__mask_of(const struct weft__thread *thread)
{
	return thread->mask->mask;
}

/* What this carrier's kernel thread has from now on; the result. */
static uint64_t note(uint64_t mask)
{
	if (is_first())
		kernel_mask = mask;
	else if (weft__carrier_here() == weft__crew.spare)
		left_mask = UINT64_MAX;
	return mask;
}

static void give_kernel(uint64_t mask)
{
	weft__raw(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
}

void weft__mask_open(void)
{
	give_kernel(note(weft__mask_here()));
}

void weft__mask_become(const struct weft__carrier *caught)
{
	if (caught != &weft__process) {
		left_mask = UINT64_MAX;
		give_kernel(weft__mask_of_others());
		return;
	}
	left_mask = kernel_mask;
	kernel_mask = weft__mask_common();
	give_kernel(kernel_mask);
}

void weft__mask_close(void)
{
	give_kernel(note(weft__mask_in_handler()));
}

uint64_t weft__mask_returning(void)
{
	return note(weft__mask_here());
}

long weft__mask_swap(long pointer, long bytes)
{
	struct weft__thread *me = weft__thread_here();
	uint64_t mask;

	if (pointer == 0)
		return 0;
	if (bytes != (long)sizeof(mask))
		return -EINVAL;
	if (weft__copy(&mask, (void *)pointer, sizeof(mask)) != 0)
		return -EFAULT;
	if (me->mask_swapped)
		return 0;
	me->mask_after = weft__mask_of(me);
	me->mask_swapped = true;
	weft__mask_set(me, mask);
	weft__signals_check(me);
	return 0;
}

long weft__mask_restore(long result)
{
	struct weft__thread *me = weft__thread_here();

	if (me->mask_swapped && result != -EINTR) {
		me->mask_swapped = false;
		weft__mask_set(me, me->mask_after);
		weft__signals_check(me);
	}
	return result;
}
