/*
 * Echo server on libuv's loop, by callbacks.
 *
 *     echo_libuv PORT
 *
 * All connections read into one buffer, for each part is written back, or copied,
 * before the next is read. What the other side does not take at once is written
 * when it can be, and meanwhile nothing more is read from it.
 */
#include "net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define PART_BYTES 65536

/* What is left of a part, behind the request that writes it. */
struct rest {
	uv_write_t request;
	char bytes[];
};

static char part[PART_BYTES];

static void check(int err, const char *what)
{
	if (err == 0)
		return;
	fprintf(stderr, "%s: %s\n", what, uv_strerror(err));
	exit(1);
}

static void free_handle(uv_handle_t *handle)
{
	free(handle);
}

static void end_connection(uv_stream_t *stream)
{
	if (!uv_is_closing((uv_handle_t *)stream))
		uv_close((uv_handle_t *)stream, free_handle);
}

static void lend_part(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	(void)handle;
	(void)suggested;
	*buf = uv_buf_init(part, sizeof(part));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static void on_written(uv_write_t *request, int err)
{
	uv_stream_t *stream = request->handle;

	free(request->data);
	if (err != 0 || uv_read_start(stream, lend_part, on_read) != 0)
		end_connection(stream);
}

static int write_later(uv_stream_t *stream, const char *bytes, size_t len)
{
	struct rest *rest = malloc(sizeof(*rest) + len);
	uv_buf_t buf;

	if (rest == NULL)
		return UV_ENOMEM;
	rest->request.data = rest;
	memcpy(rest->bytes, bytes, len);
	buf = uv_buf_init(rest->bytes, (unsigned int)len);
	uv_read_stop(stream);
	return uv_write(&rest->request, stream, &buf, 1, on_written);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	uv_buf_t answer;
	int written;

	if (n < 0) {
		end_connection(stream);
		return;
	}
	if (n == 0) /* nothing to read after all */
		return;
	answer = uv_buf_init(buf->base, (unsigned int)n);
	written = uv_try_write(stream, &answer, 1);
	if (written == UV_EAGAIN)
		written = 0;
	if (written < 0 ||
	    (written < n && write_later(stream, buf->base + written, (size_t)(n - written)) != 0))
		end_connection(stream);
}

static void on_connection(uv_stream_t *listener, int err)
{
	uv_tcp_t *connection = err == 0 ? malloc(sizeof(*connection)) : NULL;

	if (connection == NULL)
		return;
	uv_tcp_init(listener->loop, connection);
	if (uv_accept(listener, (uv_stream_t *)connection) != 0 ||
	    uv_read_start((uv_stream_t *)connection, lend_part, on_read) != 0) {
		end_connection((uv_stream_t *)connection);
		return;
	}
	uv_tcp_nodelay(connection, 1);
}

int main(int argc, char **argv)
{
	uv_loop_t *loop = uv_default_loop();
	uv_tcp_t listener;

	if (argc != 2) {
		fprintf(stderr, "usage: %s PORT\n", argv[0]);
		return 2;
	}
	check(uv_tcp_init(loop, &listener), "listener");
	check(uv_tcp_open(&listener, listen_local(argv[1])), "listener");
	check(uv_listen((uv_stream_t *)&listener, 4096, on_connection), "listen");
	uv_run(loop, UV_RUN_DEFAULT);
	return 0;
}
