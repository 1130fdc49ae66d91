/*
 * libweft-preload.so as a program, as which `weft check` has ld.so run it:
 *
 *	ld-linux-x86-64.so.2 libweft-preload.so [--sites] file...
 *
 * It maps the files, finds their sites by the very code that finds them in a process, and says what
 * would become of each: for people, without --sites in a line for each file that has any and for
 * each site that cannot be patched, else in a line for each site.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "image.h"
#include "loaded.h"
#include "site.h"

void weft__entry_inspect(void);
void weft__inspect(long count, char **arguments) __attribute__((noreturn));

static const char *const call_names[WEFT__CALLS] = {
#define CALL(number, name, class, handler, reason) [number] = #name,
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
		if (!weft__is_answered(sites->site[i].nr))
			continue;
		patched += sites->site[i].fit == WEFT__FIT_YES;
		unfit += sites->site[i].fit != WEFT__FIT_YES;
	}
	if (sites->n == 0)
		return;
	printf("sites        %s: %zu, to be patched %zu, cannot be %zu\n", object->name, sites->n,
	       patched, unfit);
	for (size_t i = 0; i < sites->n; i++)
		if (weft__is_answered(sites->site[i].nr) && sites->site[i].fit != WEFT__FIT_YES)
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
		printf("%-23s  %s\n", name_of(site->nr), fate_of(site));
	}
}

static int inspect(const char *path, bool each)
{
	struct weft__object object;
	struct weft__sites sites;
	const char *wrong = weft__image_map(&object, path);

	if (wrong == NULL && weft__find_sites(&object, is_any, &sites) != 0)
		wrong = "out of memory";
	if (wrong != NULL) {
		printf("sites        %s: %s\n", path, wrong);
		return EXIT_FAILURE;
	}
	if (each)
		print_sites(&object, &sites);
	else
		print_summary(&object, &sites);
	free(sites.site);
	return EXIT_SUCCESS;
}

void weft__inspect(long count, char **arguments)
{
	bool each = count > 1 && strcmp(arguments[1], "--sites") == 0;
	int status = EXIT_SUCCESS;

	for (long i = each ? 2 : 1; i < count; i++)
		if (inspect(arguments[i], each) != EXIT_SUCCESS)
			status = EXIT_FAILURE;
	exit(status);
}
