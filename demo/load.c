/*
 * Load on a server: many connections, one message under way on each.
 *
 *     load [-w WARMUP_SECONDS] [-p SERVER_PID] HOST PORT CONNECTIONS SECONDS BYTES
 *     load ... [-r] [-g] HOST PORT CONNECTIONS SECONDS REQUEST ANSWER
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
 * Opening sends one message on each connection and waits for the answer. Draining
 * waits for the answers still due; a connection that does not get its own has failed.
 *
 * With -r, the server closes after each answer, which is through only then, and the
 * next message goes over a new connection, whose making is part of its time.
 *
 * With -g it says "opened" on standard error once it has opened all, and goes on at
 * the end of its standard input: several can have their connections open at once.
 *
 * Above 10,000 connections to a loopback address they come from several: 127.0.0.2 and on.
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
#include "connections.h"
#include "exchange.h"
#include "latency.h"
#include "transport.h"
#include "usage.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static struct {
	struct target target;
	int64_t window_ns;
	int64_t warmup_ns;
	pid_t server_pid;    /* 0 if not given */
	const char *ca_file; /* NULL if not given */
	bool gated;
} settings = {.warmup_ns = 500000000};

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
	rlim_t wanted = settings.target.connections + 64;

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
	fprintf(stderr, "usage: load [-w WARMUP_SECONDS] [-p SERVER_PID] [-c CA_FILE] [-r] [-g] "
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
	memcpy(&settings.target.server, list->ai_addr, list->ai_addrlen);
	settings.target.server_len = list->ai_addrlen;
	freeaddrinfo(list);
}

static void parse_options(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "w:p:c:rg")) != -1) {
		if (option == 'w')
			settings.warmup_ns = (int64_t)(number(optarg, 0, 3600) * 1e9);
		else if (option == 'p')
			settings.server_pid = (pid_t)number(optarg, 1, 1e9);
		else if (option == 'c')
			settings.ca_file = optarg;
		else if (option == 'r')
			settings.target.reconnects = true;
		else if (option == 'g')
			settings.gated = true;
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
}

static void parse_arguments(int argc, char **argv)
{
	parse_options(argc, argv);
	argc -= optind;
	argv += optind;
	if (argc < 5 || argc > 6)
		usage_error();
	find_server(argv[0], argv[1]);
	settings.target.connections = (size_t)number(argv[2], 1, 1e6);
	settings.window_ns = (int64_t)(number(argv[3], 0.01, 3600) * 1e9);
	choose_exchange(argv[4], argv[5]);
}

static void await_end_of_input(void)
{
	char buf[64];

	fputs("opened\n", stderr);
	while (read(STDIN_FILENO, buf, sizeof(buf)) > 0)
		;
}

int main(int argc, char **argv)
{
	struct usage idle, start, end;
	uint64_t requests;
	double seconds, cpu_us;
	int err;

	parse_arguments(argc, argv);
	if (transport_prepare(settings.ca_file) != 0)
		return 2;
	raise_descriptor_limit();
	err = connections_prepare(&settings.target);
	if (err != 0) {
		fprintf(stderr, "load: %s\n", strerror(-err));
		return 2;
	}

	idle = server_usage();
	connections_open();
	if (settings.gated)
		await_end_of_input();
	connections_start();
	connections_run(settings.warmup_ns);
	latency_clear();
	start = server_usage();
	seconds = (double)connections_run(settings.window_ns) / 1e9;
	end = server_usage();

	requests = latency_count();
	cpu_us = (double)(end.cpu_ns - start.cpu_ns) / 1e3;
	printf("requests=%llu seconds=%.3f rps=%.0f p50_us=%.1f p99_us=%.1f max_us=%.1f ",
	       (unsigned long long)requests, seconds, (double)requests / seconds,
	       latency_percentile_us(0.50), latency_percentile_us(0.99),
	       latency_percentile_us(1.0));
	connections_drain();
	printf("cpu_us=%.3f kb=%.2f mb=%.1f threads=%ld wrong=%llu failed=%zu\n",
	       requests > 0 ? cpu_us / (double)requests : 0.0,
	       (double)(end.memory_kb - idle.memory_kb) / (double)settings.target.connections,
	       (double)end.memory_kb / 1024, end.threads,
	       (unsigned long long)connections_wrong_bytes(), connections_failed());
	return connections_wrong_bytes() == 0 && connections_failed() == 0 ? 0 : 1;
}
