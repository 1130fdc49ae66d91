/* Waits on what another process has open too, whose flags and waiters are therefore not ours alone. */
#include "ticks.h"
#include "waits.h"

/* A child with all of it open, that does nothing. */
static void share(void)
{
	child = fork();
	if (child == 0)
		for (;;)
			pause();
	check(child > 0);
}

static void make_shared_pipe(void)
{
	make_pipe();
	share();
}

static void make_shared_full_pipe(void)
{
	make_full_pipe();
	share();
}

static void make_shared_pair(void)
{
	make_pair();
	share();
}

static void make_shared_full_pair(void)
{
	make_full_pair();
	share();
}

static void make_shared_listener(void)
{
	make_listener();
	share();
}

static void make_shared_busy_listener(void)
{
	make_busy_listener();
	share();
}

static void make_shared_eventfd(void)
{
	make_eventfd();
	share();
}

static void make_shared_terminal(void)
{
	make_terminal();
	share();
}

static void make_shared_epoll(void)
{
	make_epoll();
	share();
}

static void make_shared_lock(void)
{
	make_lock();
	share();
}

static void make_shared_mq(void)
{
	make_mq();
	share();
}

static void close_shared(void)
{
	bury_child();
	close_fds();
}

static void close_shared_mq(void)
{
	bury_child();
	close_mq();
}

static const struct fixture empty_pipe = {make_shared_pipe, put_byte, close_shared},
			    full_pipe = {make_shared_full_pipe, drain, close_shared},
			    empty_pair = {make_shared_pair, put_byte, close_shared},
			    full_pair = {make_shared_full_pair, drain, close_shared},
			    listener = {make_shared_listener, connect_first, close_shared},
			    busy = {make_shared_busy_listener, accept_first, close_shared},
			    event = {make_shared_eventfd, count_event, close_shared},
			    terminal = {make_shared_terminal, type_line, close_shared},
			    set = {make_shared_epoll, put_byte, close_shared},
			    lock = {make_shared_lock, give_lock, close_shared},
			    messages = {make_shared_mq, post_mq, close_shared_mq};

static char room[64];

TICKS(read, empty_pipe, fds[0], &byte, 1)
TICKS(readv, empty_pipe, fds[0], &one, 1)
TICKS(write, full_pipe, fds[1], "x", 1)
TICKS(read, empty_pair, fds[0], &byte, 1)
TICKS(write, full_pair, fds[1], "x", 1)
TICKS(recvfrom, empty_pair, fds[0], &byte, 1, 0, NULL, NULL)
TICKS(sendto, full_pair, fds[1], "x", 1, 0, NULL, 0)
WAITS_FOR(accept, listener, true, as_fd(ask(fds[0], NULL, NULL)))
WAITS_FOR(accept4, listener, true, as_fd(ask(fds[0], NULL, NULL, SOCK_NONBLOCK)))
TICKS(connect, busy, third, &name, sizeof(name))
TICKS(read, event, fds[0], room, 8)
TICKS(read, terminal, fds[0], room, sizeof(room))
TICKS_ONCE(poll, empty_pipe, &(struct pollfd){fds[0], POLLIN, 0}, 1, -1)
TICKS_ONCE(epoll_wait, set, third, &(struct epoll_event){0}, 1, -1)
TICKS(flock, lock, fds[0], LOCK_EX)
TICKS(mq_timedreceive, messages, mq, message.text, 8, NULL, NULL)

/* Whatever was done to wait, the flags of what is shared are what they were. */
ON(empty_pipe, fcntl, flags_of_pipe, ask(fds[0], F_GETFL) & O_NONBLOCK)
ON(empty_pair, fcntl, flags_of_socket, ask(fds[0], F_GETFL) & O_NONBLOCK)

int main(int argc, char *argv[])
{
	(void)argc;
	signal(SIGPIPE, SIG_IGN);
	return run_trials(argv);
}
