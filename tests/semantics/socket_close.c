/* Half close, both closes, reset: what the other side reads and writes then; refused connects. */
#include "guest.h"

#include <sys/un.h>

static void *read_to_end_then_answer(void *arg)
{
	char bytes[64];
	int fd = *(int *)arg;
	size_t n = read_all(fd, bytes, sizeof(bytes));

	write_all(fd, "answer", 6);
	check(close(fd) == 0);
	return (void *)n;
}

static void *read_until_shut(void *arg)
{
	char byte;

	return (void *)(read(*(int *)arg, &byte, 1) + 1);
}

static void half_close(int pair[2])
{
	pthread_t peer = start(read_to_end_then_answer, &pair[1]);
	char bytes[64];

	write_all(pair[0], "question", 8);
	settle();
	show(shutdown(pair[0], SHUT_WR));
	say("peer read %zu to the end", (size_t)finish(peer));
	show(read(pair[0], bytes, 64));
	show(read(pair[0], bytes, 64));
	show(write(pair[0], "x", 1));
	show(shutdown(pair[0], SHUT_RDWR) == 0 || errno == ENOTCONN);
	close(pair[0]);
}

/* shutdown by this thread wakes another that is parked in read on the very same descriptor. */
static void shut_own_reader(int pair[2])
{
	pthread_t reader = start(read_until_shut, &pair[0]);

	settle();
	show(shutdown(pair[0], SHUT_RD));
	say("parked reader got %ld", (long)finish(reader) - 1);
	close(pair[0]);
	close(pair[1]);
}

static void *read_reset(void *arg)
{
	char byte;

	show(read(*(int *)arg, &byte, 1));
	return NULL;
}

static void reset(void)
{
	struct linger at_once = {1, 0};
	pthread_t reader;
	int pair[2];

	tcp_pair(pair);
	reader = start(read_reset, &pair[0]);
	settle();
	check(setsockopt(pair[1], SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) == 0);
	close(pair[1]);
	finish(reader);
	show(write(pair[0], "x", 1));
	close(pair[0]);
}

static void *connect_to(void *arg)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	show(connect(fd, arg, sizeof(struct sockaddr_in)));
	show(connect(fd, arg, sizeof(struct sockaddr_in)));
	show(read(fd, &(char){0}, 1));
	close(fd);
	return NULL;
}

static void refused(void)
{
	struct sockaddr_un nowhere = {.sun_family = AF_UNIX, .sun_path = "/nonexistent/socket"};
	struct sockaddr_in address;
	int bound = tcp_bound(&address), fd;

	finish(start(connect_to, &address));
	connect_to(&address);
	close(bound);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	show(connect(fd, (struct sockaddr *)&nowhere, sizeof(nowhere)));
	close(fd);
}

int main(void)
{
	int pair[2];

	signal(SIGPIPE, SIG_IGN);
	tcp_pair(pair);
	half_close(pair);
	unix_pair(SOCK_STREAM, pair);
	half_close(pair);
	tcp_pair(pair);
	shut_own_reader(pair);
	unix_pair(SOCK_STREAM, pair);
	shut_own_reader(pair);
	reset();
	refused();
	return 0;
}
