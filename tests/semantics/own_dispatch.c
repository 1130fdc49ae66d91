/* A program that wants its own calls brought to it, or would, if any were to be. */
#include "guest.h"

#include <sys/prctl.h>

#define SET_DISPATCH 59 /* PR_SET_SYSCALL_USER_DISPATCH, on: 1 */

static char selector; /* 0: let all pass */

int main(void)
{
	become_threaded();
	show(prctl(SET_DISPATCH, 1, 0, 0, &selector));
	become_threaded();
	return 23;
}
