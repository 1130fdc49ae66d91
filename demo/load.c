/*
 * Load on a server: many connections, one message under way on each.
 *
 *     load [-w WARMUP_SECONDS] [-p SERVER_PID] HOST PORT CONNECTIONS SECONDS BYTES
 *     load ... [-r] HOST PORT CONNECTIONS SECONDS REQUEST ANSWER
 *     load_tls -c CA_FILE ...
 *
 * The server returns messages of BYTES, or answers what is in the file REQUEST
 * with what is in the file ANSWER. Each message to be returned is unlike every
 * other, and every byte that comes back is checked. The answers of a connection
 * are read strictly in turn, so that a byte lost, doubled or swapped with another
 * connection's shows.
 *
 *     opening -> warm-up -> measured window -> draining
 *
 * Opening sends one message on each connection and waits for the answer, with
 * OPENING_AT_ONCE under way: the server's queue never overflows, which would
 * cost a second for the kernel's retry. Draining waits for the answers still
 * due; a connection that does not get its own has failed.
 *
 * With -r, the server closes after each answer, which is through only then, and the
 * next message goes over a new connection, whose making is part of its time.
 *
 * One line comes out, as name=value words. wrong counts bytes, from the first
 * connection on. With SERVER_PID, it has the processor time of the server and its
 * descendants in the window (cpu_us, per request), their kernel threads, and their
 * memory at the end of the window (mb), also less that before the first connection
 * (kb, per connection).
 *
 * It shares a small machine with the server, so it is one thread, allocates
 * nothing once it runs (but for TLS), and makes two system calls per message
 * besides epoll_wait.
 */
#include "exchange.h"
#include "latency.h"
#include "transport.h"
#include "usage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000LL
#define OPENING_AT_ONCE 64
#define OPENING_PATIENCE_NS (5 * NS_PER_S) /* without any connection opening */
#define DRAINING_PATIENCE_NS (5 * NS_PER_S)
#define EVENTS 1024
/* From one source address to one port there are some 28,000 ports (ip_local_port_range). */
#define CONNECTIONS_PER_SOURCE 20000

struct connection {
	bool failed;                /* and closed for good */
	bool under_way;             /* a message is sent, or begun, and not yet answered in full */
	struct transport transport; /* closed once failed */
	uint64_t sequence;          /* of the latest message, from 1; 0 before any */
	size_t sent;                /* bytes of that message */
	size_t answered;            /* bytes of its answer; all of them once it is through */
	int64_t started_ns;
};

static struct {
	struct sockaddr_storage server;
	socklen_t server_len;
	size_t connections;
	size_t request_bytes;
	size_t answer_bytes;
	int64_t window_ns;
	int64_t warmup_ns;
	pid_t server_pid; /* 0 if not given */
	bool reconnects;
	const char *ca_file; /* NULL if not given */
} settings = {.warmup_ns = NS_PER_S / 2};

static struct connection *connections;
static int epoll_fd;
static bool closed_loop; /* an answer starts the next message: not when opening or draining */
static size_t under_way; /* how many connections have that set */
static size_t failed;
static uint64_t wrong_bytes;

static char received[EXCHANGE_MOST_BYTES + 1];

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(2);
}

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
	while (c->sent < settings.request_bytes) {
		const char *part =
			exchange_request(index_of(c), c->sequence, c->sent, settings.request_bytes);
		ssize_t n = transport_send(&c->transport, part, settings.request_bytes - c->sent);

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
	const struct sockaddr_in *server = (const struct sockaddr_in *)&settings.server;
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
	int fd = socket(settings.server.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		c->transport.fd = -1;
		fail(c);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	if (transport_open(&c->transport, fd) != 0 || choose_source(fd, index_of(c)) != 0 ||
	    (connect(fd, (struct sockaddr *)&settings.server, settings.server_len) != 0 &&
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
	if (settings.reconnects)
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
	if (checked > 0 && c->answered == settings.answer_bytes && !settings.reconnects)
		finish_message(c);
}

/* The end may have come with the answer, and then no edge tells of it. */
static bool may_have_more(ssize_t got, size_t len)
{
	return settings.reconnects ? got > 0 : transport_has_more(got, len);
}

static void receive_more(struct connection *c)
{
	/* One byte more than is due, so that the whole answer is a short read. */
	size_t len = settings.answer_bytes + 1;
	ssize_t n;

	do {
		n = transport_recv(&c->transport, received, len);
		if (n > 0)
			check_answer(c, received, (size_t)n);
	} while (is_open(c) && (may_have_more(n, len) || (n < 0 && errno == EINTR)));
	if (!is_open(c) || n > 0 || (n < 0 && errno == EAGAIN))
		return;
	if (n == 0 && settings.reconnects && c->answered == settings.answer_bytes)
		finish_message(c);
	else
		fail(c);
}

static void run_events(int timeout_ms)
{
	static struct epoll_event events[EVENTS];
	int n = epoll_wait(epoll_fd, events, EVENTS, timeout_ms);

	if (n < 0 && errno != EINTR)
		die("epoll_wait");
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
	for (size_t i = 0; i < settings.connections; i++)
		if (connections[i].under_way)
			fail(&connections[i]);
}

static void open_all(void)
{
	size_t started = 0;
	size_t settled = 0;
	int64_t progress_ns = now_ns();

	while (started < settings.connections || under_way > 0) {
		while (started < settings.connections && under_way < OPENING_AT_ONCE)
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
	for (; started < settings.connections; started++) {
		connections[started].transport.fd = -1;
		fail(&connections[started]);
	}
	fail_the_waiting();
}

static void start_all(void)
{
	closed_loop = true;
	for (size_t i = 0; i < settings.connections; i++)
		if (!connections[i].failed)
			go_on(&connections[i], now_ns());
}

static void drain(void)
{
	int64_t deadline_ns = now_ns() + DRAINING_PATIENCE_NS;

	closed_loop = false;
	while (under_way > 0 && now_ns() < deadline_ns)
		run_events(100);
	/* An answer too many would come right behind the last. */
	run_until(now_ns() + NS_PER_S / 50);
	fail_the_waiting();
}

static struct usage server_usage(void)
{
	struct usage usage = {0};
	int err = settings.server_pid != 0 ? usage_read(settings.server_pid, &usage) : 0;

	if (err != 0)
		fprintf(stderr, "load: server %d: %s\n", settings.server_pid, strerror(-err));
	return usage;
}

/* Each connection takes a descriptor; more than the hard limit only root gets. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;
	rlim_t wanted = settings.connections + 64;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max < wanted)
		setrlimit(RLIMIT_NOFILE, &(struct rlimit){wanted, wanted});
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max < wanted)
		fprintf(stderr, "load: open files are limited to %lu\n",
			(unsigned long)limit.rlim_max);
}

static _Noreturn void usage_error(void)
{
	fprintf(stderr, "usage: load [-w WARMUP_SECONDS] [-p SERVER_PID] [-c CA_FILE] [-r] "
			"HOST PORT CONNECTIONS SECONDS BYTES|REQUEST ANSWER\n");
	exit(2);
}

static double number(const char *text, double least, double most)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end != '\0' || !(value >= least && value <= most))
		usage_error();
	return value;
}

static void find_server(const char *host, const char *port)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list;
	int err = getaddrinfo(host, port, &hints, &list);

	if (err != 0) {
		fprintf(stderr, "load: %s port %s: %s\n", host, port, gai_strerror(err));
		exit(2);
	}
	memcpy(&settings.server, list->ai_addr, list->ai_addrlen);
	settings.server_len = list->ai_addrlen;
	freeaddrinfo(list);
}

static void parse_options(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "w:p:c:r")) != -1) {
		if (option == 'w')
			settings.warmup_ns = (int64_t)(number(optarg, 0, 3600) * 1e9);
		else if (option == 'p')
			settings.server_pid = (pid_t)number(optarg, 1, 1e9);
		else if (option == 'c')
			settings.ca_file = optarg;
		else if (option == 'r')
			settings.reconnects = true;
		else
			usage_error();
	}
}

static void choose_exchange(const char *bytes_or_request, const char *answer)
{
	int err = 0;

	if (answer == NULL)
		exchange_echo((size_t)number(bytes_or_request, 1, EXCHANGE_MOST_BYTES));
	else
		err = exchange_files(bytes_or_request, answer);
	if (err != 0) {
		fprintf(stderr, "load: %s, %s: %s\n", bytes_or_request, answer, strerror(-err));
		exit(2);
	}
	settings.request_bytes = exchange_request_bytes();
	settings.answer_bytes = exchange_answer_bytes();
}

static void parse_arguments(int argc, char **argv)
{
	parse_options(argc, argv);
	argc -= optind;
	argv += optind;
	if (argc < 5 || argc > 6)
		usage_error();
	find_server(argv[0], argv[1]);
	settings.connections = (size_t)number(argv[2], 1, 1e6);
	settings.window_ns = (int64_t)(number(argv[3], 0.01, 3600) * 1e9);
	choose_exchange(argv[4], argv[5]);
}

int main(int argc, char **argv)
{
	struct usage idle, start, end;
	int64_t start_ns;
	uint64_t requests;
	double seconds, cpu_us;

	parse_arguments(argc, argv);
	if (transport_prepare(settings.ca_file) != 0)
		return 2;
	raise_descriptor_limit();
	connections = calloc(settings.connections, sizeof(*connections));
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (connections == NULL || epoll_fd < 0)
		die("load");

	idle = server_usage();
	open_all();
	start_all();
	run_until(now_ns() + settings.warmup_ns);
	latency_clear();
	start = server_usage();
	start_ns = now_ns();
	run_until(start_ns + settings.window_ns);
	seconds = (double)(now_ns() - start_ns) / 1e9;
	end = server_usage();

	requests = latency_count();
	cpu_us = (double)(end.cpu_ns - start.cpu_ns) / 1e3;
	printf("requests=%llu seconds=%.3f rps=%.0f p50_us=%.1f p99_us=%.1f max_us=%.1f ",
	       (unsigned long long)requests, seconds, (double)requests / seconds,
	       latency_percentile_us(0.50), latency_percentile_us(0.99),
	       latency_percentile_us(1.0));
	drain();
	printf("cpu_us=%.3f kb=%.2f mb=%.1f threads=%ld wrong=%llu failed=%zu\n",
	       requests > 0 ? cpu_us / (double)requests : 0.0,
	       (double)(end.memory_kb - idle.memory_kb) / (double)settings.connections,
	       (double)end.memory_kb / 1024, end.threads, (unsigned long long)wrong_bytes, failed);
	return wrong_bytes == 0 && failed == 0 ? 0 : 1;
}
