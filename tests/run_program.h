/* Start a program, wait for its end within a limit, and keep what it said. */
#ifndef RUN_PROGRAM_H
#define RUN_PROGRAM_H

#include <stdbool.h>

struct outcome {
	int status;      /* as waitpid(2) gives it */
	bool is_hung;    /* it was killed because the limit was over */
	int limit_ms;    /* that limit */
	char *out, *err; /* all it wrote, text ended by '\0' */
	long out_bytes, err_bytes;
};

/* After which a program is taken for hung: on a machine with a tenth of the processor none is. */
#define HANG_MS 240000

/* How a program is started; the test process itself is never preloaded. */
enum way { PLAIN, UNDER_WEFT };

/**
 * Run argv[0] to its end, in a session of its own, with no WEFT_* or LD_PRELOAD in its environment
 * but what settings ("NAME=value", ended by NULL, or NULL) says. UNDER_WEFT goes by the launcher.
 * The library that GUEST_PRELOAD names, if any, is preloaded both ways; GUEST_CATCH and
 * GUEST_CARRIERS are what WEFT_CATCH and WEFT_CARRIERS are to be.
 *
 * Ownership  the outcome is given back by forget_outcome()
 */
struct outcome run_program(enum way way, char *const argv[], char *const settings[]);

/** The same, with another limit than HANG_MS. */
struct outcome run_program_within(int limit_ms, enum way way, char *const argv[],
				  char *const settings[]);

void forget_outcome(struct outcome *outcome);

/** Say in words how a program ended; the text is valid until the next call. */
const char *ending(const struct outcome *outcome);

/** Fail the test if the program did not exit with this status. */
void expect_exit(const struct outcome *outcome, int status);

/** Count the lines of a text. */
int count_lines(const char *text);

#endif
