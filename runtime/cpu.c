/*
 * See cpu.h.
 *
 * Of a carrier's processor time, `given_ns` has been given to tasks or is the hub's. What short runs
 * have had since, by the wall's clock, is `short_ns`: the next look at the carrier's own clock
 * takes that off before the rest is given to whoever ran last. An error so stays as small as a run
 * is short, and does not add up.
 */
#include "cpu.h"

#include <stddef.h>
#include <time.h>

#include "crew.h"
#include "scheduler.h"
#include "stats.h"

/* What the task that first asks may have had since a tick: the longest there is between two. */
#define TICK_NS 10000000U

/* A run so long is worth a system call. */
#define LONG_RUN_NS 20000U

/* Past libc, whose call may be patched. */
static uint64_t carrier_clock(void)
{
	struct timespec now = {0, 0};

	weft__raw(SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

void weft__cpu_begin(struct weft__carrier *carrier, struct weft__task *first)
{
	weft__watched &= ~WEFT__WATCH_CPU;
	carrier->cpu = (struct weft__cpu){.given_ns = carrier_clock()};
	first->cpu_ns = carrier->cpu.given_ns;
}

void weft__cpu_sample(struct weft__task *running, uint64_t ns, bool outside)
{
	if (running == NULL)
		return;
	if ((weft__watched & WEFT__WATCH_CPU) == 0) {
		running->cpu_ns += ns;
		running->carrier->cpu.given_ns += ns;
	} else if (outside && weft__parallel) {
		weft__cpu_run_ended(running->carrier, running);
	}
}

/* Give what the carrier has had to a task; NULL: to the hub, who keeps no account. */
static void give(struct weft__cpu *cpu, struct weft__task *task)
{
	uint64_t now = carrier_clock(), had;

	/* A sample counts a whole tick, however little of it has passed: it may be ahead. */
	if (now <= cpu->given_ns)
		return;
	had = now - cpu->given_ns;
	cpu->given_ns = now;
	if (had <= cpu->short_ns) {
		cpu->short_ns -= had;
		return;
	}
	if (task != NULL)
		task->cpu_ns += had - cpu->short_ns;
	cpu->short_ns = 0;
}

/* What no sample has caught is the running task's as far as one tick goes, else nobody's. */
static void begin_exact(struct weft__cpu *cpu)
{
	uint64_t now = carrier_clock();

	cpu->exact = true;
	if (now > cpu->given_ns + TICK_NS)
		cpu->given_ns = now - TICK_NS;
}

void weft__cpu_run_ended(struct weft__carrier *carrier, struct weft__task *task)
{
	struct weft__cpu *cpu = &carrier->cpu;
	uint64_t now = weft__now_ns(), run = now - cpu->since_ns;

	if (weft__unlikely(!cpu->exact))
		begin_exact(cpu);
	cpu->since_ns = now;
	if (task == NULL || run >= LONG_RUN_NS) {
		give(cpu, task);
	} else {
		task->cpu_ns += run;
		cpu->short_ns += run;
	}
}

uint64_t weft__cpu_time(const struct weft__task *task)
{
	struct weft__carrier *here = weft__carrier_here();

	weft__watched |= WEFT__WATCH_CPU;
	if (weft__unlikely(!here->cpu.exact))
		begin_exact(&here->cpu);
	if (task->carrier == here) {
		give(&here->cpu, weft__current);
		here->cpu.since_ns = weft__now_ns();
	}
	return task->cpu_ns;
}
