/*
 * libweft-preload.so as a program, as which `weft check` has ld.so run it:
 *
 *	ld-linux-x86-64.so.2 libweft-preload.so [--sites] file...
 *
 * It maps the files, finds their sites by the very code that finds them in a process, and says what
 * would become of each: for people, without --sites in a line for each file that has any and for
 * each site that is lost to weft, else in a line for each site. A call in one file that is one for
 * sure, and cannot be patched, has those of all files caught.
 *
 * It ends with 0; 1 when not all could be looked at; or, without --sites, 2 when calls have to be
 * caught.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "image.h"
#include "loaded.h"
#include "site.h"

#define EXIT_CATCHES 2

struct looked_at {
	struct weft__object object;
	struct weft__sites sites;
	const char *wrong; /* NULL: the others are valid */
};

void weft__entry_inspect(void);
void weft__inspect(long count, char **arguments) __attribute__((noreturn));

static bool catches; /* some call is missed, so what is not patched is caught */

static const char *const call_names[WEFT__CALLS] = {
#define CALL(number, name, class, handler, family, reason) [number] = #name,
#include "calls.def"
#undef CALL
};

static const char *const fits[] = {
#define FIT(name, words) words,
	WEFT__FITS(FIT)
#undef FIT
};

static int is_any(int nr)
{
	(void)nr;
	return 1;
}

static const char *name_of(int nr)
{
	if (nr < 0)
		return "any";
	if (nr >= WEFT__CALLS || call_names[nr] == NULL)
		return "unclassified";
	return call_names[nr];
}

static bool is_unfit(const struct weft__site *site)
{
	return weft__is_answered(site->nr) && site->fit != WEFT__FIT_YES;
}

static const char *fate_of(const struct weft__site *site)
{
	if (!weft__is_answered(site->nr))
		return "the kernel's";
	return site->fit == WEFT__FIT_YES ? "patched" : fits[site->fit];
}

static void print_unfit(const struct weft__object *object, const struct weft__site *site)
{
	printf("unfit        %s: 0x%lx", object->name, site->syscall - object->base);
	if (site->function != 0)
		printf(" in the function at 0x%lx", site->function - object->base);
	if (site->nr >= 0)
		printf(", call %d %s", site->nr, name_of(site->nr));
	printf(": %s\n", fits[site->fit]);
}

static void print_summary(const struct weft__object *object, const struct weft__sites *sites)
{
	size_t patched = 0, unfit = 0;

	for (size_t i = 0; i < sites->n; i++) {
		patched +=
			weft__is_answered(sites->site[i].nr) && sites->site[i].fit == WEFT__FIT_YES;
		unfit += is_unfit(&sites->site[i]);
	}
	if (sites->n == 0)
		return;
	printf("sites        %s: %zu, to be patched %zu, %s %zu\n", object->name, sites->n, patched,
	       catches ? "to be caught" : "cannot be", unfit);
	for (size_t i = 0; !catches && i < sites->n; i++)
		if (is_unfit(&sites->site[i]))
			print_unfit(object, &sites->site[i]);
}

static void print_sites(const struct weft__object *object, const struct weft__sites *sites)
{
	for (size_t i = 0; i < sites->n; i++) {
		const struct weft__site *site = &sites->site[i];

		printf("%s  0x%06lx  ", object->name, site->syscall - object->base);
		if (site->nr < 0)
			printf("  -  ");
		else
			printf("%3d  ", site->nr);
		printf("%-23s  %s%s\n", name_of(site->nr),
		       catches && is_unfit(site) ? "caught: " : "", fate_of(site));
	}
}

/* What weft__patch_object() would refuse. */
static void give_up(struct weft__site *site)
{
	if (site->fit != WEFT__FIT_YES)
		return;
	site->fit = WEFT__FIT_RELOCATED;
	site->missed = true;
}

static void look_at(struct looked_at *at, const char *path)
{
	at->wrong = weft__image_map(&at->object, path);
	if (at->wrong == NULL && weft__find_sites(&at->object, is_any, &at->sites) != 0)
		at->wrong = "out of memory";
	for (size_t i = 0; at->wrong == NULL && i < at->sites.n; i++) {
		struct weft__site *site = &at->sites.site[i];

		if (weft__object_relocates_text(&at->object))
			give_up(site);
		catches |= site->missed && weft__is_answered(site->nr);
	}
}

static void print(struct looked_at *at, const char *path, bool each)
{
	if (at->wrong != NULL)
		printf("sites        %s: %s\n", path, at->wrong);
	else if (each)
		print_sites(&at->object, &at->sites);
	else
		print_summary(&at->object, &at->sites);
}

void weft__inspect(long count, char **arguments)
{
	bool each = count > 1 && strcmp(arguments[1], "--sites") == 0;
	long first = each ? 2 : 1;
	struct looked_at *all = calloc((size_t)count, sizeof(*all));
	int status = EXIT_SUCCESS;

	if (all == NULL)
		exit(EXIT_FAILURE);
	for (long i = first; i < count; i++)
		look_at(&all[i], arguments[i]);
	if (catches && !each)
		status = EXIT_CATCHES;
	for (long i = first; i < count; i++) {
		print(&all[i], arguments[i], each);
		if (all[i].wrong != NULL)
			status = EXIT_FAILURE;
	}
	exit(status);
}
