/* A descriptor is closed, replaced or shut down under a thread that waits in a call on it.
 *
 * The wait is on the open file, not on the number: it goes on, and gets what comes for that file.
 * What has the number next is not touched by it, and does not wake it. A shutdown wakes it.
 */
#include "waits.h"

static const struct wait *wait_now;
static volatile int begun, is_done;
static long result;
static int error;

/* The waits and where their descriptor stands. Not poll and select: see BUGS in select(2). */
static const struct place {
	const char *name;
	int *fd;
	bool is_socket;
} places[] = {{"read pipe", &fds[0], false},
	      {"readv pipe", &fds[0], false},
	      {"write pipe", &fds[1], false},
	      {"writev pipe", &fds[1], false},
	      {"read socket", &fds[0], true},
	      {"readv socket", &fds[0], true},
	      {"recv", &fds[0], true},
	      {"recvfrom", &fds[0], true},
	      {"recvmsg", &fds[0], true},
	      {"recvmmsg", &fds[0], true},
	      {"write socket", &fds[1], true},
	      {"send", &fds[1], true},
	      {"sendmsg", &fds[1], true},
	      {"accept", &fds[0], true},
	      {"accept4", &fds[0], true},
	      {"connect", &third, false},
	      {"read with SO_RCVTIMEO", &fds[0], true},
	      {"epoll_wait", &third, false},
	      {"epoll_pwait2", &third, false},
	      {"read inotify", &fds[0], false},
	      {"read eventfd", &fds[0], false}};

static void *wait_once(void *arg)
{
	begun = gettid();
	result = wait_now->call();
	error = errno;
	is_done = 1;
	return arg;
}

static const struct wait *find(const char *name_of_wait)
{
	for (int i = 0; i < WAITS; i++)
		if (strcmp(waits[i].name, name_of_wait) == 0)
			return &waits[i];
	check(!"no such wait");
	return NULL;
}

/* Start the wait and give it time to begin. */
static pthread_t begin(const struct place *place)
{
	pthread_t thread;

	wait_now = find(place->name);
	begun = is_done = 0;
	wait_now->set_up();
	thread = start(wait_once, NULL);
	while (!begun)
		usleep(1000);
	settle_asleep(begun);
	return thread;
}

static void say_result(const struct place *place, const char *what, bool went_on)
{
	say("%s, %s: %s, %ld %s", place->name, what, went_on ? "goes on" : "ends", result,
	    result == -1 ? strerrorname_np(error) : "");
}

enum way { CLOSE, CLOSE_RANGE, DUP2, DUP3, WAYS };
static const char *const way_names[WAYS] = {"close", "close_range", "dup2", "dup3"};

/* Give number, in one of the ways, to a new pipe that has one byte to read; its other end. */
static int give_away(int number, enum way way)
{
	int fresh[2];

	check(pipe(fresh) == 0);
	if (way == CLOSE)
		check(close(number) == 0);
	else if (way == CLOSE_RANGE)
		check(close_range((unsigned)number, (unsigned)number, 0) == 0);
	if (way == DUP3)
		check(dup3(fresh[0], number, O_CLOEXEC) == number);
	else
		check(dup2(fresh[0], number) == number);
	close(fresh[0]);
	write_all(fresh[1], "n", 1);
	return fresh[1];
}

static void replace(const struct place *place, enum way way)
{
	pthread_t thread = begin(place);
	int number = *place->fd, other_end;
	bool went_on;
	char news;

	*place->fd = -1;
	other_end = give_away(number, way);
	settle();
	went_on = !is_done;
	wait_now->complete();
	finish(thread);
	say_result(place, way_names[way], went_on);
	check(fcntl(number, F_SETFL, O_NONBLOCK) == 0);
	check(read(number, &news, 1) == 1 && news == 'n');
	close(number);
	close(other_end);
	wait_now->tidy();
}

static void shut(const struct place *place)
{
	pthread_t thread = begin(place);

	check(shutdown(*place->fd, SHUT_RDWR) == 0);
	finish(thread);
	say_result(place, "shutdown", false);
	wait_now->tidy();
}

int main(int argc, char *argv[])
{
	int count = (int)(sizeof(places) / sizeof(*places));

	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < count; i++) {
		if (argc > 1 && strcmp(argv[1], places[i].name) != 0)
			continue;
		for (enum way way = 0; way < WAYS; way++)
			replace(&places[i], way);
		if (places[i].is_socket)
			shut(&places[i]);
	}
	return 0;
}
