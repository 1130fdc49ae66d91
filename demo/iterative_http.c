/*
 * HTTP/1.1 server without threads: accept, serve, close, and again. One client after the other, which
 * may keep its connection and ask for more.
 *
 *     iterative_http PORT
 *
 * /hello, /about and /slow have short answers; the last takes its time. All of a connection is on the
 * stack of serve().
 */
#include "net.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

struct page {
	const char *path, *text;
};

static const struct page pages[] = {
	{"/", "Here are /hello, /about and /slow.\n"},
	{"/hello", "Hello from the only thread there is.\n"},
	{"/about", "One connection after the other: accept, serve, close.\n"},
	{"/slow", "That took a while.\n"},
};

struct request {
	char method[8], path[128];
	bool keep;
};

/* Take a head to pieces; false: it is none. */
static bool parse(struct request *request, const char *head)
{
	int minor;
	const char *line;

	if (sscanf(head, "%7s %127s HTTP/1.%d", request->method, request->path, &minor) != 3)
		return false;
	request->keep = minor > 0;
	for (line = strchr(head, '\n'); line != NULL; line = strchr(line + 1, '\n'))
		if (strncasecmp(line + 1, "Connection:", 11) == 0)
			request->keep =
				strncasecmp(line + 12 + strspn(line + 12, " "), "close", 5) != 0;
	return true;
}

static bool answer(int fd, const struct request *request, const char *status, const char *text)
{
	char head[256];
	int length = snprintf(head, sizeof(head),
			      "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
			      "Connection: %s\r\n\r\n",
			      status, strlen(text), request->keep ? "keep-alive" : "close");

	if (write_all(fd, head, (size_t)length) != 0)
		return false;
	if (strcmp(request->method, "HEAD") == 0)
		return true;
	return write_all(fd, text, strlen(text)) == 0;
}

static bool answer_page(int fd, const struct request *request)
{
	if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0)
		return answer(fd, request, "405 Method Not Allowed", "GET or HEAD, please.\n");
	for (size_t i = 0; i < sizeof(pages) / sizeof(*pages); i++) {
		if (strcmp(request->path, pages[i].path) != 0)
			continue;
		if (strcmp(request->path, "/slow") == 0)
			usleep(100000);
		return answer(fd, request, "200 OK", pages[i].text);
	}
	return answer(fd, request, "404 Not Found", "There is no such page.\n");
}

/* A head at a time; what has been read behind it is the beginning of the next one. */
static void serve(int fd)
{
	struct request request = {.keep = true};
	char buf[4096];
	size_t have = 0;
	char *end;
	long n;

	while (request.keep && have < sizeof(buf) - 1 &&
	       (n = read_some(fd, buf + have, sizeof(buf) - 1 - have)) > 0) {
		have += (size_t)n;
		buf[have] = '\0';
		while (request.keep && (end = strstr(buf, "\r\n\r\n")) != NULL) {
			*end = '\0';
			if (!parse(&request, buf) || !answer_page(fd, &request))
				return;
			have -= (size_t)(end + 4 - buf);
			memmove(buf, end + 4, have + 1);
		}
	}
}

int main(int argc, char **argv)
{
	int listener;

	if (argc != 2) {
		fprintf(stderr, "usage: %s PORT\n", argv[0]);
		return 2;
	}
	listener = listen_local(argv[1]);
	for (;;) {
		int fd = accept_next(listener);

		serve(fd);
		close(fd);
	}
}
