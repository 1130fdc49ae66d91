/*
 * See crew.h.
 *
 * The lock is a futex (Drepper, "Futexes Are Tricky", 2011) that is spun on for a moment: it is held
 * for some hundred instructions at a time. Who waits for it does errands meanwhile: what another
 * carrier wants done by this kernel thread, and waits for with the lock.
 */
#include "crew.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <string.h>
#include <time.h>

#include "denied.h"
#include "hub.h"
#include "stats.h"

/* Ten microseconds and more, which is longer than anybody holds it, mostly. */
#define SPINS 300

/* A signal that is blocked does not wake who sleeps for the lock: it looks for errands so often. */
#define LOOK_NS 1000000L

enum { FREE, TAKEN, WAITED_FOR };

volatile bool weft__parallel;
__thread bool weft__holds_lock __attribute__((tls_model("initial-exec")));

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
	weft__parallel = weft__holds_lock = false;
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

static void do_errand(void)
{
	struct weft__carrier *here = weft__carrier_here();

	if (here != NULL)
		weft__crew_do_errand(here);
}

static void wait_for_lock(void)
{
	struct timespec look = {0, LOOK_NS};

	for (unsigned int i = 0; i < SPINS; i++) {
		if (__atomic_load_n(&lock, __ATOMIC_RELAXED) == FREE && try_lock())
			return;
		do_errand();
		__builtin_ia32_pause();
	}
	while (__atomic_exchange_n(&lock, WAITED_FOR, __ATOMIC_ACQUIRE) != FREE) {
		if (weft__denied[SYS_futex])
			__builtin_ia32_pause();
		else
			weft__raw(SYS_futex, &lock, FUTEX_WAIT_PRIVATE, WAITED_FOR, &look);
		do_errand();
	}
}

void weft__crew_lock(void)
{
	if (weft__holds_lock)
		return;
	if (!try_lock())
		wait_for_lock();
	weft__holds_lock = true;
	do_errand();
}

void weft__crew_unlock(void)
{
	if (!weft__holds_lock)
		return;
	weft__holds_lock = false;
	if (__atomic_exchange_n(&lock, FREE, __ATOMIC_RELEASE) == WAITED_FOR &&
	    !weft__denied[SYS_futex])
		weft__raw(SYS_futex, &lock, FUTEX_WAKE_PRIVATE, 1);
}

long weft__crew_raw(long nr, long a, long b, long c, long d, long e, long f)
{
	struct weft__carrier *here = weft__carrier_here();
	long result;

	if (!weft__holds_lock)
		return weft__raw6(nr, a, b, c, d, e, f);
	__atomic_add_fetch(&here->out, 1, __ATOMIC_RELAXED);
	weft__crew_unlock();
	result = weft__raw6(nr, a, b, c, d, e, f);
	__atomic_sub_fetch(&here->out, 1, __ATOMIC_RELAXED);
	weft__crew_lock();
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
	struct weft__task *maker = weft__current;

	if (maker != NULL && !maker->has_made && here != crew->spare) {
		maker->has_made = true;
		return here;
	}
	for (unsigned int i = 0; i < crew->carriers; i++)
		if (crew->carrier[i] != crew->spare &&
		    (least == crew->spare || crew->carrier[i]->tasks < least->tasks))
			least = crew->carrier[i];
	return least;
}

/* A task that is ready alone is not taken: its carrier is about to run it, unless a tick says otherwise. */
static bool can_spare(const struct weft__carrier *carrier)
{
	return carrier->stopped.first != NULL ||
	       __atomic_load_n(&carrier->held_up, __ATOMIC_RELAXED) ||
	       (carrier->ready.first != NULL && carrier->ready.first != carrier->ready.last);
}

bool weft__crew_has_work(struct weft__carrier *idle)
{
	struct weft__crew *crew = idle->crew;

	for (unsigned int i = 0; i < crew->carriers && idle != crew->spare; i++)
		if (crew->carrier[i] != idle && can_spare(crew->carrier[i]) &&
		    weft__others_wait(crew->carrier[i]))
			return true;
	return false;
}

struct weft__task *weft__crew_steal(struct weft__carrier *idle)
{
	struct weft__crew *crew = idle->crew;

	for (unsigned int i = 1; i < crew->carriers; i++) {
		struct weft__carrier *from = crew->carrier[(idle->number + i) % crew->carriers];
		struct weft__task *task = can_spare(from) ? weft__next_ready(from) : NULL;

		if (task == NULL)
			continue;
		__atomic_store_n(&from->held_up, false, __ATOMIC_RELAXED);
		weft__hand_to(task, idle);
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
	struct weft__crew *crew = carrier->crew;
	uint64_t bit = bit_of(carrier);

	if ((__atomic_load_n(&crew->asleep, __ATOMIC_RELAXED) & bit) != 0)
		__atomic_and_fetch(&crew->asleep, ~bit, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&crew->unwatched, __ATOMIC_SEQ_CST) &&
	    __atomic_exchange_n(&crew->unwatched, false, __ATOMIC_ACQ_REL) &&
	    carrier != crew->spare)
		weft__hub_ring(crew->spare);
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

	if (crew->spare != NULL)
		asleep &= ~bit_of(crew->spare);
	if (asleep != 0)
		weft__crew_rouse(crew->carrier[__builtin_ctzll(asleep)]);
}

/* How often the spare looks after the others. Who has not gone on from one look to the next is caught. */
#define WATCH_NS 10000000U

/* After so many looks that found all asleep it sleeps until one of them wakes. */
#define MOST_VAIN 3U

uint64_t weft__crew_watches_until(struct weft__carrier *spare)
{
	struct weft__crew *crew = spare->crew;
	uint64_t others = bit_of(spare) - 1; /* it is the last */

	if ((__atomic_load_n(&crew->asleep, __ATOMIC_SEQ_CST) & others) != others) {
		crew->vain = 0;
		return weft__now_ns() + WATCH_NS;
	}
	if (++crew->vain < MOST_VAIN)
		return weft__now_ns() + WATCH_NS;
	__atomic_store_n(&crew->unwatched, true, __ATOMIC_SEQ_CST);
	if ((__atomic_load_n(&crew->asleep, __ATOMIC_SEQ_CST) & others) == others)
		return UINT64_MAX;
	__atomic_store_n(&crew->unwatched, false, __ATOMIC_RELAXED);
	return weft__now_ns() + WATCH_NS;
}

char weft__crew_state(int kernel_thread)
{
	char path[64] = "/proc/self/task/", text[256], digits[16];
	size_t at = strlen(path), n = 0;
	const char *state;
	long file, got;

	if (weft__denied[SYS_openat] || weft__denied[SYS_read] || weft__denied[SYS_close])
		return '?';
	for (; kernel_thread > 0; kernel_thread /= 10)
		digits[n++] = (char)('0' + kernel_thread % 10);
	while (n > 0)
		path[at++] = digits[--n];
	strcpy(path + at, "/stat");
	file = weft__raw(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return '?';
	got = weft__raw(SYS_read, file, text, sizeof(text) - 1);
	weft__raw(SYS_close, file);
	text[got < 0 ? 0 : got] = '\0';
	state = strrchr(text, ')');
	return state != NULL && state[1] == ' ' ? state[2] : '?';
}

static bool waits_in_kernel(int kernel_thread)
{
	char state = weft__crew_state(kernel_thread);

	return state == 'S' || state == 'D';
}

/* Whether somebody could go on if only the carrier did. */
static bool keeps_others(const struct weft__carrier *carrier)
{
	return weft__others_wait(carrier) || carrier->registered != 0 ||
	       carrier->timers.first != NULL ||
	       __atomic_load_n(&carrier->remote, __ATOMIC_RELAXED) != NULL;
}

static bool is_caught(struct weft__carrier *carrier)
{
	bool goes_on = carrier->looks != carrier->seen_looks ||
		       carrier->switches != carrier->seen_switches;

	carrier->seen_looks = carrier->looks;
	carrier->seen_switches = carrier->switches;
	if (goes_on || carrier->running == NULL || carrier->running->inside ||
	    (__atomic_load_n(&carrier->crew->asleep, __ATOMIC_RELAXED) & bit_of(carrier)) != 0)
		return false;
	return keeps_others(carrier) && waits_in_kernel(carrier->kernel_thread);
}

/* Go on as the hub of a caught carrier. Its kernel thread comes back here with the task it ran. */
static void take_over(struct weft__carrier *spare, struct weft__carrier *caught)
{
	int kernel_thread = spare->kernel_thread;

	spare->kernel_thread = caught->kernel_thread;
	caught->kernel_thread = kernel_thread;
	spare->running = caught->running;
	weft__hand_to(spare->running, spare);
	caught->running = NULL;
	weft__count(weft__stats.caught);
	if (spare->crew->swapped != NULL)
		spare->crew->swapped(spare, caught);
	weft__context_switch(&spare->hub_context, &caught->hub_context);
}

static void hand_over(struct weft__task *task, struct weft__carrier *spare)
{
	weft__hand_to(task, weft__crew_place(spare));
	weft__put_ready(task);
}

void weft__crew_watch(struct weft__carrier *spare)
{
	struct weft__crew *crew = spare->crew;
	struct weft__task *task;

	if (spare->dead != NULL)
		weft__bury_dead(spare);
	while ((task = weft__next_ready(spare)) != NULL)
		hand_over(task, spare);
	if (spare->behind != NULL)
		hand_over(spare->behind, spare);
	spare->behind = NULL;
	for (unsigned int i = 0; i < crew->carriers; i++)
		if (crew->carrier[i] != spare && is_caught(crew->carrier[i])) {
			take_over(spare, crew->carrier[i]);
			return;
		}
}
