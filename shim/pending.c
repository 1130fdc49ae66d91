/* See pending.h. */
#include "pending.h"

#include <errno.h>

#include "memory.h"
#include "thread.h"
#include "timers.h"

struct queued_signal {
	struct weft__link link;
	siginfo_t info;
};

static struct weft__link for_process = {&for_process, &for_process};

/* A timer has one signal pending at most, which tells how many it stands for. */
static bool add_to_timer(struct weft__link *queue, const siginfo_t *info)
{
	for (struct weft__link *link = queue->next; link != queue; link = link->next) {
		siginfo_t *found = &weft__container(link, struct queued_signal, link)->info;

		if (found->si_code == SI_TIMER && found->si_timerid == info->si_timerid) {
			found->si_overrun += 1 + info->si_overrun;
			return true;
		}
	}
	return false;
}

long weft__pending_add(struct weft__thread *thread, const siginfo_t *info)
{
	struct weft__link *queue = thread == NULL ? &for_process : &thread->queue;
	struct queued_signal *queued;

	if (info->si_code == SI_TIMER && add_to_timer(queue, info))
		return 0;
	queued = weft__alloc(sizeof(*queued));
	if (queued == NULL)
		return -EAGAIN;
	queued->info = *info;
	weft__list_append(queue, &queued->link);
	if (thread != NULL)
		thread->pending |= weft__signal_bit(info->si_signo);
	return 0;
}

void weft__pending_clear(void)
{
	weft__list_init(&for_process);
}

/* Take the lowest signal of a set out of a queue, the oldest of its kind. */
static bool take(struct weft__link *queue, uint64_t set, siginfo_t *info)
{
	struct queued_signal *best = NULL;

	for (struct weft__link *link = queue->next; link != queue; link = link->next) {
		struct queued_signal *queued = weft__container(link, struct queued_signal, link);

		if ((set & weft__signal_bit(queued->info.si_signo)) != 0 &&
		    (best == NULL || queued->info.si_signo < best->info.si_signo))
			best = queued;
	}
	if (best == NULL)
		return false;
	*info = best->info;
	weft__list_remove(&best->link);
	weft__free(best, sizeof(*best));
	return true;
}

static uint64_t signals_in(const struct weft__link *queue)
{
	uint64_t set = 0;

	for (struct weft__link *link = queue->next; link != queue; link = link->next)
		set |= weft__signal_bit(
			weft__container(link, struct queued_signal, link)->info.si_signo);
	return set;
}

uint64_t weft__pending_for_process(void)
{
	return signals_in(&for_process);
}

bool weft__signal_take_own(struct weft__thread *thread, uint64_t set, siginfo_t *info)
{
	bool taken = take(&thread->queue, set, info);

	thread->pending = signals_in(&thread->queue);
	return taken;
}

bool weft__signal_take(struct weft__thread *thread, uint64_t set, siginfo_t *info)
{
	if (!weft__signal_take_own(thread, set, info) && !take(&for_process, set, info))
		return false;
	if (info->si_code == SI_TIMER)
		weft__timer_delivered(info);
	return true;
}

uint64_t weft__signals_pending(const struct weft__thread *thread)
{
	return thread->pending | weft__pending_for_process();
}

void weft__signals_drop(struct weft__thread *thread)
{
	siginfo_t info;

	while (weft__signal_take_own(thread, UINT64_MAX, &info))
		;
}
