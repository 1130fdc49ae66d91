/* Returning from main ends the program with that status, however many threads are parked. */
#include "guest.h"

static void *sleep_forever(void *arg)
{
	pause();
	return arg;
}

int main(void)
{
	for (int i = 0; i < 100; i++)
		start(sleep_forever, NULL);
	settle();
	say("main returns 5");
	return 5;
}
