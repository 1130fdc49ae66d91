/* As far as its symbols tell, a program with a sanitizer that looks for leaks; it has one thread more. */
#include "guest.h"

void __lsan_init(void);

void __lsan_init(void)
{
}

int main(void)
{
	become_threaded();
	say("no leaks");
	return 23;
}
