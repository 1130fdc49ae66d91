/*
 * The clients that nobody wants: what a server's other connections have to bear beside them.
 *
 *     hostile [-i IDLE] [-a HALF] [-s SLOW] [-d DEAF] [-r RESETS] PORT SECONDS
 *
 * idle    connect and say nothing
 * half    send the beginning of a request and nothing more
 * slow    send a byte of a request every second
 * deaf    send all that the server takes and never read what it answers
 * resets  so many a second connect, send a little and reset the connection at once
 *
 * "ready" on standard output says that all are connected; one line of name=value words at the end
 * says how many there were, and how many connections the server refused or ended. They come from
 * loopback addresses of their own, so that they leave the others their ports.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000LL
#define TICK_NS (NS_PER_S / 100)
#define CONNECTIONS_PER_SOURCE 20000
#define FIRST_SOURCE 0x7f000064U /* 127.0.0.100 */
#define REQUEST "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "

static int port;
static unsigned int made; /* connections, ever */
static unsigned int lost; /* that the server did not take, or ended */

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static void sleep_until(int64_t ns)
{
	struct timespec ts = {ns / NS_PER_S, ns % NS_PER_S};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

static struct sockaddr_in address(uint32_t host, int to_port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons((uint16_t)to_port),
				    .sin_addr.s_addr = htonl(host)};
}

/* A connection that never blocks once it is made; -1: lost. */
static int open_one(void)
{
	struct sockaddr_in source = address(FIRST_SOURCE + made / CONNECTIONS_PER_SOURCE, 0);
	struct sockaddr_in server = address(INADDR_LOOPBACK, port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	made++;
	if (fd < 0) {
		lost++;
		return -1;
	}
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
	if (bind(fd, (struct sockaddr *)&source, sizeof(source)) != 0 ||
	    connect(fd, (struct sockaddr *)&server, sizeof(server)) != 0) {
		lost++;
		close(fd);
		return -1;
	}
	return fd;
}

static void open_all(int *fds, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		fds[i] = open_one();
}

static void end(int *fd)
{
	close(*fd);
	*fd = -1;
	lost++;
}

/* Send what is taken without waiting; a connection that the server has ended is lost. */
static void give(int *fd, const char *bytes, size_t n)
{
	while (*fd >= 0) {
		ssize_t sent = send(*fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0 && errno == EAGAIN)
			return;
		if (sent < 0)
			end(fd);
		else if (n <= 1 || (size_t)sent < n)
			return;
	}
}

static void reset_one(void)
{
	static const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
	int fd = open_one();

	if (fd < 0)
		return;
	send(fd, REQUEST, sizeof(REQUEST) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
}

static _Noreturn void usage_error(void)
{
	fprintf(stderr, "usage: hostile [-i IDLE] [-a HALF] [-s SLOW] [-d DEAF] [-r RESETS] "
			"PORT SECONDS\n");
	exit(2);
}

static unsigned int number(const char *text, unsigned long most)
{
	char *rest;
	unsigned long value = strtoul(text, &rest, 10);

	if (text[0] < '0' || text[0] > '9' || *rest != '\0' || value > most)
		usage_error();
	return (unsigned int)value;
}

/* Open files beyond the hard limit only root gets. */
static void raise_descriptor_limit(unsigned int n)
{
	struct rlimit limit;

	setrlimit(RLIMIT_NOFILE, &(struct rlimit){n + 64, n + 64});
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
	enum { IDLE, HALF, SLOW, DEAF, KINDS };
	static const char letters[] = "iasd";
	static char noise[65536];
	unsigned int counts[KINDS] = {0}, resets_a_second = 0, resets = 0, all = 0;
	int *fds[KINDS], option;
	int64_t start_ns, until_ns;

	while ((option = getopt(argc, argv, "i:a:s:d:r:")) != -1) {
		const char *letter = option == '?' ? NULL : strchr(letters, option);

		if (letter != NULL)
			counts[letter - letters] = number(optarg, 1000000);
		else if (option == 'r')
			resets_a_second = number(optarg, 100000);
		else
			usage_error();
	}
	if (argc - optind != 2)
		usage_error();
	port = (int)number(argv[optind], 65535);
	for (int kind = 0; kind < KINDS; kind++)
		all += counts[kind];
	raise_descriptor_limit(all);
	for (int kind = 0; kind < KINDS; kind++) {
		fds[kind] = calloc(counts[kind] + 1, sizeof(int));
		if (fds[kind] == NULL)
			return 2;
		open_all(fds[kind], counts[kind]);
	}
	for (unsigned int i = 0; i < counts[HALF]; i++)
		give(&fds[HALF][i], REQUEST, sizeof(REQUEST) - 1);
	printf("ready\n");
	fflush(stdout);

	memset(noise, 'x', sizeof(noise));
	start_ns = now_ns();
	until_ns = start_ns + (int64_t)number(argv[optind + 1], 86400) * NS_PER_S;
	for (int64_t tick = 1; start_ns + tick * TICK_NS < until_ns; tick++) {
		/* Every tick a hundredth of the slow, so that each has its byte every second. */
		for (unsigned int i = (unsigned int)(tick % 100); i < counts[SLOW]; i += 100)
			give(&fds[SLOW][i], &REQUEST[tick / 100 % (sizeof(REQUEST) - 1)], 1);
		for (unsigned int i = 0; i < counts[DEAF]; i++)
			give(&fds[DEAF][i], noise, sizeof(noise));
		for (; resets < tick * resets_a_second / 100; resets++)
			reset_one();
		sleep_until(start_ns + tick * TICK_NS);
	}
	printf("idle=%u half=%u slow=%u deaf=%u resets=%u lost=%u\n", counts[IDLE], counts[HALF],
	       counts[SLOW], counts[DEAF], resets, lost);
	return 0;
}
