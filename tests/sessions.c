/* Randomised sessions with a server that keeps all their state on its stack, in one of two ways.
 *
 *     sessions serve fork|iterative            say the port, then serve until terminated
 *     sessions ask PORT SEED SESSIONS AT_ONCE  put what each session has heard on stdout, in their order
 *     sessions slow PORT BYTES OTHERS          say who is done first: one client that sends a byte a second, so
 *                                              many, and is served first, or so many others
 *
 * The server that forks for each connection says what is right: what a session hears depends on nothing
 * but what it says. The lines it understands: add, sum, push, pop, list, fail, deep, rest, echo, end.
 * A word that is pushed lies in a frame of its own, in a buffer of alloca(3), until it is popped; an
 * error leaves all frames at once.
 */
#include <alloca.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST_AT_ONCE 1000
#define SAID_BYTES 4096
#define HEARD_BYTES 65536
#define MOST_DEPTH 30

static _Noreturn void fail(const char *what)
{
	perror(what);
	exit(1);
}

static struct sockaddr_in loopback(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((in_port_t)port)};

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

/* --- the server --- */

struct session {
	int fd;
	size_t used, filled;
	char buffer[300];
	long sum;
	int depth;
	jmp_buf error;
};

/* What was pushed, in the frame of who pushed it. */
struct pushed {
	const struct pushed *below;
	const char *word;
};

static int next_byte(struct session *s)
{
	if (s->used == s->filled) {
		ssize_t n = read(s->fd, s->buffer, sizeof(s->buffer));

		if (n <= 0)
			return -1;
		s->filled = (size_t)n;
		s->used = 0;
	}
	return (unsigned char)s->buffer[s->used++];
}

static bool read_line(struct session *s, char *line, size_t room)
{
	size_t length = 0;
	int byte;

	while ((byte = next_byte(s)) >= 0 && byte != '\n')
		if (length < room - 1)
			line[length++] = (char)byte;
	line[length] = '\0';
	return byte >= 0;
}

__attribute__((format(printf, 2, 3))) static void answer(struct session *s, const char *format, ...)
{
	char text[400];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	for (int done = 0; done < length;) {
		ssize_t n = write(s->fd, text + done, (size_t)(length - done));

		if (n <= 0)
			return;
		done += (int)n;
	}
}

static long go_deep(struct session *s, int depth)
{
	volatile char frame[700];
	long below;

	frame[0] = frame[699] = (char)(depth + s->depth);
	if (depth == 0)
		usleep(100);
	below = depth == 0 ? s->sum : go_deep(s, depth - 1);
	return below + frame[0] - frame[699];
}

static void list(struct session *s, const struct pushed *top)
{
	for (; top != NULL; top = top->below)
		answer(s, "%s%s", top->word, top->below == NULL ? "" : " ");
	answer(s, "\n");
}

static void run(struct session *s, const struct pushed *top);

static void push(struct session *s, const struct pushed *top, const char *word)
{
	char *copy = alloca(strlen(word) + 1);
	struct pushed pushed = {top, copy};

	strcpy(copy, word);
	s->depth++;
	run(s, &pushed);
	s->depth--;
	answer(s, "popped %s\n", copy);
}

/* Everything but what changes the depth. */
static void do_one(struct session *s, const struct pushed *top, const char *line)
{
	if (strncmp(line, "add ", 4) == 0)
		s->sum += atol(line + 4);
	else if (strcmp(line, "sum") == 0)
		answer(s, "sum %ld at %d\n", s->sum, s->depth);
	else if (strcmp(line, "list") == 0)
		list(s, top);
	else if (strncmp(line, "deep ", 5) == 0)
		answer(s, "deep %ld\n", go_deep(s, atoi(line + 5)));
	else if (strcmp(line, "rest") == 0)
		usleep(300);
	else
		answer(s, "%s\n", line);
}

static void run(struct session *s, const struct pushed *top)
{
	char line[200];

	while (read_line(s, line, sizeof(line))) {
		if (strncmp(line, "push ", 5) == 0 && s->depth < MOST_DEPTH)
			push(s, top, line + 5);
		else if (strcmp(line, "pop") == 0 && top != NULL)
			return;
		else if (strcmp(line, "fail") == 0)
			longjmp(s->error, s->depth + 1);
		else
			do_one(s, top, line);
	}
}

static void serve(int fd)
{
	struct session s = {.fd = fd};
	int failed = setjmp(s.error);

	if (failed != 0) {
		s.depth = 0;
		answer(&s, "failed at %d\n", failed - 1);
	}
	run(&s, NULL);
	answer(&s, "bye %ld\n", s.sum);
}

static void serve_in_child(int listener, int fd)
{
	pid_t pid = fork();

	if (pid < 0)
		fail("fork");
	if (pid != 0)
		return;
	close(listener);
	serve(fd);
	_exit(0);
}

static void end(int number)
{
	(void)number;
	exit(0);
}

static int serve_all(bool forks)
{
	struct sockaddr_in address = loopback(0);
	socklen_t bytes = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd;

	signal(SIGTERM, end);
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	if (bind(listener, (struct sockaddr *)&address, bytes) != 0 ||
	    listen(listener, 1024) != 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &bytes) != 0)
		fail("listen");
	printf("%d\n", ntohs(address.sin_port));
	fflush(stdout);
	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		if (forks)
			serve_in_child(listener, fd);
		else
			serve(fd);
		close(fd);
	}
	fail("accept");
}

/* --- the clients --- */

struct client {
	int number, fd;
	uint64_t random;
	size_t said, to_say, heard;
	char say[SAID_BYTES], *hear;
};

static struct client clients[MOST_AT_ONCE];
static char **transcripts;

static unsigned int draw(struct client *c, unsigned int below)
{
	c->random ^= c->random << 13;
	c->random ^= c->random >> 7;
	c->random ^= c->random << 17;
	return (unsigned int)(c->random >> 33) % below;
}

static size_t write_line(struct client *c, char *to, size_t room)
{
	unsigned int n = draw(c, 100000);

	switch (draw(c, 12)) {
	case 0:
	case 1:
		return (size_t)snprintf(to, room, "add %u\n", n);
	case 2:
		return (size_t)snprintf(to, room, "sum\n");
	case 3:
	case 4:
	case 5:
		return (size_t)snprintf(to, room, "push word%u%.*s\n", n, (int)draw(c, 30),
					"abcdefghijklmnopqrstuvwxyzabcd");
	case 6:
		return (size_t)snprintf(to, room, "pop\n");
	case 7:
		return (size_t)snprintf(to, room, "list\n");
	case 8:
		return (size_t)snprintf(to, room, "deep %u\n", draw(c, 40));
	case 9:
		return (size_t)snprintf(to, room, draw(c, 3) == 0 ? "fail\n" : "rest\n");
	default:
		return (size_t)snprintf(to, room, "echo of %u in session %d\n", n, c->number);
	}
}

static void begin(struct client *c, int number, uint64_t seed, int port)
{
	struct sockaddr_in address = loopback(port);
	unsigned int lines;

	*c = (struct client){.number = number};
	c->random = (seed * 1000003 + (uint64_t)number + 1) * UINT64_C(0x9E3779B97F4A7C15) | 1;
	lines = 1 + draw(c, 30);
	for (unsigned int i = 0; i < lines && c->to_say < SAID_BYTES - 200; i++)
		c->to_say += write_line(c, c->say + c->to_say, SAID_BYTES - c->to_say);
	c->hear = malloc(HEARD_BYTES);
	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (c->hear == NULL || c->fd < 0 ||
	    connect(c->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		fail("connect");
}

/* A piece of what is to be said, of any length; after the last, that there is no more. */
static void say_more(struct client *c)
{
	size_t left = c->to_say - c->said, piece = 1 + draw(c, 120);
	ssize_t n = send(c->fd, c->say + c->said, piece < left ? piece : left, MSG_DONTWAIT);

	if (n > 0)
		c->said += (size_t)n;
	else if (n < 0 && errno != EAGAIN)
		fail("send");
	if (c->said == c->to_say)
		shutdown(c->fd, SHUT_WR);
}

/* False: it has heard all. */
static bool hear_more(struct client *c)
{
	ssize_t n = recv(c->fd, c->hear + c->heard, HEARD_BYTES - 1 - c->heard, MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return true;
	if (n < 0)
		fail("recv");
	c->heard += (size_t)n;
	if (n > 0 && c->heard < HEARD_BYTES - 1)
		return true;
	c->hear[c->heard] = '\0';
	transcripts[c->number] = strdup(c->hear);
	free(c->hear);
	close(c->fd);
	return false;
}

static void ask_all(int port, uint64_t seed, int sessions, int at_once)
{
	static struct pollfd fds[MOST_AT_ONCE];
	int begun = 0, open = 0;

	while (begun < sessions || open > 0) {
		while (open < at_once && begun < sessions)
			begin(&clients[open++], begun++, seed, port);
		for (int i = 0; i < open; i++)
			fds[i] = (struct pollfd){
				clients[i].fd,
				(short)(POLLIN |
					(clients[i].said < clients[i].to_say ? POLLOUT : 0)),
				0};
		if (poll(fds, (nfds_t)open, -1) < 0)
			fail("poll");
		for (int i = open - 1; i >= 0; i--) {
			if ((fds[i].revents & POLLOUT) != 0 && clients[i].said < clients[i].to_say)
				say_more(&clients[i]);
			if ((fds[i].revents & ~POLLOUT) != 0 && !hear_more(&clients[i]))
				clients[i] = clients[--open];
		}
	}
}

static int ask(int port, uint64_t seed, int sessions, int at_once)
{
	transcripts = calloc((size_t)sessions, sizeof(*transcripts));
	if (transcripts == NULL)
		fail("calloc");
	ask_all(port, seed, sessions, at_once);
	for (int i = 0; i < sessions; i++)
		printf("session %d\n%s", i, transcripts[i]);
	return 0;
}

/* A byte a second, until all are sent or the others are done; whether they are. */
static bool others_are_done(int fd, int bytes, int others)
{
	struct pollfd end = {others, POLLIN, 0};

	for (int i = 0; i < bytes; i++) {
		if (poll(&end, 1, 1000) != 0)
			return true;
		if (write(fd, "x", 1) != 1)
			fail("write");
	}
	return false;
}

static int be_slow(int port, int bytes, int others)
{
	struct sockaddr_in address = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM, 0), done[2];
	char heard[16];
	bool are_done;
	pid_t pid;

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    write(fd, "begin\n", 6) != 6 || read(fd, heard, sizeof(heard)) != 6 || pipe(done) != 0)
		fail("the slow one");
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (pid == 0) {
		close(fd);
		_exit(ask(port, 1, others, others));
	}
	close(done[1]);
	are_done = others_are_done(fd, bytes, done[0]);
	fprintf(stderr, "done first: %s\n", are_done ? "the others" : "the slow one");
	close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "serve") == 0 &&
	    (strcmp(argv[2], "fork") == 0 || strcmp(argv[2], "iterative") == 0))
		return serve_all(strcmp(argv[2], "fork") == 0);
	if (argc == 6 && strcmp(argv[1], "ask") == 0 && atoi(argv[4]) > 0 && atoi(argv[5]) > 0 &&
	    atoi(argv[5]) <= MOST_AT_ONCE)
		return ask(atoi(argv[2]), strtoull(argv[3], NULL, 10), atoi(argv[4]),
			   atoi(argv[5]));
	if (argc == 5 && strcmp(argv[1], "slow") == 0 && atoi(argv[4]) > 0 &&
	    atoi(argv[4]) <= MOST_AT_ONCE)
		return be_slow(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]));
	fprintf(stderr,
		"usage: %s serve fork|iterative, ask PORT SEED SESSIONS AT_ONCE, or slow PORT "
		"BYTES OTHERS\n",
		argv[0]);
	return 2;
}
