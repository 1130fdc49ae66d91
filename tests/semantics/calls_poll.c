/* Calls that wait for descriptors to become ready. */
#include "ticks.h"
#include "waits.h"

static struct pollfd polled;
static struct epoll_event event;
static fd_set set;

static void make_polled(void)
{
	make_pipe();
	polled = (struct pollfd){fds[0], POLLIN, 0};
	FD_ZERO(&set);
	FD_SET(fds[0], &set);
}

/* A set in a set in a set; all kept, for one that is closed leaves those that it is in. */
static int inner = -1, middle = -1;

static void make_deep(void)
{
	make_pipe();
	inner = epoll_create1(0);
	middle = epoll_create1(0);
	third = epoll_create1(0);
	event.events = EPOLLIN;
	check(epoll_ctl(inner, EPOLL_CTL_ADD, fds[0], &event) == 0);
	check(epoll_ctl(middle, EPOLL_CTL_ADD, inner, &event) == 0);
	check(epoll_ctl(third, EPOLL_CTL_ADD, middle, &event) == 0);
}

static void close_deep(void)
{
	close_fds();
	close(inner);
	close(middle);
}

static const struct fixture readable = {make_polled, put_byte, close_fds},
			    in_set = {make_epoll, put_byte, close_fds},
			    in_nest = {make_deep, put_byte, close_deep};

#define NO_MASK NULL, 8

TICKS_ONCE(poll, readable, &polled, 1, -1)
TICKS_ONCE(ppoll, readable, &polled, 1, &(struct timespec){50, 0}, NO_MASK)
TICKS_ONCE(select, readable, fds[0] + 1, &set, NULL, NULL, &(struct timeval){50, 0})
TICKS_ONCE(pselect6, readable, fds[0] + 1, &set, NULL, NULL, &(struct timespec){50, 0}, NULL)
TICKS_ONCE(epoll_wait, in_set, third, &event, 1, -1)
TICKS_ONCE(epoll_wait, in_nest, third, &event, 1, -1)
TICKS_ONCE(epoll_pwait, in_set, third, &event, 1, 50000, NO_MASK)
TICKS_ONCE(epoll_pwait2, in_set, third, &event, 1, &(struct timespec){50, 0}, NO_MASK)

ANSWERS(poll, nothing_at_once, ask(NULL, 0, 0))
ANSWERS(poll, too_many, ask(&polled, -1, 0))
ANSWERS(ppoll, wrong_time, ask(NULL, 0, &(struct timespec){0, -1}, NO_MASK))
ANSWERS(ppoll, wrong_mask_size, ask(NULL, 0, &(struct timespec){0, 0}, &word, 3))
ANSWERS(select, nothing_at_once, ask(0, NULL, NULL, NULL, &(struct timeval){0, 0}))
ANSWERS(select, negative_count, ask(-1, NULL, NULL, NULL, &(struct timeval){0, 0}))
ANSWERS(select, wrong_time, ask(0, NULL, NULL, NULL, &(struct timeval){-1, 0}))
ANSWERS(pselect6, wrong_time, ask(0, NULL, NULL, NULL, &(struct timespec){0, -1}, NULL))
ANSWERS(epoll_wait, no_descriptor, ask(-1, &event, 1, 0))
ANSWERS(epoll_wait, no_set, ask(0, &event, 1, 0))
ANSWERS(epoll_wait, no_room, ask(0, &event, 0, 0))
ANSWERS(epoll_pwait, no_set, ask(0, &event, 1, 0, NO_MASK))
ANSWERS(epoll_pwait2, no_set, ask(0, &event, 1, NULL, NO_MASK))
ANSWERS(epoll_pwait2, wrong_time, ask(0, &event, 1, &(struct timespec){0, -1}, NO_MASK))
ANSWERS(epoll_create1, new, as_fd(ask(0)))
ANSWERS(epoll_create1, bad_flags, ask(-1))
ANSWERS(eventfd2, new, as_fd(ask(0, 0)))
ANSWERS(eventfd2, bad_flags, ask(0, -1))

int main(int argc, char *argv[])
{
	(void)argc;
	return run_trials(argv);
}
