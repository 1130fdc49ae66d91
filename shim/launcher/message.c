#include "message.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Two paths and some words; what is longer is cut. */
#define LINE_BYTES (2 * PATH_MAX + 512)

__attribute__((format(printf, 2, 0))) static size_t format_line(char *line, const char *format,
								va_list arguments)
{
	int wanted = vsnprintf(line, LINE_BYTES - 1, format, arguments);
	size_t length;

	if (wanted < 0)
		wanted = 0;
	length = strnlen(line, wanted);
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	line[length++] = '\n';
	return length;
}

void weft__complain(const char *format, ...)
{
	char line[LINE_BYTES] = "weft: ";
	size_t prefix = strlen(line);
	char text[LINE_BYTES];
	va_list arguments;
	size_t length;

	va_start(arguments, format);
	length = format_line(text, format, arguments);
	va_end(arguments);

	if (length > sizeof(line) - prefix)
		length = sizeof(line) - prefix;
	memcpy(line + prefix, text, length);
	/* Nobody is left to be told that stderr does not take the message. */
	if (write(STDERR_FILENO, line, prefix + length) < 0)
		return;
}

void weft__tell(const char *format, ...)
{
	char line[LINE_BYTES];
	va_list arguments;
	size_t length;

	va_start(arguments, format);
	length = format_line(line, format, arguments);
	va_end(arguments);

	/* A write error is seen once, when stdout is closed. */
	fwrite(line, 1, length, stdout);
}
