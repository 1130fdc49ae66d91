/* weft.h: streams and servers. */
#include "api_io.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A stream, and the other side. */
static weft_stream *new_stream(int *ret_other)
{
	weft_stream *stream = NULL;
	int ends[2];

	make_pair(ends);
	cr_assert_eq(weft_stream_new(&stream, ends[0]), 0);
	*ret_other = ends[1];
	return stream;
}

static void say(int fd, const char *text)
{
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static ssize_t read_line(void *stream)
{
	char line[64];

	return weft_stream_read_line(stream, line, sizeof(line), WEFT_FOREVER);
}

static ssize_t drain(void *stream)
{
	return weft_stream_drain(stream, WEFT_FOREVER);
}

BothWays(api_stream, lines_are_read_one_by_one)
{
	char line[8];
	int other;
	weft_stream *stream = new_stream(&other);

	say(other, "one\ntwo\n\nlast");
	close(other);
	cr_assert_eq(weft_stream_read_line(stream, line, 8, WEFT_FOREVER), 4);
	cr_assert_str_eq(line, "one\n");
	cr_assert_eq(weft_stream_read_line(stream, line, 8, WEFT_FOREVER), 4);
	cr_assert_str_eq(line, "two\n");
	cr_assert_eq(weft_stream_read_line(stream, line, 8, WEFT_FOREVER), 1);
	cr_assert_not(weft_stream_at_eof(stream));
	cr_assert_eq(weft_stream_read_line(stream, line, 8, WEFT_FOREVER), 4);
	cr_assert_str_eq(line, "last");
	cr_assert_eq(weft_stream_read_line(stream, line, 8, WEFT_FOREVER), 0);
	cr_assert(weft_stream_at_eof(stream));
	cr_assert_eq(weft_stream_free(stream), 0);
}

BothWays(api_stream, a_line_that_comes_in_pieces_is_waited_for)
{
	struct made made;
	int other;
	weft_stream *stream = new_stream(&other);

	make_and_wait(&made, read_line, stream);
	cr_assert_eq(weft_stream_free(stream), -EBUSY);
	cr_assert_eq(read_line(stream), -EBUSY);
	say(other, "ab");
	weft_sleep(WEFT_MS);
	say(other, "cd");
	weft_sleep(WEFT_MS);
	say(other, "e\nf");

	cr_assert_eq(result_of(&made), 6);
	cr_assert_eq(weft_stream_free(stream), 0);
}

BothWays(api_stream, a_separator_may_come_in_two_parts)
{
	char text[16];
	int other;
	weft_stream *stream = new_stream(&other);

	say(other, "head\r\n\r");
	cr_assert_eq(weft_stream_read_until(stream, "\r\n\r\n", 4, text, 16, weft_after(WEFT_MS)),
		     -ETIMEDOUT);
	say(other, "\nbody");
	cr_assert_eq(weft_stream_read_until(stream, "\r\n\r\n", 4, text, 16, WEFT_FOREVER), 8);
	cr_assert_str_eq(text, "head\r\n\r\n");
	cr_assert_eq(weft_stream_read(stream, text, 16, WEFT_FOREVER), 4);
	cr_assert_eq(weft_stream_free(stream), 0);
}

BothWays(api_stream, a_line_for_which_there_is_no_room_stays)
{
	char line[8];
	int other;
	weft_stream *stream = new_stream(&other);

	say(other, "12345678\n");
	cr_assert_eq(weft_stream_read_line(stream, line, 8, WEFT_FOREVER), -ENOBUFS);
	cr_assert_eq(weft_stream_read_exactly(stream, line, 8, WEFT_FOREVER), 8);
	cr_assert_eq(memcmp(line, "12345678", 8), 0);
	cr_assert_eq(weft_stream_read_line(stream, line, 8, WEFT_FOREVER), 1);
	say(other, "123456789");
	cr_assert_eq(weft_stream_read_line(stream, line, 8, WEFT_FOREVER), -ENOBUFS);
	cr_assert_eq(weft_stream_free(stream), 0);
}

BothWays(api_stream, a_read_that_fails_has_lost_nothing)
{
	char bytes[8];
	struct made made;
	int other;
	weft_stream *stream = new_stream(&other);

	say(other, "abc");
	cr_assert_eq(weft_stream_read_exactly(stream, bytes, 8, weft_after(WEFT_MS)), -ETIMEDOUT);
	make_and_wait(&made, read_line, stream);
	weft_raise(made.task, -ESTALE);
	cr_assert_eq(result_of(&made), -ESTALE);
	cr_assert_eq(weft_stream_read(stream, bytes, 2, 0), 2);
	cr_assert_eq(memcmp(bytes, "ab", 2), 0);
	close(other);
	cr_assert_eq(weft_stream_read_exactly(stream, bytes, 8, WEFT_FOREVER), 1);
	cr_assert_eq(weft_stream_free(stream), 0);
}

#define MUCH ((size_t)1 << 20)

struct reader {
	int fd;
	size_t wrong, bytes;
};

/* Reads what is a count, until the end. */
static ssize_t read_much(void *arg)
{
	struct reader *reader = arg;
	unsigned char bytes[4096];
	ssize_t n;

	while ((n = weft_read(reader->fd, bytes, sizeof(bytes), WEFT_FOREVER)) > 0)
		for (ssize_t i = 0; i < n; i++)
			reader->wrong +=
				bytes[i] != (unsigned char)(__atomic_fetch_add(&reader->bytes, 1,
									       __ATOMIC_RELAXED) *
							    7);
	return n;
}

static void write_much(weft_stream *stream)
{
	unsigned char *bytes = malloc(MUCH);

	for (size_t i = 0; i < MUCH; i++)
		bytes[i] = (unsigned char)(i * 7);
	for (size_t i = 0; i < MUCH; i += MUCH / 8)
		cr_assert_eq(weft_stream_write(stream, bytes + i, MUCH / 8), 0);
	free(bytes);
}

BothWays(api_stream, what_does_not_fit_is_sent_by_a_drain)
{
	struct reader reader = {0, 0, 0};
	struct made made, drains[3];
	weft_stream *stream = new_stream(&reader.fd);

	write_much(stream);
	cr_assert_eq(weft_stream_drain(stream, 0), -ETIMEDOUT);
	for (size_t i = 0; i < COUNT(drains); i++)
		make(&drains[i], drain, stream);
	make(&made, read_much, &reader);
	cr_assert_eq(weft_stream_drain(stream, WEFT_FOREVER), 0);
	for (size_t i = 0; i < COUNT(drains); i++)
		cr_assert_eq(result_of(&drains[i]), 0);
	cr_assert_eq(weft_stream_write_eof(stream, WEFT_FOREVER), 0);
	cr_assert_eq(result_of(&made), 0);
	cr_assert_eq(reader.bytes, MUCH);
	cr_assert_eq(reader.wrong, 0);
	cr_assert_eq(weft_stream_write(stream, "x", 1), -EPIPE);
	cr_assert_eq(weft_stream_free(stream), 0);
}

BothWays(api_stream, what_does_not_fit_is_sent_by_a_close)
{
	struct reader reader = {0, 0, 0};
	struct made made;
	weft_stream *stream = new_stream(&reader.fd);

	write_much(stream);
	make(&made, read_much, &reader);
	cr_assert_eq(weft_stream_close(stream, WEFT_FOREVER), 0);
	cr_assert_eq(result_of(&made), 0);
	cr_assert_eq(reader.bytes, MUCH);
	cr_assert_eq(reader.wrong, 0);
	cr_assert_eq(weft_stream_free(stream), 0);
}

/* Nobody drains; who waits for the answer sends what is asked, also what is written in the meantime. */
BothWays(api_stream, who_waits_to_read_sends_what_is_left)
{
	struct reader reader = {0, 0, 0};
	struct made made, answer;
	weft_stream *stream = new_stream(&reader.fd);

	make_and_wait(&answer, read_line, stream);
	write_much(stream);
	make(&made, read_much, &reader);
	while (__atomic_load_n(&reader.bytes, __ATOMIC_RELAXED) < MUCH)
		weft_sleep(WEFT_MS);
	say(reader.fd, "answer\n");

	cr_assert_eq(result_of(&answer), 7);
	cr_assert_eq(weft_stream_close(stream, WEFT_FOREVER), 0);
	cr_assert_eq(result_of(&made), 0);
	cr_assert_eq(reader.wrong, 0);
	cr_assert_eq(weft_stream_free(stream), 0);
}

BothWays(api_stream, nobody_who_reads_is_an_error_for_good)
{
	int other;
	weft_stream *stream = new_stream(&other);

	close(other);
	cr_assert_eq(weft_stream_write(stream, "x", 1), -EPIPE);
	cr_assert_eq(weft_stream_write(stream, "x", 1), -EPIPE);
	cr_assert_eq(weft_stream_drain(stream, WEFT_FOREVER), -EPIPE);
	cr_assert_eq(weft_stream_close(stream, WEFT_FOREVER), -EPIPE);
	cr_assert_eq(weft_stream_drain(stream, WEFT_FOREVER), -EBADF);
	cr_assert_eq(weft_stream_free(stream), 0);
}

BothWays(api_stream, a_close_ends_the_waits)
{
	int other, before = (int)count_descriptors();
	struct made reads, drains;
	weft_stream *stream = new_stream(&other);
	char byte;

	fill_up(weft_stream_fd(stream));
	cr_assert_eq(weft_stream_write(stream, "x", 1), 0);
	make_and_wait(&reads, read_line, stream);
	make_and_wait(&drains, drain, stream);
	cr_assert_eq(weft_stream_close(stream, weft_after(WEFT_MS)), -ETIMEDOUT);

	cr_assert_eq(result_of(&reads), -EBADF);
	cr_assert_eq(result_of(&drains), -EBADF);
	cr_assert_eq(weft_stream_fd(stream), -EBADF);
	cr_assert_eq(weft_stream_close(stream, 0), -EBADF);
	cr_assert_eq(weft_stream_read(stream, &byte, 1, 0), -EBADF);
	cr_assert_eq(weft_stream_write(stream, &byte, 1), -EBADF);
	cr_assert_eq(weft_stream_write_eof(stream, 0), -EBADF);
	close(other);
	cr_assert_leq((int)count_descriptors(), before + (on_threads ? 1 : 0)); /* a bell */
	cr_assert_eq(weft_stream_free(stream), 0);
}

BothWays(api_stream, pipes_are_streams_of_one_direction)
{
	weft_stream *in, *out;
	char line[8];
	int ends[2];

	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	cr_assert_eq(weft_stream_new(&in, ends[0]), 0);
	cr_assert_eq(weft_stream_new(&out, ends[1]), 0);
	cr_assert_eq(weft_stream_write(out, "one\n", 4), 0);
	cr_assert_eq(weft_stream_read_line(in, line, 8, WEFT_FOREVER), 4);
	cr_assert_eq(weft_stream_write_eof(out, WEFT_FOREVER), 0);
	cr_assert_eq(weft_stream_read_line(in, line, 8, WEFT_FOREVER), 0);
	cr_assert_eq(weft_stream_write(out, "x", 1), -EBADF);
	cr_assert_eq(weft_stream_free(in), 0);
	cr_assert_eq(weft_stream_free(out), 0);
}

BothWays(api_stream, bad_arguments_are_refused)
{
	weft_stream *stream = NULL, *made;
	weft_server *server = NULL;
	char byte;
	int other;

	cr_assert_eq(weft_stream_new(NULL, 0), -EINVAL);
	cr_assert_eq(weft_stream_new(&stream, -1), -EBADF);
	cr_assert_null(stream);
	stream = new_stream(&other);
	cr_assert_eq(weft_stream_read(NULL, &byte, 1, 0), -EINVAL);
	cr_assert_eq(weft_stream_read(stream, NULL, 1, 0), -EINVAL);
	cr_assert_eq(weft_stream_read(stream, &byte, (size_t)-1, 0), -EINVAL);
	cr_assert_eq(weft_stream_read(stream, &byte, 0, 0), 0);
	cr_assert_eq(weft_stream_read_exactly(stream, &byte, (size_t)-1, 0), -EINVAL);
	cr_assert_eq(weft_stream_read_exactly(NULL, &byte, 1, 0), -EINVAL);
	cr_assert_eq(weft_stream_read_line(stream, &byte, 1, 0), -EINVAL);
	cr_assert_eq(weft_stream_read_until(stream, "", 0, &byte, 2, 0), -EINVAL);
	cr_assert_eq(weft_stream_read_until(stream, NULL, 1, &byte, 2, 0), -EINVAL);
	cr_assert_eq(weft_stream_write(NULL, "x", 1), -EINVAL);
	cr_assert_eq(weft_stream_write(stream, NULL, 1), -EINVAL);
	cr_assert_eq(weft_stream_write(stream, NULL, 0), 0);
	cr_assert_eq(weft_stream_drain(NULL, 0), -EINVAL);
	cr_assert_eq(weft_stream_drain(stream, 0), 0);
	cr_assert_eq(weft_stream_write_eof(NULL, 0), -EINVAL);
	cr_assert_eq(weft_stream_close(NULL, 0), -EINVAL);
	cr_assert_eq(weft_stream_fd(NULL), -EINVAL);
	cr_assert(weft_stream_at_eof(NULL));
	cr_assert_eq(weft_stream_free(NULL), 0);
	cr_assert_eq(weft_stream_free(stream), 0);
	cr_assert_eq(weft_open_connection(NULL, "::1", "1", 0), -EINVAL);
	cr_assert_eq(weft_open_connection(&made, NULL, "1", 0), -EINVAL);
	cr_assert_eq(weft_server_new(&server, NULL, NULL, NULL, NULL, 0), -EINVAL);
	cr_assert_eq(weft_server_port(NULL), -EINVAL);
	cr_assert_eq(weft_server_close(NULL), -EINVAL);
	cr_assert_eq(weft_server_wait_closed(NULL, 0), -EINVAL);
	cr_assert_eq(weft_server_free(NULL), 0);
	close(other);
}

static void echo_lines(weft_stream *stream, void *served)
{
	char line[64];
	ssize_t n;

	while ((n = weft_stream_read_line(stream, line, sizeof(line), WEFT_FOREVER)) > 0)
		cr_expect_eq(weft_stream_write(stream, line, (size_t)n), 0);
	__atomic_add_fetch((int *)served, 1, __ATOMIC_RELAXED);
}

struct client {
	char port[8];
	int number;
};

static ssize_t be_client(void *arg)
{
	const struct client *client = arg;
	char line[64], back[64];
	weft_stream *stream;
	int err = weft_open_connection(&stream, "127.0.0.1", client->port, WEFT_FOREVER);

	if (err != 0)
		return err;
	for (int i = 0; i < 5; i++) {
		int n = snprintf(line, sizeof(line), "client %d says %d\n", client->number, i);

		cr_expect_eq(weft_stream_write(stream, line, (size_t)n), 0);
		cr_expect_eq(weft_stream_read_line(stream, back, sizeof(back), WEFT_FOREVER), n);
		cr_expect_str_eq(line, back);
	}
	err = weft_stream_close(stream, WEFT_FOREVER);
	weft_stream_free(stream);
	return err;
}

BothWays(api_stream, a_server_serves_each_connection_by_a_task)
{
	struct client clients[30];
	struct made made[30];
	weft_server *server;
	int served = 0;

	cr_assert_eq(weft_server_new(&server, "127.0.0.1", "0", echo_lines, &served, WEFT_FOREVER),
		     0);
	for (int i = 0; i < 30; i++) {
		clients[i].number = i;
		snprintf(clients[i].port, sizeof(clients[i].port), "%d", weft_server_port(server));
		make(&made[i], be_client, &clients[i]);
	}
	for (int i = 0; i < 30; i++)
		cr_assert_eq(result_of(&made[i]), 0);
	cr_assert_eq(weft_server_free(server), -EBUSY);
	cr_assert_eq(weft_server_close(server), 0);
	cr_assert_eq(weft_server_close(server), -EBADF);
	cr_assert_eq(weft_server_wait_closed(server, WEFT_FOREVER), 0);
	cr_assert_eq(served, 30);
	cr_assert_eq(be_client(&clients[0]), -ECONNREFUSED);
	cr_assert_eq(weft_server_free(server), 0);
}

static weft_server *waited_for;

static void wait_for_oneself(weft_stream *stream, void *unused)
{
	(void)stream;
	(void)unused;
	cr_expect_eq(weft_server_wait_closed(waited_for, WEFT_FOREVER), -EDEADLK);
}

BothWays(api_stream, who_serves_a_connection_cannot_wait_for_all_of_them)
{
	weft_stream *stream;
	char port[8], byte;

	cr_assert_eq(weft_server_new(&waited_for, "localhost", "0", wait_for_oneself, NULL,
				     WEFT_FOREVER),
		     0);
	snprintf(port, sizeof(port), "%d", weft_server_port(waited_for));
	cr_assert_eq(weft_open_connection(&stream, "localhost", port, WEFT_FOREVER), 0);
	cr_assert_eq(weft_stream_read(stream, &byte, 1, WEFT_FOREVER), 0);
	cr_assert_eq(weft_stream_free(stream), 0);
	cr_assert_eq(weft_server_close(waited_for), 0);
	cr_assert_eq(weft_server_wait_closed(waited_for, WEFT_FOREVER), 0);
	cr_assert_eq(weft_server_free(waited_for), 0);
}

BothWays(api_stream, a_port_that_is_taken_is_an_error)
{
	struct sockaddr_in addr;
	int listener = listen_here(&addr), served;
	weft_server *server = NULL;
	char port[8];

	snprintf(port, sizeof(port), "%d", ntohs(addr.sin_port));
	cr_assert_eq(weft_server_new(&server, "127.0.0.1", port, echo_lines, &served, WEFT_FOREVER),
		     -EADDRINUSE);
	cr_assert_eq(weft_server_new(&server, "127.0.0.1", "no such service", echo_lines, &served,
				     WEFT_FOREVER),
		     -EAI_SERVICE);
	cr_assert_null(server);
	close(listener);
}
