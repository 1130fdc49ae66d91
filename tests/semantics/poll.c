/* poll and ppoll: events, hang-ups, bad descriptors, timeouts, several waiters on one. */
#include "guest.h"

#define WAITERS 20

static int pair[2];

static void *close_late(void *arg)
{
	settle();
	close(*(int *)arg);
	return NULL;
}

static void *wait_for_input(void *arg)
{
	struct pollfd set = {.fd = pair[0], .events = POLLIN};

	check(poll(&set, 1, -1) == 1);
	return (void *)(intptr_t)(set.revents == POLLIN && arg == NULL);
}

static const char *events_name(int events)
{
	static char name[64];

	snprintf(name, sizeof(name), "%s%s%s%s%s%s", events & POLLIN ? "in " : "",
		 events & POLLOUT ? "out " : "", events & POLLHUP ? "hup " : "",
		 events & POLLRDHUP ? "rdhup " : "", events & POLLERR ? "err " : "",
		 events & POLLNVAL ? "nval " : "");
	return name;
}

static void show_set(struct pollfd *set, int count)
{
	for (int i = 0; i < count; i++)
		say("  %d: %s", i, events_name(set[i].revents));
}

static void show_streams(void)
{
	struct pollfd set[3];
	pthread_t other;
	int pipe_fds[2];
	char byte;

	check(pipe(pipe_fds) == 0);
	set[0] = (struct pollfd){.fd = pair[0], .events = POLLIN};
	set[1] = (struct pollfd){.fd = -5, .events = POLLIN};
	set[2] = (struct pollfd){.fd = pipe_fds[0], .events = POLLIN};
	show(poll(set, 3, 0));
	other = start(write_late, &pair[1]);
	show(poll(set, 3, 20000));
	show_set(set, 3);
	finish(other);
	show(poll(set, 3, 0));
	check(read(pair[0], &byte, 1) == 1);
	show(poll(set, 3, 10));

	other = start(close_late, &pipe_fds[1]);
	show(poll(set, 3, 20000));
	show_set(set, 3);
	finish(other);
	set[0].events = POLLIN | POLLOUT;
	set[2].fd = 9999;
	show(poll(set, 3, -1));
	show_set(set, 3);

	set[0].events = POLLIN | POLLRDHUP;
	other = start(close_late, &pair[1]);
	show(poll(set, 1, 20000));
	show_set(set, 1);
	finish(other);
	close(pipe_fds[0]);
	close(pair[0]);
}

static void wait_together(void)
{
	pthread_t waiters[WAITERS];
	long woken = 0;

	unix_pair(SOCK_STREAM, pair);
	for (int i = 0; i < WAITERS; i++)
		waiters[i] = start(wait_for_input, NULL);
	settle();
	write_all(pair[1], "x", 1);
	for (int i = 0; i < WAITERS; i++)
		woken += (long)finish(waiters[i]);
	say("one byte wakes all that poll: %ld", woken);
}

int main(void)
{
	struct timespec few_ms = {0, 10000000}, bad = {0, 1000000000};
	struct pollfd file = {.fd = 0, .events = POLLIN | POLLOUT};
	int64_t begun;

	become_threaded();
	unix_pair(SOCK_STREAM, pair);
	show_streams();
	tcp_pair(pair);
	show_streams();
	wait_together();

	begun = now_ns(CLOCK_MONOTONIC);
	show(poll(NULL, 0, 10));
	show(ppoll(NULL, 0, &few_ms, NULL));
	say("not early: %d", now_ns(CLOCK_MONOTONIC) - begun >= 20000000);
	show(ppoll(NULL, 0, &bad, NULL));
	file.fd = open("/dev/null", O_RDWR);
	show(poll(&file, 1, -1));
	show_set(&file, 1);
	return 0;
}
