/*
 * Load on a server: many connections, one message under way on each.
 *
 *     load [-s] [-w WARMUP_SECONDS] [-p SERVER_PID] HOST PORT CONNECTIONS SECONDS BYTES
 *     load ... [-r | --leave | --idle N] HOST PORT CONNECTIONS SECONDS REQUEST ANSWER
 *     load ... [--sources N] [-g] ...
 *     load_tls -c CA_FILE ...
 *     load_mysql ... HOST PORT CONNECTIONS SECONDS USER DATABASE TABLES ROWS
 *
 * A HOST that begins with a slash is the path of a local socket, whatever PORT is.
 *
 * The server returns messages of BYTES, or answers what is in the file REQUEST
 * with what is in the file ANSWER. Each message to be returned is unlike every
 * other, and every byte that comes back is checked. The answers of a connection
 * are read strictly in turn, so that a byte lost, doubled or swapped with another
 * connection's shows. Of load_mysql, exchange_mysql.c tells.
 *
 *     opening -> warm-up -> measured window -> draining
 *
 * Opening sends one message on each connection and waits for the answer. Draining
 * waits for the answers still due; a connection that does not get its own has failed.
 *
 * With -r, the server closes after each answer, which is through only then, and the
 * next message goes over a new connection, whose making is part of its time. With
 * --leave, it is the load that closes.
 *
 * With --idle, N other connections are opened behind these, and are silent until the
 * draining, when each says one message more.
 *
 * With --sources, connections come from 127.0.0.1 to 127.0.0.N in turn. Where none
 * leaves, as many addresses as ports are needed for are used without.
 *
 * With -s, it spins: it looks for answers all the time. A load that sleeps whenever
 * it is ahead of the server has to be woken for nearly every answer, and it is the
 * server's thread that does so, by an interrupt to the other CPU: a fifth of
 * MariaDB's time for a point select in a virtual machine. From another machine
 * nobody would. It takes a CPU of its own.
 *
 * With -g it says "opened" on standard error once it has opened all, and goes on at
 * the end of its standard input: several can have their connections open at once.
 *
 * One line comes out, as name=value words; on standard error, why the first
 * connection failed. wrong counts bytes, from the first connection on. With
 * SERVER_PID, it has the processor time of the server and its descendants in the
 * window (cpu_us, per request), their kernel threads, and their memory at the end
 * of the window (mb), also less that before the first connection (kb, per
 * connection, idle ones included).
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

#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
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
	rlim_t wanted = settings.target.connections + settings.target.idle + 64;

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
	fprintf(stderr, "usage: %s\n", exchange_usage);
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

static void find_local_server(const char *path)
{
	struct sockaddr_un *local = (struct sockaddr_un *)&settings.target.server;

	if (strlen(path) >= sizeof(local->sun_path)) {
		fprintf(stderr, "load: %s: too long for the path of a socket\n", path);
		exit(2);
	}
	local->sun_family = AF_UNIX;
	memcpy(local->sun_path, path, strlen(path) + 1);
	settings.target.server_len = sizeof(*local);
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
	static const struct option names[] = {{"leave", no_argument, NULL, 'l'},
					      {"idle", required_argument, NULL, 'i'},
					      {"sources", required_argument, NULL, 'S'},
					      {NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, exchange_options, names, NULL)) != -1) {
		if (option == 'w')
			settings.warmup_ns = (int64_t)(number(optarg, 0, 3600) * 1e9);
		else if (option == 'p')
			settings.server_pid = (pid_t)number(optarg, 1, 1e9);
		else if (option == 'c')
			settings.ca_file = optarg;
		else if (option == 'r')
			settings.target.reconnects = true;
		else if (option == 'l')
			settings.target.leaves = true;
		else if (option == 'i')
			settings.target.idle = (size_t)number(optarg, 0, 1e6);
		else if (option == 'S')
			settings.target.sources = (size_t)number(optarg, 1, 254);
		else if (option == 's')
			settings.target.spins = true;
		else if (option == 'g')
			settings.gated = true;
		else
			usage_error();
	}
	if (settings.target.reconnects + settings.target.leaves + (settings.target.idle > 0) > 1)
		usage_error();
}

static void choose_exchange(int words, char **word)
{
	int err = exchange_choose(words, word, settings.target.connections);

	if (err == -EINVAL)
		usage_error();
	if (err != 0) {
		fprintf(stderr, "load:");
		for (int i = 0; i < words; i++)
			fprintf(stderr, " %s", word[i]);
		fprintf(stderr, ": %s\n", strerror(-err));
		exit(2);
	}
}

static void parse_arguments(int argc, char **argv)
{
	parse_options(argc, argv);
	argc -= optind;
	argv += optind;
	if (argc < 5)
		usage_error();
	if (argv[0][0] == '/')
		find_local_server(argv[0]);
	else
		find_server(argv[0], argv[1]);
	settings.target.connections = (size_t)number(argv[2], 1, 1e6);
	settings.window_ns = (int64_t)(number(argv[3], 0.01, 3600) * 1e9);
	choose_exchange(argc - 4, argv + 4);
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
	size_t connections;
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

	connections = settings.target.connections + settings.target.idle;
	requests = latency_count();
	cpu_us = (double)(end.cpu_ns - start.cpu_ns) / 1e3;
	printf("requests=%llu seconds=%.3f rps=%.0f p50_us=%.1f p99_us=%.1f max_us=%.1f ",
	       (unsigned long long)requests, seconds, (double)requests / seconds,
	       latency_percentile_us(0.50), latency_percentile_us(0.99),
	       latency_percentile_us(1.0));
	connections_drain();
	printf("cpu_us=%.3f kb=%.2f mb=%.1f threads=%ld wrong=%llu failed=%zu\n",
	       requests > 0 ? cpu_us / (double)requests : 0.0,
	       (double)(end.memory_kb - idle.memory_kb) / (double)connections,
	       (double)end.memory_kb / 1024, end.threads,
	       (unsigned long long)exchange_wrong_bytes(), connections_failed());
	return exchange_wrong_bytes() == 0 && connections_failed() == 0 ? 0 : 1;
}
