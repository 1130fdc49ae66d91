/* See rules.h. For the library and the launcher: nothing of either is used here. */
#include "rules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_BYTES 32768
#define BLANKS " \t\r"

const struct weft__setting weft__setting_table[WEFT__SETTINGS] = {
#define SETTING(id, name, sign, environment, words, usual, least, most, help) \
	[WEFT__SET_##id] = {name, environment, words, usual, least, most},
#include "settings.def"
#undef SETTING
};

/* A line that is being taken apart. */
struct line {
	char text[1024]; /* without its comment */
	char *rest;      /* what is still to be read of it */
	const char *wrong;
};

const char *weft__base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

static int find_word(const char *words, const char *word)
{
	size_t length = strlen(word);

	for (int i = 0; length > 0 && *words != '\0'; i++) {
		size_t here = strcspn(words, " ");

		if (here == length && memcmp(words, word, length) == 0)
			return i;
		words += here + (words[here] == ' ');
	}
	return -1;
}

/* Numbers from 1 to 65535, with commas between. */
static bool is_list_of_ports(const char *value)
{
	for (;;) {
		unsigned long port = 0;
		char *end;

		if (value[0] >= '0' && value[0] <= '9')
			port = strtoul(value, &end, 10);
		if (port == 0 || port > 65535 || (*end != ',' && *end != '\0'))
			return false;
		if (*end == '\0')
			return true;
		value = end + 1;
	}
}

int weft__setting_value(const struct weft__setting *setting, const char *value)
{
	int list = find_word(setting->words, "PORT,...");
	unsigned long number;
	char *end;

	if (list >= 0 && find_word(setting->words, value) < 0 && is_list_of_ports(value))
		return list;
	if (setting->words[0] != '\0' &&
	    (setting->most == 0 || find_word(setting->words, value) >= 0))
		return find_word(setting->words, value);
	if (value[0] < '0' || value[0] > '9')
		return -1;
	number = strtoul(value, &end, 10);
	return *end == '\0' && number >= setting->least && number <= setting->most ? (int)number
										   : -1;
}

/* Take the next word off a line; "" at its end. */
static char *next_word(struct line *line)
{
	char *word = line->rest + strspn(line->rest, BLANKS);

	line->rest = word + strcspn(word, BLANKS);
	if (*line->rest != '\0')
		*line->rest++ = '\0';
	return word;
}

static bool is_named(const char *pattern, const char *program)
{
	size_t length = strlen(pattern);

	if (length > 0 && pattern[length - 1] == '*')
		return strncmp(pattern, program, length - 1) == 0;
	return strcmp(pattern, program) == 0;
}

/* What follows `refuse`. */
static void take_reason(struct line *line, struct weft__rule *rule)
{
	char *reason = line->rest + strspn(line->rest, BLANKS), *end;

	if (*reason != '"') {
		line->wrong = "refuse takes a reason in quotation marks";
		return;
	}
	end = strchr(++reason, '"');
	if (end == NULL || end == reason || end - reason >= WEFT__REASON_BYTES) {
		line->wrong = end == NULL     ? "the reason has no closing quotation mark"
			      : end == reason ? "the reason is empty"
					      : "the reason is too long";
		return;
	}
	*end = '\0';
	memcpy(rule->reason, reason, (size_t)(end - reason) + 1);
	line->rest = end + 1;
}

static void take_setting(struct line *line, char *word, struct weft__rule *rule)
{
	char *value = strchr(word, '=');
	size_t i = 0;

	if (value == NULL) {
		line->wrong = "neither setting=value nor refuse \"reason\"";
		return;
	}
	*value++ = '\0';
	while (i < WEFT__SETTINGS && strcmp(weft__setting_table[i].name, word) != 0)
		i++;
	if (i == WEFT__SETTINGS)
		line->wrong = "there is no such setting";
	else if (strlen(value) >= WEFT__VALUE_BYTES ||
		 weft__setting_value(&weft__setting_table[i], value) < 0)
		line->wrong = "the setting cannot have this value";
	else
		memcpy(rule->value[i], value, strlen(value) + 1);
}

/* Take a line apart: what it says goes to *rule, and is worth nothing if line->wrong. */
static void take_line(struct line *line, struct weft__rule *rule)
{
	char *word = next_word(line);

	if (*word == '\0')
		line->wrong = "nothing is said of the program";
	for (; line->wrong == NULL && *word != '\0'; word = next_word(line)) {
		if (strcmp(word, "refuse") == 0)
			take_reason(line, rule);
		else
			take_setting(line, word, rule);
	}
}

/* A comment begins at a # that is in no quotation marks. */
static size_t length_without_comment(const char *text, size_t length)
{
	bool quoted = false;

	for (size_t i = 0; i < length; i++) {
		quoted ^= text[i] == '"';
		if (text[i] == '#' && !quoted)
			return i;
	}
	return length;
}

static void scan_line(const char *text, size_t length, unsigned int number, const char *program,
		      struct weft__rule *rule, weft__rules_wrong *wrong)
{
	static struct weft__rule changed;
	static struct line line;
	const char *pattern;
	bool named;

	length = length_without_comment(text, length);
	line.wrong = length >= sizeof(line.text) || memchr(text, '\0', length) != NULL
			     ? "too long, or no text"
			     : NULL;
	if (length >= sizeof(line.text))
		length = sizeof(line.text) - 1;
	memcpy(line.text, text, length);
	line.text[length] = '\0';
	line.rest = line.text;
	pattern = next_word(&line);
	if (*pattern == '\0' && line.wrong == NULL)
		return;
	named = is_named(pattern, program);
	changed = *rule;
	if (line.wrong == NULL)
		take_line(&line, &changed);
	if (line.wrong != NULL) {
		wrong(rule->file, number, line.wrong, named);
	} else if (named) {
		*rule = changed;
		rule->line = number;
	}
}

void weft__rules_scan(const char *text, size_t bytes, const char *program, struct weft__rule *rule,
		      weft__rules_wrong *wrong)
{
	const char *end = text + bytes;

	for (unsigned int number = 1; text < end; number++) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *stop = newline == NULL ? end : newline;

		scan_line(text, (size_t)(stop - text), number, program, rule, wrong);
		text = stop + 1;
	}
}

/* Look for a program in rule->file: 0, or why it cannot be read. */
static int scan_file(const char *program, struct weft__rule *rule, weft__rules_wrong *wrong)
{
	static char text[FILE_BYTES];
	int fd = open(rule->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t bytes = 0;
	ssize_t n = 0;
	int err = 0;

	if (fd < 0)
		return errno;
	while (bytes < sizeof(text) && (n = read(fd, text + bytes, sizeof(text) - bytes)) > 0)
		bytes += (size_t)n;
	if (n < 0)
		err = errno;
	close(fd);
	if (err != 0)
		return err;
	if (bytes == sizeof(text))
		wrong(rule->file, 0, "too long, what comes late in it is not read", true);
	weft__rules_scan(text, bytes, program, rule, wrong);
	return 0;
}

static void forget(struct weft__rule *rule)
{
	memset(rule->value, 0, sizeof(rule->value));
	rule->reason[0] = '\0';
	rule->line = 0;
}

/* Look in weft's own file: beside the library, in the build folder, or where it is installed. */
static void scan_own(const char *program, const char *library, struct weft__rule *rule,
		     weft__rules_wrong *wrong)
{
	static const char *const places[] = {"", "../share/weft/", "../../share/weft/"};
	int folder = (int)(weft__base_name(library) - library);

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		int length = snprintf(rule->file, sizeof(rule->file), "%.*s%sweft.rules", folder,
				      library, places[i]);

		if (length > 0 && (size_t)length < sizeof(rule->file) &&
		    scan_file(program, rule, wrong) == 0)
			return;
	}
}

void weft__rules_find(const char *program, const char *library, struct weft__rule *rule,
		      weft__rules_wrong *wrong)
{
	const char *own = getenv("WEFT_PROFILES");
	int err;

	forget(rule);
	if (own != NULL && strcmp(own, "0") == 0)
		return;
	if (own != NULL && own[0] != '\0') {
		snprintf(rule->file, sizeof(rule->file), "%s", own);
		err = scan_file(program, rule, wrong);
		if (err != 0)
			wrong(rule->file, 0, strerror(err), true);
	}
	if (rule->line == 0)
		scan_own(program, library, rule, wrong);
}
