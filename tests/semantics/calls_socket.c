/* Calls on sockets: what waits for data, for room, for a peer; and what makes sockets. */
#include "ticks.h"
#include "waits.h"

static struct msghdr gather = {.msg_iov = &one, .msg_iovlen = 1};
static struct mmsghdr several[2] = {{.msg_hdr = {.msg_iov = &one, .msg_iovlen = 1}},
				    {.msg_hdr = {.msg_iov = &one, .msg_iovlen = 1}}};

static const struct fixture empty_stream = {make_pair, put_byte, close_fds},
			    empty_tcp = {make_tcp, put_byte, close_fds},
			    empty_datagrams = {make_datagrams, put_byte, close_fds},
			    full_stream = {make_full_pair, drain, close_fds},
			    listener = {make_listener, connect_first, close_fds},
			    busy_listener = {make_busy_listener, accept_first, close_fds},
			    timed_stream = {make_timed_pair, put_byte, close_fds},
			    timed_full_stream = {make_timed_full_pair, drain, close_fds},
			    timed_listener = {make_timed_listener, connect_first, close_fds},
			    timed_busy_listener = {make_timed_busy_listener, accept_first,
						   close_fds};

TICKS(read, empty_stream, fds[0], &byte, 1)
TICKS(readv, empty_tcp, fds[0], &one, 1)
TICKS(write, full_stream, fds[1], "x", 1)
TICKS(writev, full_stream, fds[1], &one, 1)
TICKS(recvfrom, empty_tcp, fds[0], &byte, 1, 0, NULL, NULL)
TICKS(recvfrom, empty_datagrams, fds[0], &byte, 1, MSG_TRUNC, NULL, NULL)
TICKS(recvmsg, empty_stream, fds[0], &gather, 0)
TICKS(recvmmsg, empty_datagrams, fds[0], several, 1, 0, NULL)
TICKS(sendto, full_stream, fds[1], "x", 1, 0, NULL, 0)
TICKS(sendmsg, full_stream, fds[1], &gather, 0)
TICKS(sendmmsg, full_stream, fds[1], several, 1, 0)
TICKS(connect, busy_listener, third, &name, sizeof(name))
TICKS_ONCE(recvfrom, timed_stream, fds[0], &byte, 1, 0, NULL, NULL)
TICKS_ONCE(sendto, timed_full_stream, fds[1], "x", 1, 0, NULL, 0)
TICKS_ONCE(connect, timed_busy_listener, third, &name, sizeof(name))

WAITS_FOR(accept, listener, true, as_fd(ask(fds[0], NULL, NULL)))
WAITS_FOR(accept4, listener, true, as_fd(ask(fds[0], NULL, NULL, SOCK_CLOEXEC)))
WAITS_FOR(accept, timed_listener, false, as_fd(ask(fds[0], NULL, NULL)))
ANSWERS(socket, tcp, as_fd(ask(AF_INET, SOCK_STREAM, 0)))
ANSWERS(socket, no_such_family, ask(-1, SOCK_STREAM, 0))
ANSWERS(socket, no_such_type, ask(AF_INET, 99, 0))

/* Each of the calls, once with no descriptor and once with one that is no socket. */
#define BAD_SOCKETS(call, ...) \
	ANSWERS(call, no_descriptor, ask(-1, ##__VA_ARGS__)) \
	ANSWERS(call, no_socket, ask(0, ##__VA_ARGS__))

BAD_SOCKETS(recvfrom, &byte, 1, 0, NULL, NULL)
BAD_SOCKETS(recvmsg, &gather, 0)
BAD_SOCKETS(recvmmsg, several, 1, 0, NULL)
BAD_SOCKETS(sendto, "x", 1, 0, NULL, 0)
BAD_SOCKETS(sendmsg, &gather, 0)
BAD_SOCKETS(sendmmsg, several, 1, 0)
BAD_SOCKETS(connect, &name, sizeof(name))
BAD_SOCKETS(accept, NULL, NULL)
BAD_SOCKETS(accept4, NULL, NULL, 0)
BAD_SOCKETS(shutdown, SHUT_RD)
BAD_SOCKETS(setsockopt, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){1, 0}, 16)
BAD_SOCKETS(getsockopt, SOL_SOCKET, SO_TYPE, &word, &(socklen_t){4})

ON(empty_stream, setsockopt, timeout,
   ask(fds[0], SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){1, 0}, 16))
ON(empty_stream, setsockopt, short_value,
   ask(fds[0], SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){1, 0}, 4))
ON(empty_stream, setsockopt, wrong_value,
   ask(fds[0], SOL_SOCKET, SO_SNDTIMEO, &(struct timeval){0, -1}, 16))

int main(int argc, char *argv[])
{
	(void)argc;
	signal(SIGPIPE, SIG_IGN);
	return run_trials(argv);
}
