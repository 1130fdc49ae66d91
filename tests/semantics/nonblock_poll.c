/* A non-blocking TCP socket that poll says is readable can be read, whatever was read before. */
#include "guest.h"

int main(void)
{
	struct pollfd ready = {.events = POLLIN};
	char buf[64];
	int pair[2];

	become_threaded();
	tcp_pair(pair);
	ready.fd = pair[0];
	write_all(pair[1], "hello", 5);
	check(poll(&ready, 1, -1) == 1);
	show(read(pair[0], buf, sizeof(buf)));
	settle();
	check(fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0);
	show(read(pair[0], buf, sizeof(buf)));
	for (int i = 0; i < 100; i++) {
		write_all(pair[1], "again!", 6);
		check(poll(&ready, 1, -1) == 1);
		check(read(pair[0], buf, sizeof(buf)) == 6);
	}
	say("read all that poll had seen");
	return 0;
}
