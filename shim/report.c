/* Statistics for a person to read, at the end of the process (WEFT_STATS=1). */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "carriers.h"
#include "catch.h"
#include "iterative.h"
#include "loaded.h"
#include "rules.h"
#include "shim.h"
#include "stats.h"
#include "thread.h"

/* As many of the worst are named. */
#define MOST_HOGS 5

struct weft__counts weft__counts[WEFT__MOST_CARRIERS];
static bool reported; /* or not this process's to report */

static const char *const call_names[WEFT__CALLS] = {
#define CALL(number, name, class, handler, family, reason) [number] = #name,
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

/* Where a thread begins, as a person would name it: a function, or a place in an object. */
static void name_entry(char *text, size_t room, uint64_t entry)
{
	Dl_info info;

	if (entry == 0)
		snprintf(text, room, "the main thread");
	else if (dladdr((void *)entry, &info) == 0 || info.dli_fname == NULL)
		snprintf(text, room, "a thread begun at %#llx", (unsigned long long)entry);
	else if (info.dli_sname != NULL)
		snprintf(text, room, "%s", info.dli_sname);
	else
		snprintf(text, room, "%s+%#llx", weft__base_name(info.dli_fname),
			 (unsigned long long)(entry - (uintptr_t)info.dli_fbase));
}

static int worse_first(const void *a, const void *b)
{
	return (int)weft__hog_is_worse(b, a) - (int)weft__hog_is_worse(a, b);
}

static void report_runs(void)
{
	struct weft__hog hogs[WEFT__HOGS];
	char name[200];

	name_entry(name, sizeof(name), weft__stats.longest_run_task);
	weft__say("longest time without a switch: %.3f ms, in %s",
		  (double)weft__stats.longest_run_ns / 1e6, name);
	memcpy(hogs, weft__stats.hogs, sizeof(hogs));
	qsort(hogs, WEFT__HOGS, sizeof(*hogs), worse_first);
	for (int i = 0; i < MOST_HOGS && (hogs[i].preempted | hogs[i].longest_ns) != 0; i++) {
		name_entry(name, sizeof(name), hogs[i].name);
		weft__say("hog: %s, stopped %llu times, at most %.3f ms without a switch", name,
			  (unsigned long long)hogs[i].preempted, (double)hogs[i].longest_ns / 1e6);
	}
}

void weft__report_begin(void)
{
	memset(weft__counts, 0, sizeof(weft__counts));
	weft__stats = (struct weft__stats){.tasks = 0};
	reported = false;
}

void weft__report_end(void)
{
	reported = true;
}

static void report_patches(void)
{
	const struct weft__patches *patched = &weft__patches;

	weft__say("sites patched: %zu in %zu objects (%zu could not be)", patched->sites,
		  patched->objects, patched->unfit);
	if (patched->refused > 0)
		weft__say("objects that could not be patched: %zu (%s)", patched->refused,
			  patched->why);
	if (!patched->later)
		weft__say(
			"libraries loaded later are not patched: a debugger or an unknown loader");
}

/* The counts of all carriers, with those of the first. */
static void sum_up(void)
{
	for (unsigned int i = 1; i < weft__crew.carriers; i++)
		for (size_t nr = 0; nr < WEFT__CALLS; nr++) {
			weft__counts[0].parks[nr] += weft__counts[i].parks[nr];
			weft__counts[0].blocked[nr] += weft__counts[i].blocked[nr];
		}
}

static void report_turns(void)
{
	uint64_t switches = 0, looks = 0;

	for (unsigned int i = 0; i < weft__crew.carriers; i++) {
		switches += weft__crew.carrier[i]->switches;
		looks += weft__crew.carrier[i]->looks;
	}
	weft__say("tasks: %llu, switches: %llu, looks at the loop: %llu (%llu idle)",
		  (unsigned long long)weft__stats.tasks, (unsigned long long)switches,
		  (unsigned long long)looks, (unsigned long long)weft__stats.idle_waits);
	if (weft__crew.carriers > 1)
		weft__say("carriers: %u, caught in the kernel: %llu times",
			  weft__crew.carriers - (weft__crew.spare != NULL),
			  (unsigned long long)weft__stats.caught);
}

static void report_copies(void)
{
	const struct weft__iterative_counts *counts = &weft__iterative_counts;

	if (weft__iterative_wakes())
		weft__say("iterative: %lu copies, at most %lu at once; %lu exchanges of %lu bytes "
			  "on average",
			  counts->copies, counts->most, counts->exchanges,
			  counts->exchanges == 0 ? 0 : counts->bytes / counts->exchanges);
}

void weft__report(void)
{
	if (!weft__settings.stats || reported)
		return;
	reported = true;
	if (weft__patches.sites == 0 && !weft__catching) {
		weft__say("sites patched: 0, for no thread was made");
		return;
	}
	report_patches();
	if (weft__catching)
		weft__say("caught: %llu calls at %u places%s",
			  (unsigned long long)weft__caught.calls, weft__caught.places,
			  weft__caught.places_full ? " and more" : "");
	report_turns();
	weft__say("offload: %llu calls on %u threads", (unsigned long long)weft__stats.offloads,
		  weft__stats.offload_threads);
	report_copies();
	sum_up();
	report_counts("parks", weft__counts[0].parks);
	report_counts("may have blocked the kernel thread", weft__counts[0].blocked);
	report_runs();
}
