/* Statistics for a person to read, at the end of the process (WEFT_STATS=1). */
#include <dlfcn.h>
#include <stdio.h>

#include "catch.h"
#include "loaded.h"
#include "shim.h"
#include "stats.h"
#include "thread.h"

struct weft__counts weft__counts;
static bool reported; /* or not this process's to report */

static const char *const call_names[WEFT__CALLS] = {
#define CALL(number, name, class, handler, reason) [number] = #name,
#include "calls.def"
#undef CALL
};

const char *weft__call_name(long nr)
{
	return call_names[nr];
}

/* One line of "call count" pairs for those that are not 0, as many as fit. */
static void report_counts(const char *title, const uint64_t *count)
{
	char line[400];
	size_t used = 0;

	for (size_t nr = 0; nr < WEFT__CALLS && used < sizeof(line) - 40; nr++)
		if (count[nr] != 0)
			used += (size_t)snprintf(line + used, sizeof(line) - used, " %s %llu",
						 call_names[nr], (unsigned long long)count[nr]);
	weft__say("%s:%s", title, used == 0 ? " none" : line);
}

static void report_longest_run(void)
{
	Dl_info info;
	void *entry = (void *)weft__stats.longest_run_task;
	double ms = (double)weft__stats.longest_run_ns / 1e6;

	if (entry == NULL)
		weft__say("longest time without a switch: %.3f ms, in the main thread", ms);
	else if (dladdr(entry, &info) != 0 && info.dli_sname != NULL)
		weft__say("longest time without a switch: %.3f ms, in %s", ms, info.dli_sname);
	else
		weft__say("longest time without a switch: %.3f ms, in a thread begun at %p", ms,
			  entry);
}

void weft__report_begin(void)
{
	weft__counts = (struct weft__counts){.parks = {0}};
	weft__stats = (struct weft__stats){.tasks = 0};
	reported = false;
}

void weft__report_end(void)
{
	reported = true;
}

static void report_patches(void)
{
	const struct weft__patched *patched = &weft__patched;

	weft__say("sites patched: %zu in %zu objects (%zu could not be)", patched->sites,
		  patched->objects, patched->unfit);
	if (patched->refused > 0)
		weft__say("objects that could not be patched: %zu (%s)", patched->refused,
			  patched->why);
	if (!patched->later)
		weft__say(
			"libraries loaded later are not patched: a debugger or an unknown loader");
}

void weft__report(void)
{
	if (!weft__settings.stats || reported)
		return;
	reported = true;
	if (weft__patched.sites == 0 && !weft__catching) {
		weft__say("sites patched: 0, for no thread was made");
		return;
	}
	report_patches();
	if (weft__catching)
		weft__say("caught: %llu calls at %u places%s",
			  (unsigned long long)weft__caught.calls, weft__caught.places,
			  weft__caught.places_full ? " and more" : "");
	weft__say("tasks: %llu, switches: %llu, looks at the loop: %llu (%llu idle)",
		  (unsigned long long)weft__stats.tasks, (unsigned long long)weft__stats.switches,
		  (unsigned long long)weft__stats.looks,
		  (unsigned long long)weft__stats.idle_waits);
	weft__say("offload: %llu calls on %u threads", (unsigned long long)weft__stats.offloads,
		  weft__stats.offload_threads);
	report_counts("parks", weft__counts.parks);
	report_counts("may have blocked the kernel thread", weft__counts.blocked);
	report_longest_run();
}
