/* Where a thread's id is cleared when it ends, is a thread's own (prctl(2), set_tid_address(2)). */
#include "guest.h"

#include <sys/prctl.h>

static void *set_it_back(void *arg)
{
	void *address = NULL;

	say("PR_GET_TID_ADDRESS: %d", prctl(PR_GET_TID_ADDRESS, &address));
	check(address > (void *)pthread_self() && (char *)address < (char *)pthread_self() + 4096);
	check(syscall(SYS_set_tid_address, address) == gettid());
	return arg;
}

int main(void)
{
	finish(start(set_it_back, NULL));
	say("joined");
	set_it_back(NULL);
	return 0;
}
