#include "connections.h"

#include "exchange.h"
#include "latency.h"
#include "transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000LL
#define OPENING_AT_ONCE 64
#define OPENING_PATIENCE_NS (5 * NS_PER_S) /* without any connection opening */
#define DRAINING_PATIENCE_NS (5 * NS_PER_S)
#define EVENTS 1024
/*
 * From one source address to one port there are some 28,000 ports (ip_local_port_range). Linux takes
 * every other one first; once those are gone, each connect(2) looks through all of them again.
 */
#define CONNECTIONS_PER_SOURCE 10000

struct connection {
	bool failed;                /* and closed for good */
	bool under_way;             /* a message is sent, or begun, and not yet answered in full */
	struct transport transport; /* closed once failed */
	uint64_t sequence;          /* of the latest message, from 1; 0 before any */
	size_t sent;                /* bytes of that message */
	size_t answered;            /* bytes of its answer; all of them once it is through */
	int64_t started_ns;
};

static struct target target;
static struct connection *connections;
static int epoll_fd;
static bool closed_loop; /* an answer starts the next message: not when opening or draining */
static size_t under_way; /* how many connections have that set */
static size_t failed;
static uint64_t wrong_bytes;
static char received[EXCHANGE_MOST_BYTES + 1];

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static uint64_t index_of(const struct connection *c)
{
	return (uint64_t)(c - connections);
}

static bool is_open(const struct connection *c)
{
	return c->transport.fd >= 0;
}

static void fail(struct connection *c)
{
	under_way -= c->under_way;
	c->under_way = false;
	c->failed = true;
	transport_close(&c->transport);
	failed++;
}

static void send_more(struct connection *c)
{
	while (c->sent < exchange_request_bytes()) {
		const char *part = exchange_request(index_of(c), c->sequence, c->sent,
						    exchange_request_bytes());
		ssize_t n = transport_send(&c->transport, part, exchange_request_bytes() - c->sent);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (errno != EAGAIN && errno != EINPROGRESS && errno != ENOTCONN)
				fail(c);
			return;
		}
		c->sent += (size_t)n;
	}
}

static void start_message(struct connection *c, int64_t start_ns)
{
	c->sequence++;
	c->sent = 0;
	c->answered = 0;
	c->started_ns = start_ns;
	c->under_way = true;
	under_way++;
	send_more(c);
}

/* A loopback source of its own for each block of connections, when one does not do. */
static int choose_source(int fd, size_t index)
{
	struct sockaddr_in source = {.sin_family = AF_INET};
	const struct sockaddr_in *server = (const struct sockaddr_in *)&target.server;
	size_t block = index / CONNECTIONS_PER_SOURCE;

	if (block == 0 || server->sin_family != AF_INET ||
	    ntohl(server->sin_addr.s_addr) >> 24 != IN_LOOPBACKNET)
		return 0;
	source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)block);
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
	return bind(fd, (struct sockaddr *)&source, sizeof(source));
}

static void open_connection(struct connection *c, int64_t start_ns)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
	int fd = socket(target.server.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		c->transport.fd = -1;
		fail(c);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	if (transport_open(&c->transport, fd) != 0 || choose_source(fd, index_of(c)) != 0 ||
	    (connect(fd, (struct sockaddr *)&target.server, target.server_len) != 0 &&
	     errno != EINPROGRESS) ||
	    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
		fail(c);
		return;
	}
	start_message(c, start_ns);
}

static void go_on(struct connection *c, int64_t start_ns)
{
	if (is_open(c))
		start_message(c, start_ns);
	else
		open_connection(c, start_ns);
}

static void finish_message(struct connection *c)
{
	int64_t end_ns = now_ns();

	c->under_way = false;
	under_way--;
	if (target.reconnects)
		transport_close(&c->transport);
	latency_record((uint64_t)(end_ns - c->started_ns));
	if (closed_loop)
		go_on(c, end_ns);
}

static void check_answer(struct connection *c, const char *bytes, size_t len)
{
	/* What cannot have come yet is not an answer. */
	size_t due = exchange_answered_most(c->sent) - c->answered;
	size_t checked = len < due ? len : due;
	const char *right =
		exchange_answer(index_of(c), c->sequence, c->answered, c->answered + checked);

	if (memcmp(bytes, right, checked) != 0)
		for (size_t i = 0; i < checked; i++)
			wrong_bytes += bytes[i] != right[i];
	wrong_bytes += len - checked;
	c->answered += checked;
	if (checked > 0 && c->answered == exchange_answer_bytes() && !target.reconnects)
		finish_message(c);
}

/* The end may have come with the answer, and then no edge tells of it. */
static bool may_have_more(ssize_t got, size_t len)
{
	return target.reconnects ? got > 0 : transport_has_more(got, len);
}

static void receive_more(struct connection *c)
{
	/* One byte more than is due, so that the whole answer is a short read. */
	size_t len = exchange_answer_bytes() + 1;
	ssize_t n;

	do {
		n = transport_recv(&c->transport, received, len);
		if (n > 0)
			check_answer(c, received, (size_t)n);
	} while (is_open(c) && (may_have_more(n, len) || (n < 0 && errno == EINTR)));
	if (!is_open(c) || n > 0 || (n < 0 && errno == EAGAIN))
		return;
	if (n == 0 && target.reconnects && c->answered == exchange_answer_bytes())
		finish_message(c);
	else
		fail(c);
}

static void run_events(int timeout_ms)
{
	static struct epoll_event events[EVENTS];
	int n = epoll_wait(epoll_fd, events, EVENTS, timeout_ms);

	/* Nothing but a signal can be wrong (epoll_wait(2)). */
	for (int i = 0; i < n; i++) {
		struct connection *c = events[i].data.ptr;

		/* Either may go on at either event: a handshake reads to be able to write. */
		if (is_open(c) && c->sequence > 0)
			send_more(c);
		if (is_open(c) && (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
			receive_more(c);
	}
}

static void run_until(int64_t deadline_ns)
{
	int64_t left_ns;

	while ((left_ns = deadline_ns - now_ns()) > 0)
		run_events((int)(left_ns / 1000000) + 1);
}

static void fail_the_waiting(void)
{
	for (size_t i = 0; i < target.connections; i++)
		if (connections[i].under_way)
			fail(&connections[i]);
}

int connections_prepare(const struct target *wanted)
{
	connections = calloc(wanted->connections, sizeof(*connections));
	if (connections == NULL)
		return -ENOMEM;
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		return -errno;
	target = *wanted;
	return 0;
}

void connections_open(void)
{
	size_t started = 0;
	size_t settled = 0;
	int64_t progress_ns = now_ns();

	while (started < target.connections || under_way > 0) {
		while (started < target.connections && under_way < OPENING_AT_ONCE)
			open_connection(&connections[started++], now_ns());
		run_events(100);
		if (started - under_way > settled) {
			settled = started - under_way;
			progress_ns = now_ns();
		} else if (now_ns() - progress_ns > OPENING_PATIENCE_NS) {
			break;
		}
	}
	/* Those never started fail like those never answered. */
	for (; started < target.connections; started++) {
		connections[started].transport.fd = -1;
		fail(&connections[started]);
	}
	fail_the_waiting();
}

void connections_start(void)
{
	closed_loop = true;
	for (size_t i = 0; i < target.connections; i++)
		if (!connections[i].failed)
			go_on(&connections[i], now_ns());
}

void connections_drain(void)
{
	int64_t deadline_ns = now_ns() + DRAINING_PATIENCE_NS;

	closed_loop = false;
	while (under_way > 0 && now_ns() < deadline_ns)
		run_events(100);
	/* An answer too many would come right behind the last. */
	run_until(now_ns() + NS_PER_S / 50);
	fail_the_waiting();
}

int64_t connections_run(int64_t ns)
{
	int64_t start_ns = now_ns();

	run_until(start_ns + ns);
	return now_ns() - start_ns;
}

uint64_t connections_wrong_bytes(void)
{
	return wrong_bytes;
}

size_t connections_failed(void)
{
	return failed;
}
