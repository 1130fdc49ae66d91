/* epoll: level, edge, one-shot, exclusive and nested sets; waiters in threads; timeouts; errors. */
#include "guest.h"

#include <sys/epoll.h>

static int pair[2];

static int make_set(int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.u64 = 77};
	int set = epoll_create1(EPOLL_CLOEXEC);

	check(set >= 0);
	check(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0);
	return set;
}

static void *wait_in_set(void *arg)
{
	struct epoll_event event = {0};
	int n = epoll_wait(*(int *)arg, &event, 1, 20000);

	return (void *)(intptr_t)(n == 1 && event.events == EPOLLIN && event.data.u64 == 77);
}

static void wait_parked(const char *what, int set)
{
	pthread_t waiter = start(wait_in_set, &set), writer = start(write_late, &pair[1]);
	struct epoll_event event;
	char byte;

	finish(writer);
	say("%s: parked waiter woken right: %ld", what, (long)finish(waiter));
	show(epoll_wait(set, &event, 1, 0));
	check(read(pair[0], &byte, 1) == 1);
	show(epoll_wait(set, &event, 1, 10));
}

static void rearm(int set)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = 77};

	write_all(pair[1], "x", 1);
	show(epoll_wait(set, &event, 1, 10));
	event = (struct epoll_event){.events = EPOLLIN | EPOLLONESHOT, .data.u64 = 77};
	show(epoll_ctl(set, EPOLL_CTL_MOD, pair[0], &event));
	show(epoll_wait(set, &event, 1, -1));
	check(read(pair[0], &(char){0}, 1) == 1);
}

/* A classic event loop in one thread that serves many clients in others. */
static void *run_client(void *arg)
{
	int fd = (int)(intptr_t)arg;
	unsigned char bytes[64], back[64];

	for (unsigned i = 0; i < 50; i++) {
		fill(bytes, sizeof(bytes), i);
		write_all(fd, bytes, sizeof(bytes));
		check(read_all(fd, back, sizeof(back)) == sizeof(back));
		check(memcmp(bytes, back, sizeof(back)) == 0);
	}
	close(fd);
	return NULL;
}

static void serve_clients(int how_many)
{
	struct epoll_event events[16];
	int set = epoll_create1(0), open_clients = how_many;
	pthread_t clients[100];
	char bytes[64];

	for (int i = 0; i < how_many; i++) {
		int ends[2];
		struct epoll_event event = {.events = EPOLLIN};

		unix_pair(SOCK_STREAM, ends);
		event.data.fd = ends[0];
		check(epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event) == 0);
		clients[i] = start(run_client, (void *)(intptr_t)ends[1]);
	}
	while (open_clients > 0) {
		int n = epoll_wait(set, events, 16, -1);

		check(n > 0);
		for (int i = 0; i < n; i++) {
			ssize_t got = read(events[i].data.fd, bytes, sizeof(bytes));

			check(got >= 0);
			if (got == 0) {
				close(events[i].data.fd);
				open_clients--;
			} else {
				write_all(events[i].data.fd, bytes, (size_t)got);
			}
		}
	}
	for (int i = 0; i < how_many; i++)
		finish(clients[i]);
	say("%d clients served by an event loop", how_many);
	close(set);
}

int main(void)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct timespec few_ms = {0, 5000000};
	int level, edge, once, outer;
	int64_t begun;

	unix_pair(SOCK_STREAM, pair);
	level = make_set(pair[0], EPOLLIN);
	wait_parked("level", level);
	outer = make_set(level, EPOLLIN);
	wait_parked("nested", outer);
	close(outer);
	close(level);
	edge = make_set(pair[0], EPOLLIN | EPOLLET);
	wait_parked("edge", edge);
	close(edge);
	once = make_set(pair[0], EPOLLIN | EPOLLONESHOT);
	wait_parked("one-shot", once);
	rearm(once);

	begun = now_ns(CLOCK_MONOTONIC);
	show(epoll_pwait(once, &event, 1, 5, NULL));
	show(epoll_pwait2(once, &event, 1, &few_ms, NULL));
	say("not early: %d", now_ns(CLOCK_MONOTONIC) - begun >= 10000000);
	show(epoll_wait(once, &event, 0, 0));
	show(epoll_wait(-1, &event, 1, 0));
	show(epoll_ctl(once, EPOLL_CTL_ADD, pair[0], &event));
	show(epoll_ctl(once, EPOLL_CTL_DEL, pair[1], &event));
	show(epoll_ctl(once, EPOLL_CTL_ADD, once, &event));
	show(epoll_ctl(once, EPOLL_CTL_DEL, pair[0], NULL));
	serve_clients(100);
	return 0;
}
