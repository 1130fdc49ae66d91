/*
 * A server that answers each line in upper case, and 500 clients at once: a task for each connection on
 * either side, all of them on one kernel thread.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <weft.h>

#define CLIENTS 500
#define LINES 3

static int right_answers;
static char port[8];

/* What serves one connection. When it returns the stream is closed. */
static void answer(weft_stream *stream, void *unused)
{
	char line[64];
	ssize_t n;

	(void)unused;
	while ((n = weft_stream_read_line(stream, line, sizeof(line), WEFT_FOREVER)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			line[i] = (char)toupper(line[i]);
		if (weft_stream_write(stream, line, (size_t)n) != 0 ||
		    weft_stream_drain(stream, WEFT_FOREVER) != 0)
			break;
	}
}

static void *ask(void *number)
{
	char line[64], want[64], got[64];
	weft_stream *stream;

	if (weft_open_connection(&stream, "127.0.0.1", port, WEFT_FOREVER) != 0)
		return NULL;
	for (int i = 0; i < LINES; i++) {
		int n = snprintf(line, sizeof(line), "client %ld, line %d\n", (long)number, i);

		snprintf(want, sizeof(want), "CLIENT %ld, LINE %d\n", (long)number, i);
		if (weft_stream_write(stream, line, (size_t)n) != 0 ||
		    weft_stream_read_line(stream, got, sizeof(got), WEFT_FOREVER) != n)
			break;
		/* Under weft tasks are threads, and may run on several processors. */
		if (strcmp(got, want) == 0)
			__atomic_add_fetch(&right_answers, 1, __ATOMIC_RELAXED);
	}
	weft_stream_close(stream, WEFT_FOREVER);
	weft_stream_free(stream);
	return NULL;
}

static void *serve_and_ask(void *unused)
{
	weft_task *clients[CLIENTS];
	weft_server *server;

	if (weft_server_new(&server, "127.0.0.1", "0", answer, NULL, WEFT_FOREVER) != 0)
		return NULL;
	snprintf(port, sizeof(port), "%d", weft_server_port(server));
	for (long i = 0; i < CLIENTS; i++)
		if (weft_spawn(&clients[i], ask, (void *)i) != 0)
			return NULL;
	weft_joinall(clients, CLIENTS, 0, WEFT_FOREVER);
	for (long i = 0; i < CLIENTS; i++)
		weft_release(clients[i]);
	weft_server_close(server);
	weft_server_wait_closed(server, WEFT_FOREVER);
	weft_server_free(server);
	printf("%d clients, %d answers in upper case\n", CLIENTS, right_answers);
	return unused;
}

int main(void)
{
	struct rlimit limit;

	/* Two descriptors for each connection: one on either side. */
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	return weft_run(serve_and_ask, NULL, NULL) == 0 ? 0 : 1;
}
