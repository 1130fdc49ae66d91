/* See stats.h. */
#include "stats.h"

#include <stddef.h>

#include "cpu.h"
#include "scheduler.h"

struct weft__stats weft__stats;
volatile unsigned int weft__watched;
uint64_t (*weft__stats_name)(const struct weft_task *task);

static void time_run(struct weft__carrier *carrier, const struct weft_task *task)
{
	uint64_t now = weft__now_ns(), run = now - carrier->run_since_ns;

	if (task != NULL && carrier->run_since_ns != 0 && run > weft__stats.longest_run_ns) {
		weft__stats.longest_run_ns = run;
		weft__stats.longest_run_task =
			weft__stats_name == NULL ? 0 : weft__stats_name(task);
	}
	carrier->run_since_ns = now;
}

void weft__run_ended(struct weft__carrier *carrier, struct weft_task *task)
{
	if ((weft__watched & WEFT__WATCH_RUNS) != 0)
		time_run(carrier, task);
	if ((weft__watched & WEFT__WATCH_CPU) != 0)
		weft__cpu_run_ended(carrier, task);
}
