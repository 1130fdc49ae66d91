/* See stats.h. */
#include "stats.h"

#include <stddef.h>

#include "cpu.h"
#include "scheduler.h"

struct weft__stats weft__stats;
volatile unsigned int weft__watched;
uint64_t (*weft__stats_name)(const struct weft__task *task);

/* A run so long makes a hog. */
#define HOG_NS 2000000U

static uint64_t name_of(const struct weft__task *task)
{
	return weft__stats_name == NULL ? 0 : weft__stats_name(task);
}

bool weft__hog_is_worse(const struct weft__hog *hog, const struct weft__hog *other)
{
	return hog->preempted != other->preempted ? hog->preempted > other->preempted
						  : hog->longest_ns > other->longest_ns;
}

/* Its place, which may be that of the least of the others. */
static struct weft__hog *find_hog(uint64_t name)
{
	struct weft__hog *hogs = weft__stats.hogs, *least = &hogs[0];

	for (size_t i = 0; i < WEFT__HOGS; i++) {
		bool is_free = hogs[i].longest_ns == 0 && hogs[i].preempted == 0;

		if (hogs[i].name == name && !is_free)
			return &hogs[i];
		if (weft__hog_is_worse(least, &hogs[i]))
			least = &hogs[i];
	}
	*least = (struct weft__hog){.name = name};
	return least;
}

static void time_run(struct weft__carrier *carrier, const struct weft__task *task)
{
	uint64_t now = weft__now_ns(), run = now - carrier->run_since_ns;
	bool timed = task != NULL && carrier->run_since_ns != 0;

	carrier->run_since_ns = now;
	if (timed && run > weft__stats.longest_run_ns) {
		weft__stats.longest_run_ns = run;
		weft__stats.longest_run_task = name_of(task);
	}
	if (timed && run >= HOG_NS) {
		struct weft__hog *hog = find_hog(name_of(task));

		if (run > hog->longest_ns)
			hog->longest_ns = run;
	}
}

void weft__run_stopped(const struct weft__task *task)
{
	if ((weft__watched & WEFT__WATCH_RUNS) != 0)
		find_hog(name_of(task))->preempted++;
}

void weft__run_ended(struct weft__carrier *carrier, struct weft__task *task)
{
	if ((weft__watched & WEFT__WATCH_RUNS) != 0)
		time_run(carrier, task);
	if ((weft__watched & WEFT__WATCH_CPU) != 0)
		weft__cpu_run_ended(carrier, task);
}
