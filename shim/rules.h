/*
 * Profiles: what a program needs to be set, or why weft cannot work on it, in a file of rules by the
 * names of programs. A line of it:
 *
 *	PROGRAM setting=value ...       # as weft's option of that name
 *	PROGRAM refuse "the reason"
 *
 * A name that ends in * stands for all that begin so. Lines of the same program add up, and of two
 * values the last holds. A bad line is as if it were not there.
 *
 * The user's own file (WEFT_PROFILES) goes before weft's: the first that names the program decides.
 *
 * Both the library and the launcher read the rules, each on its own: so they hold for a program that
 * is started by another, too, and for that one alone.
 */
#ifndef WEFT_RULES_H
#define WEFT_RULES_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum weft__setting_id {
#define SETTING(id, name, sign, environment, words, usual, least, most, help) WEFT__SET_##id,
#include "settings.def"
#undef SETTING
	WEFT__SETTINGS,
};

/** A setting: settings.def. */
struct weft__setting {
	const char *name, *environment, *words;
	unsigned int usual, least, most;
};

extern const struct weft__setting weft__setting_table[WEFT__SETTINGS];

/** Judge a value: which of the words it is, or the number; -1: it makes no sense. */
int weft__setting_value(const struct weft__setting *setting, const char *value);

#define WEFT__VALUE_BYTES 64
#define WEFT__REASON_BYTES 160

/** What is said of one program. */
struct weft__rule {
	char file[PATH_MAX];
	unsigned int
		line; /* the last that names the program; 0: none does, nothing else is valid */
	char value[WEFT__SETTINGS][WEFT__VALUE_BYTES]; /* "" where none is said */
	char reason[WEFT__REASON_BYTES];               /* "" if it is not refused */
};

/**
 * Something is wrong with a file of rules.
 *
 * @param line  0: with the file
 * @param named  the line is about the program that is looked for
 */
typedef void weft__rules_wrong(const char *file, unsigned int line, const char *why, bool named);

/** Find what a text says of a program, and add it to *rule, whose file is set. */
void weft__rules_scan(const char *text, size_t bytes, const char *program, struct weft__rule *rule,
		      weft__rules_wrong *wrong);

/**
 * Find what the files say of a program.
 *
 * @param program  the base name of what /proc/PID/exe shows
 * @param library  path of libweft-preload.so, from which weft's own file is found
 */
void weft__rules_find(const char *program, const char *library, struct weft__rule *rule,
		      weft__rules_wrong *wrong);

/** Find the last part of a path. */
const char *weft__base_name(const char *path);

#endif
