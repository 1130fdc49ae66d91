/* setuid and friends change all threads alike, also when several are parked. */
#include "guest.h"

static int never[2];

static void *tell_ids(void *arg)
{
	char byte;

	check(read(never[0], &byte, 1) == 1);
	return (void *)(intptr_t)(geteuid() == *(uid_t *)arg);
}

int main(void)
{
	uid_t wanted = geteuid() == 0 ? 65534 : geteuid();
	pthread_t threads[10];
	long right = 0;

	check(pipe(never) == 0);
	for (int i = 0; i < 10; i++)
		threads[i] = start(tell_ids, &wanted);
	settle();
	show(setegid(getegid()));
	show(seteuid(wanted));
	write_all(never[1], "0123456789", 10);
	for (int i = 0; i < 10; i++)
		right += (long)finish(threads[i]);
	say("threads that run as the new user: %ld", right);
	return 0;
}
