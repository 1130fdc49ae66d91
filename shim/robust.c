/*
 * See robust.h. The list is the thread's own and may be damaged: it is walked as the kernel walks
 * it (kernel/futex/core.c), and given up where the kernel would.
 */
#include "robust.h"

#include <linux/futex.h>
#include <stdbool.h>

#include "futex.h"
#include "thread.h"

/* The kernel walks no longer than this either (ROBUST_LIST_LIMIT). */
#define ROBUST_LIMIT 2048

/* One lock of a thread that dies: mark it, and wake one who waits for it. False: give up. */
static bool release(const struct weft__thread *dead, uintptr_t entry, long offset, bool pending)
{
	uintptr_t word = (entry & ~(uintptr_t)1) + (uintptr_t)offset;
	bool inherits = (entry & 1) != 0;
	uint32_t value, found;

	if ((word & 3) != 0 || weft__load(word, &value) != 0)
		return false;
	/* It had set the word free, and died before it could wake. */
	if (pending && !inherits && value == 0)
		weft__futex_wake(word, 1);
	while ((value & FUTEX_TID_MASK) == (uint32_t)dead->tid) {
		uint32_t left = (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED;

		if (weft__exchange(word, value, left, &found) != 0)
			return false;
		if (found == value) {
			if (!inherits && (value & FUTEX_WAITERS) != 0)
				weft__futex_wake(word, 1);
			break;
		}
		value = found;
	}
	return true;
}

static void walk(const struct weft__thread *dead)
{
	struct robust_list_head head;
	uintptr_t entry, next, pending;

	if (dead->robust_list == 0 ||
	    weft__copy(&head, (void *)dead->robust_list, sizeof(head)) != 0)
		return;
	entry = (uintptr_t)head.list.next;
	pending = (uintptr_t)head.list_op_pending;
	for (int i = 0; i < ROBUST_LIMIT && (entry & ~(uintptr_t)1) != dead->robust_list; i++) {
		bool last = weft__copy(&next, (void *)(entry & ~(uintptr_t)1), sizeof(next)) != 0;

		if ((entry ^ pending) > 1 && !release(dead, entry, head.futex_offset, false))
			return;
		if (last)
			break;
		entry = next;
	}
	if ((pending & ~(uintptr_t)1) != 0)
		release(dead, pending, head.futex_offset, true);
}

void weft__robust_exit(struct weft__thread *dead)
{
	walk(dead);
	weft__pi_exit(dead);
}

void weft__robust_exit_all(void)
{
	/* The kernel knows the main thread's. */
	for (struct weft__thread *thread = weft__thread_next(NULL); thread != NULL;
	     thread = weft__thread_next(thread))
		if (thread != &weft__main_thread)
			walk(thread);
}
