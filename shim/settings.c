/* The environment: WEFT and its WEFT_ relatives, and the one way in which weft speaks. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "offload.h"
#include "shim.h"

struct weft__settings weft__settings;

void weft__say(const char *format, ...)
{
	char line[512] = "weft: ";
	size_t used = strlen(line);
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line + used, sizeof(line) - used - 1, format, args);
	va_end(args);
	if (n < 0)
		return;
	used += (size_t)n;
	if (used > sizeof(line) - 2)
		used = sizeof(line) - 2;
	line[used++] = '\n';
	weft__raw(SYS_write, 2, line, used);
}

/* 1 is yes; 0, empty and unset are no. */
static bool read_switch(const char *name)
{
	const char *value = getenv(name);

	if (value == NULL || value[0] == '\0' || strcmp(value, "0") == 0)
		return false;
	if (strcmp(value, "1") == 0)
		return true;
	weft__say("%s=%s: neither 0 nor 1, taken as 0", name, value);
	return false;
}

static const char *const paths_words[] = {[WEFT__PATHS_AS_NEEDED] = "auto",
					  [WEFT__PATHS_IN_PLACE] = "0",
					  [WEFT__PATHS_OFFLOADED] = "1"};

static const char *const catch_words[] = {[WEFT__CATCH_AUTO] = "auto",
					  [WEFT__CATCH_NONE] = "none",
					  [WEFT__CATCH_ALL] = "all",
					  [WEFT__CATCH_ONLY] = "only"};

/* One of some words, the first where none is given; its place among them. */
static unsigned int read_word(const char *name, const char *const words[], unsigned int n,
			      const char *others)
{
	const char *value = getenv(name);

	if (value == NULL || value[0] == '\0')
		return 0;
	for (unsigned int i = 0; i < n; i++)
		if (strcmp(value, words[i]) == 0)
			return i;
	weft__say("%s=%s: %s, taken as %s", name, value, others, words[0]);
	return 0;
}

static unsigned int read_number(const char *name, unsigned int fallback, unsigned int least,
				unsigned int most)
{
	const char *value = getenv(name);
	unsigned long number;
	char *end;

	if (value == NULL || value[0] == '\0')
		return fallback;
	number = strtoul(value, &end, 10);
	if (value[0] >= '0' && value[0] <= '9' && *end == '\0' && number >= least && number <= most)
		return (unsigned int)number;
	weft__say("%s=%s: not a number from %u to %u, taken as %u", name, value, least, most,
		  fallback);
	return fallback;
}

void weft__read_settings(void)
{
	static bool read;

	if (read)
		return;
	read = true;
	weft__settings.on = read_switch("WEFT");
	if (!weft__settings.on)
		return;
	weft__settings.stats = read_switch("WEFT_STATS");
	weft__settings.catch_mode = read_word("WEFT_CATCH", catch_words, WEFT__CATCH_MODES,
					      "neither auto, none, all nor only");
	weft__settings.preempt_ms = read_number("WEFT_PREEMPT_MS", 10, 0, 10000);
	weft__settings.paths =
		read_word("WEFT_OFFLOAD_PATHS", paths_words, WEFT__PATHS, "neither 0, 1 nor auto");
	weft__offload_most = read_number("WEFT_OFFLOAD_THREADS", 64, 1, 1024);
}
