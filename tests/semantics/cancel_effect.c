/* A cancelled thread has not taken what it waited for, or it has and returns with it. */
#include "guest.h"

#include <gnu/libc-version.h>
#include <sys/un.h>

#define ROUNDS 400

static int ends[2], pair[2], listener;
static struct sockaddr_un name;
static volatile int took;

/* Behind the call nothing more is cancelled. */
static void hold(void)
{
	int old;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
}

static int use_read(void)
{
	char byte;
	ssize_t n = read(ends[0], &byte, 1);

	hold();
	return n == 1;
}

static int use_recv(void)
{
	char byte;
	ssize_t n = recv(pair[0], &byte, 1, 0);

	hold();
	return n == 1;
}

static int use_accept(void)
{
	int fd = accept(listener, NULL, NULL);

	hold();
	return fd >= 0 && close(fd) == 0;
}

static void give_to_pipe(void)
{
	write_all(ends[1], "x", 1);
}

static void give_to_pair(void)
{
	write_all(pair[1], "x", 1);
}

static void give_to_listener(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	check(connect(fd, (struct sockaddr *)&name, sizeof(name)) == 0);
	close(fd);
}

static const struct way {
	const char *name;
	int (*take)(void);
	void (*give)(void);
	int *from;
} ways[] = {
	{"read", use_read, give_to_pipe, &ends[0]},
	{"recv", use_recv, give_to_pair, &pair[0]},
	{"accept", use_accept, give_to_listener, &listener},
};

static void *take_one(void *way)
{
	took = ((const struct way *)way)->take();
	return NULL;
}

/* Whether what was given is there still; takes it. */
static int is_left(const struct way *way)
{
	int flags = fcntl(*way->from, F_GETFL), left;

	check(fcntl(*way->from, F_SETFL, flags | O_NONBLOCK) == 0);
	left = way->take();
	check(fcntl(*way->from, F_SETFL, flags) == 0);
	return left;
}

static void run(const struct way *way)
{
	int lost = 0, twice = 0, late = 0;

	for (int i = 0; i < ROUNDS; i++) {
		pthread_t thread = start(take_one, (void *)way);
		void *result;

		took = 0;
		for (int turns = i % 5; turns > 0; turns--)
			sched_yield();
		if (i % 7 == 0)
			usleep(100);
		if (i % 2 == 0)
			way->give();
		for (int turns = i / 2 % 4; turns > 0; turns--)
			sched_yield();
		check(pthread_cancel(thread) == 0);
		result = finish(thread);
		if (i % 2 != 0) {
			late += result != PTHREAD_CANCELED;
			continue;
		}
		twice += took && is_left(way);
		lost += !took && !is_left(way);
	}
	/* Before 2.41 glibc itself loses some. */
	if (strverscmp(gnu_get_libc_version(), "2.41") < 0)
		lost = 0;
	say("%s: lost %d, twice %d, not cancelled though nothing came %d", way->name, lost, twice,
	    late);
}

int main(void)
{
	check(pipe(ends) == 0);
	unix_pair(SOCK_STREAM, pair);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	name.sun_family = AF_UNIX;
	snprintf(&name.sun_path[1], sizeof(name.sun_path) - 1, "cancel_effect %d", getpid());
	check(bind(listener, (struct sockaddr *)&name, sizeof(name)) == 0 &&
	      listen(listener, 16) == 0);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		run(&ways[i]);
	return 0;
}
