/* Every guest program runs twice, plain and under weft: same transcript, same end.
 *
 * The list of guests is semantics/table.def; each becomes a test of its own, named by its sentence.
 * Those that run with settings are compared with one plain run.
 */
#include "run_program.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/wait.h>

static void compare_runs(const char *program, const struct outcome *plain, char *setting)
{
	char way[64] = "GUEST_WAY="; /* what a guest may know of it */
	char *const argv[] = {(char *)program, NULL};
	char *const settings[] = {setting == NULL ? way : setting, way, NULL};
	struct outcome woven;
	char plain_end[64];

	if (setting != NULL)
		strncat(way, setting, sizeof(way) - strlen(way) - 1);
	woven = run_program(UNDER_WEFT, argv, settings);
	strcpy(plain_end, ending(plain));
	cr_assert(strcmp(plain_end, ending(&woven)) == 0 && plain->out_bytes == woven.out_bytes &&
			  memcmp(plain->out, woven.out, (size_t)plain->out_bytes) == 0,
		  "plain: %s, under weft: %s %s\n--- plain stdout\n%.8000s\n--- weft "
		  "stdout\n%.8000s\n"
		  "--- plain stderr\n%.2000s\n--- weft stderr\n%.4000s",
		  plain_end, ending(&woven), setting == NULL ? "" : setting, plain->out, woven.out,
		  plain->err, woven.err);
	forget_outcome(&woven);
}

/* One that crashes does so under weft as well, and what comes after it shows nothing. */
static bool crashes(const char *program, const char *end)
{
	return strcmp(end, "killed by SIGSEGV") == 0 &&
	       strcmp(program, GUEST_DIR "/thread_guard") != 0; /* which means it */
}

/* Plain, and under weft with each of the settings, of which NULL is the last. */
static void compare(const char *program, char *const settings[])
{
	char *const argv[] = {(char *)program, NULL};
	struct outcome plain = run_program(PLAIN, argv, NULL);
	const char *plain_end = ending(&plain);

	/* 1 is what a guest's own checks end with, 126 and 127 that it did not start; none means it */
	cr_assert(strcmp(plain_end, "exit 1") != 0 && strcmp(plain_end, "exit 126") != 0 &&
			  strcmp(plain_end, "exit 127") != 0 && !crashes(program, plain_end) &&
			  !plain.is_hung,
		  "the guest fails by itself: %s\n--- stderr\n%.4000s", plain_end, plain.err);
	do
		compare_runs(program, &plain, *settings);
	while (*settings != NULL && *++settings != NULL);
	forget_outcome(&plain);
}

static char *const no_settings[] = {NULL};

#define WAY(way, ...) static char *const with_##way[] = {__VA_ARGS__, NULL};
#define GUEST(program, sentence) \
	Test(guests, sentence) \
	{ \
		compare(GUEST_DIR "/" #program, no_settings); \
	}
#define GUEST_WITH(program, way, sentence) \
	Test(way, sentence) \
	{ \
		compare(GUEST_DIR "/" #program, with_##way); \
	}
#define GUEST_LATER(program, sentence, reason) \
	Test(guests, sentence) \
	{ \
		cr_skip_test(#program ": " reason); \
	}
#include "semantics/table.def"
