/* Injection (inject.h) into the waits of weft/io.h, weft/select.h and weft/stream.h. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inject.h"

enum {
	SENT,
	GOT,
	DONE,
	ODD, /* what must not happen */
	GAVE_UP,
};

#define BYTES 3

static void expect(struct stage *stage, bool well)
{
	if (!well)
		count_in(stage, ODD, 1);
}

static void make_nothing(struct stage *stage)
{
	stage->counts[DONE] = 0;
}

/* --- pipes --- */

static void make_full_pipe(struct stage *stage)
{
	cr_assert_eq(pipe2(stage->ends, O_CLOEXEC), 0);
	fcntl(stage->ends[1], F_SETPIPE_SZ, 4096);
}

#define CHUNK 3000

/* The second and later ones do not fit: of a chunk that is not sent as a whole, all is sent once. */
static void *write_chunks(void *arg)
{
	static const char chunk[CHUNK];
	struct stage *stage = arg;
	size_t done;
	int err;

	for (int i = 0; i < BYTES; i++) {
		size_t sent = 0;

		do {
			done = 0;
			err = weft_write_all(stage->ends[1], chunk + sent, CHUNK - sent,
					     WEFT_FOREVER, &done);
			sent += err == 0 ? CHUNK - sent : done;
		} while (is_injected(err));
		expect(stage, err == 0 && sent == CHUNK);
		count_in(stage, SENT, CHUNK);
	}
	return NULL;
}

static void *read_chunks(void *arg)
{
	struct stage *stage = arg;
	char bytes[1000];
	ssize_t n;

	for (;;) {
		UNTIL_DONE(n, weft_read(stage->ends[0], bytes, sizeof(bytes), WEFT_FOREVER));
		if (n <= 0)
			break;
		count_in(stage, GOT, (int)n);
		weft_sleep(0);
	}
	expect(stage, n == 0);
	return NULL;
}

static void close_end(struct stage *stage)
{
	close(stage->ends[1]);
}

static const char *check_pipe(struct stage *stage)
{
	MUST(stage->counts[ODD] == 0);
	MUST(stage->counts[SENT] == BYTES * CHUNK);
	MUST(stage->counts[GOT] == BYTES * CHUNK);
	close(stage->ends[0]);
	return NULL;
}

Injected(pipe, .make = make_full_pipe, .bodies = {write_chunks, read_chunks, read_chunks},
	 .leaders = 1, .close = close_end, .check = check_pipe)

	/* --- sockets --- */

	static int listen_at_loopback(struct sockaddr_in *addr)
{
	socklen_t addr_len = sizeof(*addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*addr = (struct sockaddr_in){.sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	cr_assert_eq(bind(fd, (struct sockaddr *)addr, sizeof(*addr)), 0);
	cr_assert_eq(listen(fd, 5), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)addr, &addr_len), 0);
	return fd;
}

static void make_listener(struct stage *stage)
{
	stage->x = malloc(sizeof(struct sockaddr_in));
	stage->ends[0] = listen_at_loopback(stage->x);
}

static void *accept_and_echo(void *arg)
{
	struct stage *stage = arg;
	char bytes[4];
	ssize_t n;
	int fd;

	UNTIL_DONE(fd, weft_accept(stage->ends[0], NULL, NULL, SOCK_CLOEXEC, WEFT_FOREVER));
	expect(stage, fd >= 0);
	for (;;) {
		UNTIL_DONE(n, weft_recv(fd, bytes, sizeof(bytes), 0, WEFT_FOREVER));
		if (n <= 0)
			break;
		expect(stage, weft_send(fd, bytes, (size_t)n, 0, WEFT_FOREVER) == n);
	}
	expect(stage, n == 0);
	close(fd);
	return NULL;
}

static void *connect_and_ask(void *arg)
{
	struct stage *stage = arg;
	int err, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct pollfd answer = {.fd = fd, .events = POLLIN};
	char bytes[4];
	ssize_t n;

	UNTIL_DONE(err, weft_connect(fd, stage->x, sizeof(struct sockaddr_in), WEFT_FOREVER));
	expect(stage, err == 0 || err == -EISCONN);
	expect(stage, weft_send(fd, "ask", 3, 0, WEFT_FOREVER) == 3);
	UNTIL_DONE(n, weft_poll(&answer, 1, WEFT_FOREVER));
	expect(stage, n == 1 && answer.revents == POLLIN);
	n = weft_recv(fd, bytes, sizeof(bytes), 0, WEFT_FOREVER);
	expect(stage, n == 3 && memcmp(bytes, "ask", 3) == 0);
	close(fd);
	count_in(stage, DONE, 1);
	return NULL;
}

static const char *check_sockets(struct stage *stage)
{
	MUST(stage->counts[ODD] == 0);
	MUST(stage->counts[DONE] == 2);
	close(stage->ends[0]);
	free(stage->x);
	return NULL;
}

Injected(sockets, .make = make_listener,
	 .bodies = {accept_and_echo, connect_and_ask, accept_and_echo, connect_and_ask},
	 .check = check_sockets)

	/* --- what is done by other threads: files, names; children --- */

	static void *use_file(void *arg)
{
	struct stage *stage = arg;
	char byte = 0;
	ssize_t n;
	int fd;

	UNTIL_DONE(fd, weft_open("/proc/self/exe", O_RDONLY | O_CLOEXEC, 0, WEFT_FOREVER));
	expect(stage, fd >= 0);
	UNTIL_DONE(n, weft_pread(fd, &byte, 1, 1, WEFT_FOREVER));
	expect(stage, n == 1 && byte == 'E');
	close(fd);
	count_in(stage, DONE, 1);
	return NULL;
}

static void *look_up(void *arg)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST}, *list = NULL;
	struct stage *stage = arg;
	int err;

	UNTIL_DONE(err, weft_getaddrinfo("127.0.0.1", "80", &hints, WEFT_FOREVER, &list));
	expect(stage, err == 0 && list != NULL);
	if (err == 0)
		freeaddrinfo(list);
	count_in(stage, DONE, 1);
	return NULL;
}

static void *wait_for_child(void *arg)
{
	struct stage *stage = arg;
	pid_t child = fork();
	int err, status = 0;

	if (child == 0)
		_exit(7);
	UNTIL_DONE(err, weft_waitpid(child, WEFT_FOREVER, &status));
	expect(stage, err >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 7);
	count_in(stage, DONE, 1);
	return NULL;
}

static const char *check_chores(struct stage *stage)
{
	MUST(stage->counts[ODD] == 0);
	MUST(stage->counts[DONE] == 3);
	return NULL;
}

Injected(chores, .make = make_nothing, .bodies = {use_file, look_up, wait_for_child},
	 .check = check_chores)

	/* --- selectors --- */

	static void make_selector(struct stage *stage)
{
	make_pipe(stage->ends);
	cr_assert_eq(weft_selector_new((weft_selector **)&stage->x), 0);
	cr_assert_eq(weft_selector_register(stage->x, stage->ends[0], WEFT_IN, stage), 0);
}

static void *select_and_read(void *arg)
{
	struct stage *stage = arg;
	weft_ready ready[2];
	char byte;
	int n;

	while (count_in(stage, GOT, 0) < BYTES) {
		UNTIL_DONE(n, weft_selector_select(stage->x, ready, 2, WEFT_FOREVER));
		expect(stage, n == 1);
		if (n == 1 && ready[0].fd == stage->ends[0] && read(stage->ends[0], &byte, 1) == 1)
			count_in(stage, GOT, 1);
		UNTIL_DONE(n, weft_selector_select(stage->x, ready, 2, weft_after(WEFT_US)));
		expect(stage, n == 1 || n == -ETIMEDOUT);
	}
	return NULL;
}

static void *write_bytes(void *arg)
{
	struct stage *stage = arg;

	for (int i = 0; i < BYTES; i++) {
		weft_sleep(10 * WEFT_US);
		expect(stage, write(stage->ends[1], "x", 1) == 1);
	}
	return NULL;
}

static const char *check_selector(struct stage *stage)
{
	MUST(stage->counts[ODD] == 0);
	MUST(stage->counts[GOT] == BYTES);
	MUST(weft_selector_unregister(stage->x, stage->ends[0]) == 0);
	MUST(weft_selector_close(stage->x) == 0);
	MUST(weft_selector_free(stage->x) == 0);
	close(stage->ends[0]);
	close(stage->ends[1]);
	return NULL;
}

Injected(selector, .make = make_selector, .bodies = {select_and_read, write_bytes},
	 .check = check_selector)

	/* --- streams and servers --- */

	static void echo_lines(weft_stream *stream, void *arg)
{
	char line[16];
	ssize_t n;

	while ((n = weft_stream_read_line(stream, line, sizeof(line), WEFT_FOREVER)) > 0)
		expect(arg, weft_stream_write(stream, line, (size_t)n) == 0);
}

static void make_server(struct stage *stage)
{
	cr_assert_eq(weft_server_new((weft_server **)&stage->x, "127.0.0.1", "0", echo_lines, stage,
				     WEFT_FOREVER),
		     0);
}

static void talk_to(struct stage *stage, weft_stream *to, weft_stream *from)
{
	char line[16];
	ssize_t n;
	int err;

	for (int i = 0; i < 2; i++) {
		expect(stage, weft_stream_write(to, "a line\n", 7) == 0);
		UNTIL_DONE(err, weft_stream_drain(to, WEFT_FOREVER));
		expect(stage, err == 0);
		UNTIL_DONE(n, i == 0 ? weft_stream_read_line(from, line, sizeof(line), WEFT_FOREVER)
				     : weft_stream_read_exactly(from, line, 7, WEFT_FOREVER));
		expect(stage, n == 7 && memcmp(line, "a line\n", 7) == 0);
	}
	UNTIL_DONE(err, weft_stream_write_eof(to, WEFT_FOREVER));
	expect(stage, err == 0);
	UNTIL_DONE(n, weft_stream_read(from, line, sizeof(line), WEFT_FOREVER));
	expect(stage, n == 0 && weft_stream_at_eof(from));
	count_in(stage, DONE, 1);
}

static void *talk_to_server(void *arg)
{
	struct stage *stage = arg;
	weft_stream *stream;
	char service[8];
	int err;

	snprintf(service, sizeof(service), "%d", weft_server_port(stage->x));
	UNTIL_DONE(err, weft_open_connection(&stream, "127.0.0.1", service, WEFT_FOREVER));
	expect(stage, err == 0);
	if (err != 0)
		return NULL;
	talk_to(stage, stream, stream);
	expect(stage, weft_stream_free(stream) == 0);
	return NULL;
}

static void *wait_for_server(void *arg)
{
	struct stage *stage = arg;
	int err;

	UNTIL_DONE(err, weft_server_wait_closed(stage->x, WEFT_FOREVER));
	expect(stage, err == 0);
	return NULL;
}

static void close_server(struct stage *stage)
{
	expect(stage, weft_server_close(stage->x) == 0);
}

static const char *check_server(struct stage *stage)
{
	MUST(stage->counts[ODD] == 0);
	MUST(stage->counts[DONE] == 2);
	MUST(weft_server_free(stage->x) == 0);
	return NULL;
}

Injected(server, .make = make_server, .bodies = {talk_to_server, talk_to_server, wait_for_server},
	 .leaders = 2, .close = close_server, .check = check_server)

	/* --- programs --- */

	static void *talk_to_program(void *arg)
{
	char *const argv[] = {"cat", NULL};
	struct stage *stage = arg;
	weft_process *process;
	int err, code = -1;

	err = weft_process_new(&process, argv, NULL, WEFT_PIPE_IN | WEFT_PIPE_OUT);
	expect(stage, err == 0);
	if (err != 0)
		return NULL;
	talk_to(stage, weft_process_in(process), weft_process_out(process));
	UNTIL_DONE(err, weft_process_wait(process, WEFT_FOREVER, &code));
	expect(stage, err == 0 && code == 0);
	expect(stage, weft_process_free(process) == 0);
	return NULL;
}

static const char *check_program(struct stage *stage)
{
	MUST(stage->counts[ODD] == 0);
	MUST(stage->counts[DONE] == 1);
	return NULL;
}

Injected(program, .make = make_nothing, .bodies = {talk_to_program}, .check = check_program)
