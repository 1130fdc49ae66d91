/* What is set: by the environment, WEFT and its WEFT_ relatives, or by rules; and how weft speaks. */
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crew.h"
#include "iterative.h"
#include "offload.h"
#include "rules.h"
#include "shim.h"

struct weft__settings weft__settings;
struct weft__rule weft__rule;

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

/* A rule about this program that makes no sense; those about others are `weft check`'s to tell. */
static void say_wrong(const char *file, unsigned int line, const char *why, bool named)
{
	if (named && line == 0)
		weft__say("%s: %s", file, why);
	else if (named)
		weft__say("%s:%u: %s", file, line, why);
}

static void read_rules(void)
{
	static char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	Dl_info info;

	/* Without /proc there is no telling what this program is. */
	if (length <= 0 || dladdr(&weft__settings, &info) == 0)
		return;
	self[length] = '\0';
	weft__rules_find(weft__base_name(self), info.dli_fname, &weft__rule, say_wrong);
}

/* What the environment says or, where that says nothing, the rules; "": neither does. */
static const char *read_text(enum weft__setting_id id)
{
	const char *said = getenv(weft__setting_table[id].environment);

	if (said != NULL && said[0] != '\0')
		return said;
	return weft__rule.line == 0 ? "" : weft__rule.value[id];
}

static unsigned int read_setting(enum weft__setting_id id)
{
	const struct weft__setting *setting = &weft__setting_table[id];
	const char *said = read_text(id);
	int value;

	if (said[0] == '\0')
		return setting->usual;
	value = weft__setting_value(setting, said);
	if (value >= 0)
		return (unsigned int)value;
	if (setting->most != 0)
		weft__say("%s=%s: not %s%sa number from %u to %u, taken as %u",
			  setting->environment, said, setting->words,
			  setting->words[0] == '\0' ? "" : " or ", setting->least, setting->most,
			  setting->usual);
	else
		weft__say("%s=%s: none of: %s; taken as %.*s", setting->environment, said,
			  setting->words, (int)strcspn(setting->words, " "), setting->words);
	return setting->usual;
}

/* How many there are to run on, as far as there may be carriers. */
static unsigned int processors(void)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);

	if (online < 1)
		return 1;
	return online >= WEFT__MOST_CARRIERS ? WEFT__MOST_CARRIERS - 1 : (unsigned int)online;
}

void weft__settings_turn_on(void)
{
	if (weft__settings.on)
		return;
	weft__settings.on = true;
	read_rules();
	weft__settings.stats = read_setting(WEFT__SET_STATS) != 0;
	weft__settings.catch_mode = read_setting(WEFT__SET_CATCH);
	weft__settings.preempt_ms = read_setting(WEFT__SET_PREEMPT_MS);
	weft__settings.carriers = read_setting(WEFT__SET_CARRIERS);
	weft__iterative_set(read_setting(WEFT__SET_ITERATIVE), read_text(WEFT__SET_ITERATIVE),
			    read_setting(WEFT__SET_SLICE_KB));
	/* A copy of the main thread is that thread to libc: it changes for another at calls alone. */
	if (weft__iterative_wakes())
		weft__settings.preempt_ms = 0;
	if (weft__iterative_checks()) /* it sees each call */
		weft__settings.catch_mode = WEFT__CATCH_ONLY;
	if (weft__settings.carriers == 0)
		weft__settings.carriers = processors();
	weft__settings.paths = read_setting(WEFT__SET_OFFLOAD_PATHS);
	weft__offload_most = read_setting(WEFT__SET_OFFLOAD_THREADS);
}

void weft__read_settings(void)
{
	static bool read;

	if (read)
		return;
	read = true;
	if (read_switch("WEFT"))
		weft__settings_turn_on();
}
