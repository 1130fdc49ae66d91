/* Injection (inject.h) into the waits of weft/io.h, weft/select.h and weft/stream.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "inject.h"

enum {
	BYTES,
	LINES,
	ODD, /* what must not happen */
};

static void expect(struct stage *stage, bool well)
{
	if (!well)
		count_in(stage, ODD, 1);
}

static void make_nothing(struct stage *stage)
{
	(void)stage;
}

/* Small buffers, so that both sides wait. */
static void make_pair_of_sockets(int ends[2])
{
	int size = 1;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	for (int i = 0; i < 2; i++)
		setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

/* --- all is written and read, in its order, however often one is interrupted --- */

#define ALL 20000

static void make_sockets(struct stage *stage)
{
	make_pair_of_sockets(stage->ends);
}

static void *write_numbers(void *arg)
{
	struct stage *stage = arg;
	unsigned char *bytes = malloc(ALL);
	size_t done = 0;
	int err;

	for (size_t i = 0; i < ALL; i++)
		bytes[i] = (unsigned char)(i * 7);
	UNTIL_DONE(err, weft_write_all(stage->ends[1], bytes, ALL, WEFT_FOREVER, &done));
	expect(stage, err == 0 && done == ALL);
	free(bytes);
	return NULL;
}

static void *read_numbers(void *arg)
{
	struct stage *stage = arg;
	unsigned char *bytes = malloc(ALL);
	size_t done = 0;
	int err;

	UNTIL_DONE(err, weft_read_all(stage->ends[0], bytes, ALL, WEFT_FOREVER, &done));
	expect(stage, err == 0);
	for (size_t i = 0; i < done; i++)
		if (bytes[i] == (unsigned char)(i * 7))
			count_in(stage, BYTES, 1);
	free(bytes);
	return NULL;
}

static const char *check_all(struct stage *stage)
{
	close(stage->ends[0]);
	close(stage->ends[1]);
	MUST(stage->counts[BYTES] == ALL);
	MUST(stage->counts[ODD] == 0);
	return NULL;
}

Injected(all_of_it, .make = make_sockets, .bodies = {write_numbers, read_numbers},
	 .check = check_all)

/* --- streams: no line is lost or torn, whoever is interrupted --- */

#define LINES_SENT 6
#define LINE_BYTES 3000

	static void make_streams(struct stage *stage)
{
	make_pair_of_sockets(stage->ends);
	cr_assert_eq(weft_stream_new((weft_stream **)&stage->x, stage->ends[0]), 0);
	cr_assert_eq(weft_stream_new((weft_stream **)&stage->y, stage->ends[1]), 0);
}

static void *write_lines(void *arg)
{
	struct stage *stage = arg;
	char line[LINE_BYTES];
	int err;

	for (int i = 0; i < LINES_SENT; i++) {
		memset(line, 'a' + i, sizeof(line));
		line[sizeof(line) - 1] = '\n';
		expect(stage, weft_stream_write(stage->y, line, sizeof(line)) == 0);
		UNTIL_DONE(err, weft_stream_drain(stage->y, WEFT_FOREVER));
		expect(stage, err == 0);
	}
	UNTIL_DONE(err, weft_stream_write_eof(stage->y, WEFT_FOREVER));
	expect(stage, err == 0);
	return NULL;
}

static void *read_lines(void *arg)
{
	struct stage *stage = arg;
	char line[LINE_BYTES + 1];
	ssize_t n;

	for (int i = 0;; i++) {
		UNTIL_DONE(n, weft_stream_read_line(stage->x, line, sizeof(line), WEFT_FOREVER));
		if (n <= 0)
			break;
		expect(stage, n == LINE_BYTES && line[0] == 'a' + i && line[n - 2] == 'a' + i);
		count_in(stage, LINES, 1);
	}
	expect(stage, n == 0);
	return NULL;
}

static const char *check_streams(struct stage *stage)
{
	MUST(weft_stream_free(stage->x) == 0);
	MUST(weft_stream_free(stage->y) == 0);
	MUST(stage->counts[LINES] == LINES_SENT);
	MUST(stage->counts[ODD] == 0);
	return NULL;
}

Injected(streams, .make = make_streams, .bodies = {write_lines, read_lines}, .check = check_streams)

	/* --- a selector: what was ready for who was interrupted is ready for the next --- */

	static void make_selector(struct stage *stage)
{
	make_pair_of_sockets(stage->ends);
	cr_assert_eq(weft_selector_new((weft_selector **)&stage->x), 0);
	cr_assert_eq(weft_selector_register(stage->x, stage->ends[0], WEFT_IN, NULL), 0);
}

static void *select_and_read(void *arg)
{
	struct stage *stage = arg;
	weft_ready ready;
	char byte;
	int n;

	UNTIL_DONE(n, weft_selector_select(stage->x, &ready, 1, WEFT_FOREVER));
	expect(stage, n == 1 && ready.fd == stage->ends[0]);
	UNTIL_DONE(n, (int)weft_read(stage->ends[0], &byte, 1, WEFT_FOREVER));
	count_in(stage, BYTES, n);
	return NULL;
}

static void *write_two(void *arg)
{
	struct stage *stage = arg;

	weft_sleep(0);
	expect(stage, write(stage->ends[1], "xx", 2) == 2);
	return NULL;
}

static const char *check_selector(struct stage *stage)
{
	MUST(weft_selector_free(stage->x) == 0);
	close(stage->ends[0]);
	close(stage->ends[1]);
	MUST(stage->counts[BYTES] == 2);
	MUST(stage->counts[ODD] == 0);
	return NULL;
}

Injected(selector_of_two, .make = make_selector, .bodies = {select_and_read, select_and_read, write_two},
	 .check = check_selector)

	/* --- a server and its clients: each is served, and the server ends --- */

	static void serve_line(weft_stream *stream, void *arg)
{
	char line[16];
	ssize_t n;

	UNTIL_DONE(n, weft_stream_read_line(stream, line, sizeof(line), WEFT_FOREVER));
	if (n > 0)
		count_in(arg, LINES, 1);
}

static void *be_client(void *arg)
{
	struct stage *stage = arg;
	char port[8], byte;
	weft_stream *stream;
	int err;

	snprintf(port, sizeof(port), "%d", weft_server_port(stage->x));
	UNTIL_DONE(err, weft_open_connection(&stream, "127.0.0.1", port, WEFT_FOREVER));
	expect(stage, err == 0);
	if (err != 0)
		return NULL;
	expect(stage, weft_stream_write(stream, "line\n", 5) == 0);
	UNTIL_DONE(err, (int)weft_stream_read(stream, &byte, 1, WEFT_FOREVER));
	expect(stage, err == 0);
	expect(stage, weft_stream_free(stream) == 0);
	return NULL;
}

static void *run_server(void *arg)
{
	struct stage *stage = arg;
	weft_server *server;
	int err;

	UNTIL_DONE(err,
		   weft_server_new(&server, "127.0.0.1", "0", serve_line, stage, WEFT_FOREVER));
	expect(stage, err == 0);
	stage->x = server;
	for (int i = 0; i < 2; i++)
		be_client(stage);
	expect(stage, weft_server_close(server) == 0);
	UNTIL_DONE(err, weft_server_wait_closed(server, WEFT_FOREVER));
	expect(stage, err == 0 && weft_server_free(server) == 0);
	return NULL;
}

static const char *check_server(struct stage *stage)
{
	MUST(stage->counts[LINES] == 2);
	MUST(stage->counts[ODD] == 0);
	return NULL;
}

Injected(server_of_lines, .make = make_nothing, .bodies = {run_server}, .check = check_server)

	/* --- a child: all it says is heard, and its status is taken once --- */

	static void *talk_to_child(void *arg)
{
	char *const argv[] = {(char *)"cat", NULL};
	struct stage *stage = arg;
	char *input = calloc(1, ALL);
	size_t left = ALL;
	weft_process *process;
	weft_output out;
	int err;

	expect(stage, weft_process_new(&process, argv, NULL, WEFT_PIPE_IN | WEFT_PIPE_OUT) == 0);
	do {
		err = weft_process_communicate(process, input, left, WEFT_FOREVER, &out, NULL);
		left = 0; /* it is the stream's from the first call on */
	} while (is_injected(err));
	expect(stage, err == 0 && out.size_bytes == ALL);
	if (err == 0)
		free(out.bytes);
	UNTIL_DONE(err, weft_process_wait(process, WEFT_FOREVER, NULL));
	expect(stage, err == 0 && weft_process_free(process) == 0);
	free(input);
	count_in(stage, LINES, 1);
	return NULL;
}

static const char *check_child(struct stage *stage)
{
	MUST(stage->counts[LINES] == 1);
	MUST(stage->counts[ODD] == 0);
	return NULL;
}

Injected(child, .make = make_nothing, .bodies = {talk_to_child}, .check = check_child)
