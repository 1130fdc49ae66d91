/* select and pselect: all three sets, timeouts, errors, and the time left that Linux reports. */
#include "guest.h"

#include <sys/select.h>

static void *use_select(void *arg)
{
	struct timeval none = {0, 0}, short_time = {0, 10000}, long_time = {20, 0};
	struct timeval negative = {-1, 0};
	struct timespec short_ns = {0, 10000000};
	fd_set in, out, except;
	pthread_t writer;
	int pair[2];
	char byte;

	unix_pair(SOCK_STREAM, pair);
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_ZERO(&except);
	FD_SET(pair[0], &in);
	FD_SET(pair[1], &in);
	show(select(pair[1] + 1, &in, NULL, NULL, &none));
	say("in: %d %d", FD_ISSET(pair[0], &in) != 0, FD_ISSET(pair[1], &in) != 0);

	FD_SET(pair[0], &in);
	FD_SET(pair[1], &in);
	writer = start(write_late, &pair[1]);
	show(select(pair[1] + 1, &in, NULL, NULL, NULL));
	say("in: %d %d", FD_ISSET(pair[0], &in) != 0, FD_ISSET(pair[1], &in) != 0);
	finish(writer);

	FD_SET(pair[0], &in);
	FD_SET(pair[0], &out);
	FD_SET(pair[1], &out);
	FD_SET(pair[0], &except);
	show(select(pair[1] + 1, &in, &out, &except, &long_time));
	say("out: %d %d, except %d, time left: %d", FD_ISSET(pair[0], &out) != 0,
	    FD_ISSET(pair[1], &out) != 0, FD_ISSET(pair[0], &except) != 0,
	    long_time.tv_sec >= 15 && long_time.tv_sec < 20);
	check(read(pair[0], &byte, 1) == 1);

	FD_ZERO(&in);
	FD_SET(pair[0], &in);
	show(select(pair[1] + 1, &in, NULL, NULL, &short_time));
	say("in: %d, time left: %ld", FD_ISSET(pair[0], &in) != 0,
	    (long)(short_time.tv_sec * 1000000 + short_time.tv_usec));
	FD_SET(pair[0], &in);
	show(pselect(pair[1] + 1, &in, NULL, NULL, &short_ns, NULL));
	say("pselect leaves its time alone: %ld", short_ns.tv_nsec);
	show(select(pair[1] + 1, NULL, NULL, NULL, &negative));
	show(select(-1, NULL, NULL, NULL, &none));
	close(pair[1]);
	FD_SET(pair[0], &in);
	show(select(pair[0] + 1, &in, NULL, NULL, NULL));
	close(pair[0]);
	show(select(pair[0] + 1, &in, NULL, NULL, &none));
	return arg;
}

int main(void)
{
	finish(start(use_select, NULL));
	say("in the first thread");
	use_select(NULL);
	return 0;
}
