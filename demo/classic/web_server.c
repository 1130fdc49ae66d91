/*
 * A web server of two routes that take half a second each, because they have to wait for something. Asked
 * for both at the same time it takes that once, not twice.
 */
#include <stdio.h>
#include <string.h>
#include <weft.h>

#define WAIT_NS (500 * WEFT_MS)

static char port[8];

static const char *route(const char *path)
{
	if (strcmp(path, "/") == 0) {
		weft_sleep(WAIT_NS);
		return "<h1>Index</h1>";
	}
	if (strcmp(path, "/hello") == 0) {
		weft_sleep(WAIT_NS);
		return "<h1>Hello, world</h1>";
	}
	return NULL;
}

static void serve(weft_stream *stream, void *unused)
{
	char head[1024], path[64], answer[512];
	const char *body;
	int n;

	(void)unused;
	if (weft_stream_read_until(stream, "\r\n\r\n", 4, head, sizeof(head),
				   weft_after(60 * WEFT_S)) <= 0 ||
	    sscanf(head, "GET %63s", path) != 1)
		return;
	body = route(path);
	n = snprintf(answer, sizeof(answer),
		     "HTTP/1.1 %s\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n%s",
		     body != NULL ? "200 OK" : "404 Not Found",
		     body != NULL ? body : "Nothing here");
	weft_stream_write(stream, answer, (size_t)n);
}

struct fetch {
	const char *path;
	char answer[512];
};

static void *fetch(void *arg)
{
	struct fetch *it = arg;
	weft_stream *stream;
	char request[128];
	int n = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n",
			 it->path);
	ssize_t got;

	if (weft_open_connection(&stream, "127.0.0.1", port, WEFT_FOREVER) != 0)
		return NULL;
	weft_stream_write(stream, request, (size_t)n);
	got = weft_stream_read_exactly(stream, it->answer, sizeof(it->answer) - 1, WEFT_FOREVER);
	it->answer[got > 0 ? got : 0] = '\0';
	weft_stream_free(stream);
	return NULL;
}

static void show(const struct fetch *it)
{
	const char *body = strstr(it->answer, "\r\n\r\n");

	printf("%s: %.*s: %s\n", it->path, (int)strcspn(it->answer, "\r"), it->answer,
	       body != NULL ? body + 4 : "no answer");
}

static void *serve_and_fetch(void *unused)
{
	struct fetch fetches[] = {{.path = "/"}, {.path = "/hello"}, {.path = "/nowhere"}};
	weft_task *tasks[3];
	int64_t begun_ns, alone_ns, together_ns;
	weft_server *server;

	if (weft_server_new(&server, "127.0.0.1", "0", serve, NULL, WEFT_FOREVER) != 0)
		return NULL;
	snprintf(port, sizeof(port), "%d", weft_server_port(server));
	begun_ns = weft_now();
	for (int i = 0; i < 3; i++)
		fetch(&fetches[i]);
	alone_ns = weft_now() - begun_ns;
	begun_ns = weft_now();
	for (int i = 0; i < 3; i++)
		weft_spawn(&tasks[i], fetch, &fetches[i]);
	weft_joinall(tasks, 3, 0, WEFT_FOREVER);
	together_ns = weft_now() - begun_ns;
	for (int i = 0; i < 3; i++) {
		show(&fetches[i]);
		weft_release(tasks[i]);
	}
	printf("both routes at once took less time than one after the other: %s\n",
	       together_ns < alone_ns ? "yes" : "no");
	weft_server_close(server);
	weft_server_wait_closed(server, WEFT_FOREVER);
	weft_server_free(server);
	return unused;
}

int main(void)
{
	return weft_run(serve_and_fetch, NULL, NULL) == 0 ? 0 : 1;
}
