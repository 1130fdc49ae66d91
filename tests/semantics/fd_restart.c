/* A call waits, its descriptor's number becomes that of another file, and then a handler runs.
 *
 * The wait is on the open file, as fd_life shows, but what SA_RESTART begins anew is the call, and
 * that asks for the number again (signal(7)): it waits for the new file, or finds none.
 */
#include "waits.h"

#define PATIENCE 10000 /* ms, for a call that will not come back */

static const struct wait *wait_now;
static volatile int begun, caught, is_done;
static long result;
static int error;

/* The waits and where their descriptor stands. */
static const struct place {
	const char *name;
	int *fd;
} places[] = {{"read pipe", &fds[0]},    {"readv pipe", &fds[0]},   {"write pipe", &fds[1]},
	      {"writev pipe", &fds[1]},  {"read socket", &fds[0]},  {"readv socket", &fds[0]},
	      {"recv", &fds[0]},         {"recvfrom", &fds[0]},     {"recvmsg", &fds[0]},
	      {"recvmmsg", &fds[0]},     {"write socket", &fds[1]}, {"send", &fds[1]},
	      {"sendmsg", &fds[1]},      {"accept", &fds[0]},       {"accept4", &fds[0]},
	      {"read inotify", &fds[0]}, {"read eventfd", &fds[0]}, {"read terminal", &fds[0]},
	      {"flock", &fds[0]},        {"F_SETLKW", &fds[0]},     {"F_OFD_SETLKW", &fds[0]},
	      {"connect", &third},       {"mq_receive", &mq},       {"mq_send", &mq}};

/* What set_up makes, put away while it makes another. */
struct made {
	int fds[2], third, mq;
};

static struct made put_away(void)
{
	struct made made = {{fds[0], fds[1]}, third, mq};

	third = -1;
	return made;
}

static void take_out(const struct made *made)
{
	memcpy(fds, made->fds, sizeof(fds));
	third = made->third;
	mq = made->mq;
}

static void count(int signal)
{
	(void)signal;
	caught++;
}

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

static pthread_t begin(const struct place *place, int flags)
{
	struct sigaction action = {.sa_handler = count, .sa_flags = flags};
	pthread_t thread;

	check(sigaction(SIGUSR1, &action, NULL) == 0);
	wait_now = find(place->name);
	begun = caught = is_done = 0;
	wait_now->set_up();
	thread = start(wait_once, NULL);
	while (!begun)
		usleep(1000);
	settle_asleep(begun);
	return thread;
}

static void interrupt(pthread_t thread)
{
	check(pthread_kill(thread, SIGUSR1) == 0);
	while (!caught && !is_done)
		usleep(1000);
	settle();
}

/* The call has to end now; one that does not is waiting for the old file, which is completed. */
static void end(const struct place *place, const char *what, pthread_t thread,
		const struct made *old)
{
	bool is_lost;

	for (int i = 0; i < PATIENCE && !is_done; i++)
		usleep(1000);
	is_lost = !is_done;
	if (is_lost) {
		take_out(old);
		wait_now->complete();
	}
	finish(thread);
	say("%s, %s: %s%ld %s", place->name, what, is_lost ? "still with the old file, " : "",
	    result, result == -1 ? strerrorname_np(error) : "");
}

/* Another of the kind gets the number: it has what is waited for, or only after the handler. */
static void replace(const struct place *place, bool is_ready)
{
	pthread_t thread = begin(place, SA_RESTART);
	int number = *place->fd, made_as;
	struct made old = put_away(), new;

	wait_now->set_up();
	if (is_ready)
		wait_now->complete();
	made_as = *place->fd;
	check(dup2(made_as, number) == number);
	close(made_as);
	*place->fd = number;
	interrupt(thread);
	if (!is_ready) {
		if (is_done)
			say("%s: did not wait", place->name);
		wait_now->complete();
	}
	new = put_away();
	end(place, is_ready ? "replaced by what is ready" : "replaced", thread, &old);
	take_out(&new);
	wait_now->tidy();
	take_out(&old);
	wait_now->tidy();
}

static void take_away(const struct place *place)
{
	pthread_t thread = begin(place, SA_RESTART);
	struct made old = put_away();

	take_out(&old);
	check(close(*place->fd) == 0);
	interrupt(thread);
	end(place, "closed", thread, &old);
	take_out(&old);
	wait_now->tidy();
}

int main(int argc, char *argv[])
{
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		if (argc > 1 && strcmp(argv[1], places[i].name) != 0)
			continue;
		replace(&places[i], true);
		replace(&places[i], false);
		take_away(&places[i]);
	}
	return 0;
}
