/*
 * HTTP/1.1 server with keep-alive, a thread per connection. Every path answers
 * the same short page.
 *
 *     http_threads PORT
 *
 * Request bodies are not read: a request that announces one is answered and its
 * connection closed, for what follows the head would be taken for a request.
 */
#include "net.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define BODY "Hello from a thread of my own.\n"

struct request {
	bool well_formed;
	bool asks_keep;  /* HTTP/1.1 does by itself */
	bool asks_close; /* outweighs asks_keep */
};

/* Whether the value of a header line holds a word, as in "Connection: Upgrade, close". */
static bool header_has(const char *value, const char *word)
{
	size_t len = strlen(word);

	while (*value != '\0') {
		size_t span;

		value += strspn(value, ", \t");
		span = strcspn(value, ", \t");
		if (span == len && strncasecmp(value, word, len) == 0)
			return true;
		value += span;
	}
	return false;
}

static void read_header(struct request *request, const char *line)
{
	if (strncasecmp(line, "Connection:", 11) == 0) {
		if (header_has(line + 11, "close"))
			request->asks_close = true;
		if (header_has(line + 11, "keep-alive"))
			request->asks_keep = true;
	} else if (strncasecmp(line, "Transfer-Encoding:", 18) == 0 ||
		   (strncasecmp(line, "Content-Length:", 15) == 0 && !header_has(line + 15, "0"))) {
		request->asks_close = true;
	}
}

/* Parse a head, lines without the final empty one; takes it to pieces. */
static struct request parse_head(char *head)
{
	struct request request = {0};
	char *rest;
	char *line = strtok_r(head, "\r\n", &rest);
	char *version = line ? strrchr(line, ' ') : NULL;

	if (version == NULL || strncmp(version, " HTTP/1.", 8) != 0)
		return request;
	request.well_formed = true;
	request.asks_keep = strcmp(version, " HTTP/1.0") != 0;
	while ((line = strtok_r(NULL, "\r\n", &rest)) != NULL)
		read_header(&request, line);
	return request;
}

static int answer(int fd, const char *status, const char *body, bool keep_alive)
{
	char text[512];
	int len = snprintf(text, sizeof(text),
			   "HTTP/1.1 %s\r\n"
			   "Content-Type: text/plain\r\n"
			   "Content-Length: %zu\r\n"
			   "Connection: %s\r\n"
			   "\r\n"
			   "%s",
			   status, strlen(body), keep_alive ? "keep-alive" : "close", body);

	return write_all(fd, text, (size_t)len);
}

/* Answer one head; whether the connection goes on. */
static bool serve_request(int fd, char *head)
{
	struct request request = parse_head(head);
	bool keep_alive = request.asks_keep && !request.asks_close;

	if (!request.well_formed) {
		answer(fd, "400 Bad Request", "What?\n", false);
		return false;
	}
	return answer(fd, "200 OK", BODY, keep_alive) == 0 && keep_alive;
}

static void *serve(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char buf[4096];
	size_t have = 0;
	long n;

	while ((n = read_some(fd, buf + have, sizeof(buf) - 1 - have)) > 0) {
		char *end;

		have += (size_t)n;
		buf[have] = '\0';
		/* One read may bring several requests, and the last of them in part. */
		while ((end = strstr(buf, "\r\n\r\n")) != NULL) {
			size_t used = (size_t)(end + 4 - buf);

			*end = '\0';
			if (!serve_request(fd, buf))
				goto done;
			have -= used;
			memmove(buf, buf + used, have + 1);
		}
		if (have == sizeof(buf) - 1) {
			answer(fd, "431 Request Header Fields Too Large", "Too long.\n", false);
			break;
		}
	}
done:
	close(fd);
	return NULL;
}

int main(int argc, char **argv)
{
	int listener;

	if (argc != 2) {
		fprintf(stderr, "usage: %s PORT\n", argv[0]);
		return 2;
	}
	listener = listen_local(argv[1]);
	for (;;)
		serve_in_thread(serve, accept_next(listener));
}
