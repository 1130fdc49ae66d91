/* See stats.h. */
#include "stats.h"

#include <stddef.h>

#include "scheduler.h"

struct weft__stats weft__stats;
bool weft__stats_wanted;
uint64_t (*weft__stats_name)(const struct weft_task *task);

void weft__stats_run_ended(struct weft__carrier *carrier, const struct weft_task *task)
{
	uint64_t now = weft__now_ns(), run = now - carrier->run_since_ns;

	if (carrier->run_since_ns != 0 && run > weft__stats.longest_run_ns) {
		weft__stats.longest_run_ns = run;
		weft__stats.longest_run_task =
			weft__stats_name == NULL ? 0 : weft__stats_name(task);
	}
	carrier->run_since_ns = now;
}
