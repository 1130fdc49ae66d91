/* What each kernel thread has to do of itself is asked for as soon as there are some: in each of many children. */
#include "guest.h"

#include <sys/prctl.h>

#define CHILDREN 60

int main(void)
{
	int ended = 0, status;

	for (int i = 0; i < CHILDREN; i++) {
		pid_t child = fork();

		check(child >= 0);
		if (child == 0) {
			become_threaded();
			check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
			_exit(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
		}
		check(waitpid(child, &status, 0) == child);
		ended += WIFEXITED(status) && WEXITSTATUS(status) == 1;
	}
	say("children that gave up privileges: %d", ended);
	return 0;
}
