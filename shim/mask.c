/* See mask.h. */
#include "mask.h"

#include <errno.h>

#include "call.h"
#include "memory.h"
#include "shim.h"
#include "signals.h"
#include "thread.h"

static struct weft__mask_group first_group;
static uint64_t kernel_mask; /* what it has, as far as weft has set it */

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

void weft__mask_tell_kernel(void)
{
	if (weft__mask_common() != kernel_mask)
		weft__mask_open();
}

/* The group of a mask; the first one, whatever its mask, when there is no memory for another. */
static struct weft__mask_group *join(uint64_t mask)
{
	struct weft__mask_group *group, *vacant = NULL;

	for (group = &first_group; group != NULL; group = group->next) {
		if (group->threads > 0 && group->mask == mask)
			goto found;
		if (group->threads == 0)
			vacant = group;
	}
	if (vacant == NULL) {
		vacant = weft__alloc(sizeof(*vacant));
		if (vacant == NULL)
			vacant = &first_group;
		else {
			*vacant = (struct weft__mask_group){.next = first_group.next};
			first_group.next = vacant;
		}
	}
	group = vacant;
	if (group->threads == 0)
		group->mask = mask;
found:
	group->threads++;
	return group;
}

void weft__mask_begin(struct weft__thread *only)
{
	for (struct weft__mask_group *group = &first_group; group != NULL; group = group->next)
		group->threads = 0;
	weft__raw(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &kernel_mask, sizeof(kernel_mask));
	only->mask = join(kernel_mask);
}

void weft__mask_fill(struct weft__thread *thread)
{
	thread->mask = join(UINT64_MAX);
}

void weft__mask_inherit(struct weft__thread *thread, const struct weft__thread *from)
{
	thread->mask = from->mask;
	thread->mask->threads++;
}

void weft__mask_end(struct weft__thread *thread)
{
	if (--thread->mask->threads == 0)
		weft__mask_tell_kernel();
}

void weft__mask_set(struct weft__thread *thread, uint64_t mask)
{
	struct weft__mask_group *before = thread->mask;

	mask &= ~WEFT__UNBLOCKABLE;
	if (mask == before->mask)
		return;
	before->threads--;
	thread->mask = join(mask);
	if ((before->threads == 0 || thread->mask->threads == 1) && !weft__creating_thread)
		weft__mask_tell_kernel();
}

uint64_t weft__mask_of(const struct weft__thread *thread)
{
	return thread->mask->mask;
}

void weft__mask_open(void)
{
	kernel_mask = weft__mask_common();
	weft__raw(SYS_rt_sigprocmask, SIG_SETMASK, &kernel_mask, NULL, sizeof(kernel_mask));
}

void weft__mask_close(void)
{
	kernel_mask = weft__mask_in_handler();
	weft__raw(SYS_rt_sigprocmask, SIG_SETMASK, &kernel_mask, NULL, sizeof(kernel_mask));
}

uint64_t weft__mask_returning(void)
{
	kernel_mask = weft__mask_common();
	return kernel_mask;
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
