#ifndef WEFT_LAUNCHER_MESSAGE_H
#define WEFT_LAUNCHER_MESSAGE_H

/* How `weft` itself ends; a program it starts ends as it likes. */
enum weft__exit {
	WEFT__EXIT_OK = 0,
	WEFT__EXIT_USAGE = 2,
	WEFT__EXIT_CANNOT = 126,
	WEFT__EXIT_NOT_FOUND = 127,
};

/**
 * Print "weft: " and the message to stderr, in one line and one write.
 *
 * Control characters, which a hostile file name may hold, become '?'.
 */
__attribute__((format(printf, 1, 2))) void weft__complain(const char *format, ...);

/** Print the message to stdout as one line, with '?' for control characters. */
__attribute__((format(printf, 1, 2))) void weft__tell(const char *format, ...);

#endif
