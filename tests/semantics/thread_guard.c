/* Running off the end of a thread's stack hits the guard and kills the program by SIGSEGV. */
#include "guest.h"

static __attribute__((noinline)) int dig(int depth)
{
	volatile char frame[1024];

	frame[0] = (char)depth;
	return depth == 0 ? 0 : dig(depth - 1) + frame[0];
}

static void *fall_off(void *arg)
{
	say("falling");
	return (char *)arg + dig(1000);
}

int main(void)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	check(pthread_create(&thread, &attr, fall_off, NULL) == 0);
	finish(thread);
	say("not reached");
	return 0;
}
