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
	struct message message;     /* the latest */
	bool through;               /* its answer is */
	int64_t started_ns;
};

static struct target target;
static struct connection *connections;
static int epoll_fd;
static bool closed_loop; /* an answer starts the next message: not when opening or draining */
static size_t under_way; /* how many connections have that set */
static size_t opened;    /* sockets, which is more than connections where these are made anew */
static size_t failed;
static char received[EXCHANGE_MOST_BYTES + 1];

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static size_t all_connections(void)
{
	return target.connections + target.idle;
}

static bool is_open(const struct connection *c)
{
	return c->transport.fd >= 0;
}

/* Only the first says why: a thousand mostly fail for the same reason. */
static void fail(struct connection *c, const char *why)
{
	if (failed == 0)
		fprintf(stderr, "load: connection %llu: %s\n",
			(unsigned long long)c->message.connection + 1, why);
	under_way -= c->under_way;
	c->under_way = false;
	c->failed = true;
	transport_close(&c->transport);
	failed++;
}

static void send_more(struct connection *c)
{
	size_t left;
	ssize_t n;

	do {
		const char *rest = exchange_request(&c->message, &left);

		n = left > 0 ? transport_send(&c->transport, rest, left) : 0;
		if (n > 0)
			c->message.sent += (size_t)n;
	} while ((n > 0 && (size_t)n < left) || (n < 0 && errno == EINTR));
	if (n < 0 && errno != EAGAIN && errno != EINPROGRESS && errno != ENOTCONN)
		fail(c, strerror(errno));
}

static void start_message(struct connection *c, int64_t start_ns)
{
	c->message.sequence++;
	c->message.sent = 0;
	c->message.answered = 0;
	c->through = false;
	c->started_ns = start_ns;
	c->under_way = true;
	under_way++;
	send_more(c);
}

/*
 * A loopback source of its own for each block of connections, when one does not
 * do; or the next of those asked for: where connections come and go, a port is
 * not free again for a minute.
 */
static int choose_source(int fd, size_t index)
{
	struct sockaddr_in source = {.sin_family = AF_INET};
	const struct sockaddr_in *server = (const struct sockaddr_in *)&target.server;
	size_t number =
		target.sources > 0 ? opened++ % target.sources : index / CONNECTIONS_PER_SOURCE;

	if (number == 0 || server->sin_family != AF_INET ||
	    ntohl(server->sin_addr.s_addr) >> 24 != IN_LOOPBACKNET)
		return 0;
	source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)number);
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
	return bind(fd, (struct sockaddr *)&source, sizeof(source));
}

static void open_connection(struct connection *c, int64_t start_ns)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
	int fd = socket(target.server.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		c->transport.fd = -1;
		fail(c, strerror(errno));
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	if (transport_open(&c->transport, fd) != 0 ||
	    choose_source(fd, c->message.connection) != 0 ||
	    (connect(fd, (struct sockaddr *)&target.server, target.server_len) != 0 &&
	     errno != EINPROGRESS) ||
	    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
		fail(c, strerror(errno));
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
	if (target.reconnects || target.leaves)
		transport_close(&c->transport);
	latency_record((uint64_t)(end_ns - c->started_ns));
	if (closed_loop || !exchange_is_introduced(&c->message))
		go_on(c, end_ns);
}

static void hear(struct connection *c, const char *bytes, size_t len)
{
	enum exchange_heard heard = exchange_hear(&c->message, bytes, len);

	if (heard == EXCHANGE_BROKEN)
		fail(c, exchange_trouble());
	if (heard != EXCHANGE_THROUGH)
		return;
	c->through = true;
	if (!target.reconnects)
		finish_message(c);
}

/* The end may have come with the answer, and then no edge tells of it. */
static bool may_have_more(ssize_t got, size_t len)
{
	return target.reconnects ? got > 0 : transport_has_more(got, len);
}

static void receive_more(struct connection *c)
{
	size_t len = exchange_room();
	ssize_t n;

	do {
		n = transport_recv(&c->transport, received, len);
		if (n > 0)
			hear(c, received, (size_t)n);
	} while (is_open(c) && (may_have_more(n, len) || (n < 0 && errno == EINTR)));
	if (!is_open(c) || n > 0 || (n < 0 && errno == EAGAIN))
		return;
	if (n == 0 && target.reconnects && c->through)
		finish_message(c);
	else
		fail(c, n == 0 ? "the server closed it" : strerror(errno));
}

static void run_events(int timeout_ms)
{
	static struct epoll_event events[EVENTS];
	int n = epoll_wait(epoll_fd, events, EVENTS, target.spins ? 0 : timeout_ms);

	/* Nothing but a signal can be wrong (epoll_wait(2)). */
	for (int i = 0; i < n; i++) {
		struct connection *c = events[i].data.ptr;

		/* Either may go on at either event: a handshake reads to be able to write. */
		if (is_open(c) && c->message.sequence > 0)
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
	for (size_t i = 0; i < all_connections(); i++)
		if (connections[i].under_way)
			fail(&connections[i], "no answer in time");
}

int connections_prepare(const struct target *wanted)
{
	connections = calloc(wanted->connections + wanted->idle, sizeof(*connections));
	if (connections == NULL)
		return -ENOMEM;
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		return -errno;
	for (size_t i = 0; i < wanted->connections; i++)
		connections[i].message.connection = i;
	target = *wanted;
	return 0;
}

void connections_open(void)
{
	size_t started = 0;
	size_t settled = 0;
	int64_t progress_ns = now_ns();

	while (started < all_connections() || under_way > 0) {
		while (started < all_connections() && under_way < OPENING_AT_ONCE)
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
	for (; started < all_connections(); started++) {
		connections[started].transport.fd = -1;
		fail(&connections[started], "the others took all the time to open");
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
	for (size_t i = target.connections; i < all_connections(); i++)
		if (!connections[i].failed)
			start_message(&connections[i], now_ns());
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

size_t connections_failed(void)
{
	return failed;
}
