/* Every guest program runs twice, plain and under weft: same transcript, same end.
 *
 * The list of guests is semantics/table.def; each becomes a test of its own, named by its sentence.
 */
#include "run_program.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/wait.h>

static void compare_runs(const char *program, char *setting)
{
	char *const argv[] = {(char *)program, NULL}, *const settings[] = {setting, NULL};
	struct outcome plain = run_program(PLAIN, argv, NULL);
	struct outcome woven = run_program(UNDER_WEFT, argv, settings);
	char plain_end[64];

	strcpy(plain_end, ending(&plain));
	/* 1 is what a guest's own checks end with, 126 and 127 that it did not start; none means it */
	cr_assert(strcmp(plain_end, "exit 1") != 0 && strcmp(plain_end, "exit 126") != 0 &&
			  strcmp(plain_end, "exit 127") != 0 && !plain.is_hung,
		  "the guest fails by itself: %s\n--- stderr\n%.4000s", plain_end, plain.err);
	cr_assert(strcmp(plain_end, ending(&woven)) == 0 && plain.out_bytes == woven.out_bytes &&
			  memcmp(plain.out, woven.out, (size_t)plain.out_bytes) == 0,
		  "plain: %s, under weft: %s\n--- plain stdout\n%.8000s\n--- weft stdout\n%.8000s\n"
		  "--- plain stderr\n%.2000s\n--- weft stderr\n%.4000s",
		  plain_end, ending(&woven), plain.out, woven.out, plain.err, woven.err);
	forget_outcome(&plain);
	forget_outcome(&woven);
}

#define GUEST(program, sentence) \
	Test(guests, sentence) \
	{ \
		compare_runs(GUEST_DIR "/" #program, NULL); \
	}
#define GUEST_CAUGHT(program, sentence) \
	Test(caught, sentence) \
	{ \
		compare_runs(GUEST_DIR "/" #program, "WEFT_CATCH=all"); \
		compare_runs(GUEST_DIR "/" #program, "WEFT_CATCH=only"); \
	}
#define GUEST_LATER(program, sentence, reason) \
	Test(guests, sentence) \
	{ \
		cr_skip_test(#program ": " reason); \
	}
#include "semantics/table.def"
