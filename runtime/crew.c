/*
 * See crew.h.
 *
 * The lock is a futex (Drepper, "Futexes Are Tricky", 2011) that is spun on for a moment: it is held
 * for some hundred instructions at a time. Who waits for it does errands meanwhile: what another
 * carrier wants done by this kernel thread, and waits for with the lock.
 */
#include "crew.h"

#include <linux/futex.h>
#include <time.h>

#include "denied.h"
#include "hub.h"

/* Ten microseconds and more, which is longer than anybody holds it, mostly. */
#define SPINS 300

/* A signal that is blocked does not wake who sleeps for the lock: it looks for errands so often. */
#define LOOK_NS 1000000L

enum { FREE, TAKEN, WAITED_FOR };

volatile bool weft__parallel;

/* On a line of the cache of its own: who waits for it disturbs nobody. */
static uint32_t lock __attribute__((aligned(64)));

bool weft__crew_join(struct weft__crew *crew, struct weft__carrier *carrier)
{
	if (crew->carriers == WEFT__MOST_CARRIERS)
		return false;
	carrier->crew = crew;
	carrier->number = crew->carriers;
	crew->carrier[crew->carriers] = carrier;
	__atomic_store_n(&crew->carriers, crew->carriers + 1, __ATOMIC_RELEASE);
	return true;
}

void weft__crew_forked(struct weft__crew *crew)
{
	weft__parallel = false;
	lock = FREE;
	*crew = (struct weft__crew){.descriptors = crew->descriptors};
}

void weft__crew_do_errand(struct weft__carrier *here)
{
	weft__errand *errand = __atomic_load_n(&here->errand, __ATOMIC_RELAXED);

	if (weft__unlikely(errand != NULL) &&
	    __atomic_compare_exchange_n(&here->errand, &errand, NULL, false, __ATOMIC_ACQ_REL,
					__ATOMIC_RELAXED))
		errand(here);
}

static bool try_lock(void)
{
	uint32_t free = FREE;

	return __atomic_compare_exchange_n(&lock, &free, TAKEN, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

static void wait_for_lock(struct weft__carrier *here)
{
	struct timespec look = {0, LOOK_NS};

	for (unsigned int i = 0; i < SPINS; i++) {
		if (__atomic_load_n(&lock, __ATOMIC_RELAXED) == FREE && try_lock())
			return;
		weft__crew_do_errand(here);
		__builtin_ia32_pause();
	}
	while (__atomic_exchange_n(&lock, WAITED_FOR, __ATOMIC_ACQUIRE) != FREE) {
		if (weft__denied[SYS_futex])
			weft__raw(SYS_sched_yield);
		else
			weft__raw(SYS_futex, &lock, FUTEX_WAIT_PRIVATE, WAITED_FOR, &look);
		weft__crew_do_errand(here);
	}
}

void weft__crew_lock(struct weft__carrier *here)
{
	if (here->holds)
		return;
	if (!try_lock())
		wait_for_lock(here);
	here->holds = true;
	weft__crew_do_errand(here);
}

void weft__crew_unlock(struct weft__carrier *here)
{
	if (!here->holds)
		return;
	here->holds = false;
	if (__atomic_exchange_n(&lock, FREE, __ATOMIC_RELEASE) == WAITED_FOR &&
	    !weft__denied[SYS_futex])
		weft__raw(SYS_futex, &lock, FUTEX_WAKE_PRIVATE, 1);
}

long weft__crew_raw(long nr, long a, long b, long c, long d, long e, long f)
{
	struct weft__carrier *here = weft__carrier_here();
	bool held = here->holds;
	long result;

	if (held)
		weft__crew_unlock(here);
	result = weft__raw6(nr, a, b, c, d, e, f);
	if (held)
		weft__crew_lock(here);
	return result;
}

unsigned int weft__crew_tasks(const struct weft__crew *crew)
{
	unsigned int tasks = 0;

	for (unsigned int i = 0; i < crew->carriers; i++)
		tasks += crew->carrier[i]->tasks;
	return tasks;
}

bool weft__crew_others_wait(const struct weft__crew *crew)
{
	for (unsigned int i = 0; i < crew->carriers; i++)
		if (weft__others_wait(crew->carrier[i]))
			return true;
	return false;
}

/*
 * Who makes one task has to do with it, and has it on the same carrier; who makes more hands out
 * work.
 */
struct weft__carrier *weft__crew_place(struct weft__carrier *here)
{
	struct weft__carrier *least = here;
	struct weft__crew *crew = here->crew;
	struct weft_task *maker = weft__current;

	if (maker != NULL && !maker->has_made) {
		maker->has_made = true;
		return here;
	}
	for (unsigned int i = 0; i < crew->carriers; i++)
		if (crew->carrier[i]->tasks < least->tasks)
			least = crew->carrier[i];
	return least;
}

/*
 * Of one ready task nothing is taken at once: its carrier is about to run it. When it has not for as
 * long as an idle carrier naps, or since a tick, it computes.
 */
static bool can_spare(const struct weft__carrier *carrier)
{
	return carrier->stopped.first != NULL ||
	       __atomic_load_n(&carrier->held_up, __ATOMIC_RELAXED) ||
	       (carrier->ready.first != NULL && carrier->ready.first != carrier->ready.last);
}

bool weft__crew_has_work(struct weft__carrier *idle)
{
	struct weft__crew *crew = idle->crew;

	for (unsigned int i = 0; i < crew->carriers; i++)
		if (crew->carrier[i] != idle && can_spare(crew->carrier[i]) &&
		    weft__others_wait(crew->carrier[i]))
			return true;
	return false;
}

struct weft_task *weft__crew_steal(struct weft__carrier *idle)
{
	struct weft__crew *crew = idle->crew;

	for (unsigned int i = 1; i < crew->carriers; i++) {
		struct weft__carrier *from = crew->carrier[(idle->number + i) % crew->carriers];
		struct weft_task *task = can_spare(from) ? weft__next_ready(from) : NULL;

		if (task == NULL)
			continue;
		__atomic_store_n(&from->held_up, false, __ATOMIC_RELAXED);
		from->tasks--;
		idle->tasks++;
		__atomic_store_n(&task->carrier, idle, __ATOMIC_RELAXED);
		return task;
	}
	return NULL;
}

static uint64_t bit_of(const struct weft__carrier *carrier)
{
	return UINT64_C(1) << carrier->number;
}

void weft__crew_fall_asleep(struct weft__carrier *carrier)
{
	__atomic_or_fetch(&carrier->crew->asleep, bit_of(carrier), __ATOMIC_SEQ_CST);
}

void weft__crew_awake(struct weft__carrier *carrier)
{
	uint64_t bit = bit_of(carrier);

	if ((__atomic_load_n(&carrier->crew->asleep, __ATOMIC_RELAXED) & bit) != 0)
		__atomic_and_fetch(&carrier->crew->asleep, ~bit, __ATOMIC_RELAXED);
}

void weft__crew_rouse(struct weft__carrier *carrier)
{
	uint64_t bit = bit_of(carrier);

	if ((__atomic_load_n(&carrier->crew->asleep, __ATOMIC_SEQ_CST) & bit) != 0 &&
	    (__atomic_fetch_and(&carrier->crew->asleep, ~bit, __ATOMIC_ACQ_REL) & bit) != 0)
		weft__hub_ring(carrier);
}

void weft__crew_call_help(struct weft__carrier *busy)
{
	struct weft__crew *crew = busy->crew;
	uint64_t asleep = __atomic_load_n(&crew->asleep, __ATOMIC_RELAXED) & ~bit_of(busy);

	if (asleep != 0)
		weft__crew_rouse(crew->carrier[__builtin_ctzll(asleep)]);
}
