/* What guests share that serve one connection after the other, in the first thread.
 *
 * The clients are a child process, made before anything is accepted. It never waits for an answer before
 * it has sent all there is to all connections, so that a server that takes them in turn does not hang;
 * a server that is split serves them at once. The last one to come ends the server.
 */
#ifndef SERVE_H
#define SERVE_H

#include "guest.h"

static struct sockaddr_in server;
static pid_t clients;
static int at_once, most_at_once;

/* Whether it is run in a way that has it serve all at once. */
static inline bool is_iterative(void)
{
	const char *way = getenv("GUEST_WAY");

	return way != NULL && strstr(way, "ITERATIVE=1") != NULL;
}

/* Have clients: drive() is all of them. */
static inline void have_clients(void (*drive)(void))
{
	clients = fork();
	check(clients >= 0);
	if (clients != 0)
		return;
	drive();
	fflush(stdout);
	_exit(0);
}

static inline int begin_server(void (*drive)(void))
{
	int listener = tcp_listen(&server);

	have_clients(drive);
	return listener;
}

static inline int accept_one(int listener)
{
	int fd = accept(listener, NULL, NULL);

	check(fd >= 0);
	return fd;
}

/* What a connection's service begins with: others have their turn, if they can. */
static inline void begin_service(void)
{
	at_once++;
	if (at_once > most_at_once)
		most_at_once = at_once;
	usleep(20000);
}

static inline void end_service(void)
{
	at_once--;
}

/* The clients are done. Where they can be served at once, they have been. */
static inline void check_end(void)
{
	int status;

	check(waitpid(clients, &status, 0) == clients);
	check(status == 0);
	check(!is_iterative() || most_at_once > 1);
}

/* A client that says all it has to say. */
static inline int connect_and_say(const char *text)
{
	int fd = tcp_connect(&server);

	write_all(fd, text, strlen(text));
	return fd;
}

/* What comes until the end of the stream, as text. */
static inline size_t read_text(int fd, char *text, size_t room)
{
	size_t length = read_all(fd, text, room - 1);

	text[length] = '\0';
	return length;
}

/* So many at once, each with a text of its own and an answer that begins with what it should. */
static inline void say_and_hear(int number, void (*make)(char *text, int i),
				void (*judge)(const char *answer, int i))
{
	static char answer[65536];
	char text[256];
	int fds[128];

	check(number <= (int)(sizeof(fds) / sizeof(*fds)));
	for (int i = 0; i < number; i++) {
		make(text, i);
		fds[i] = connect_and_say(text);
		check(shutdown(fds[i], SHUT_WR) == 0);
	}
	for (int i = 0; i < number; i++) {
		read_text(fds[i], answer, sizeof(answer));
		judge(answer, i);
		close(fds[i]);
	}
}

/* One more client, that ends the server. */
static inline void end_server(void)
{
	close(connect_and_say("end\n"));
}

/* A line, without its end; false: there is none any more. */
static inline bool read_line(int fd, char *line, size_t room)
{
	size_t length = 0;
	char byte;

	while (length < room - 1 && read(fd, &byte, 1) == 1 && byte != '\n')
		line[length++] = byte;
	line[length] = '\0';
	return length > 0;
}

__attribute__((format(printf, 2, 3))) static inline void answer(int fd, const char *format, ...)
{
	char text[512];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	check(length >= 0 && length < (int)sizeof(text));
	write_all(fd, text, (size_t)length);
}

#endif
