/* See weft/stream.h and stream.h: writing streams, and their end. */
#include "stream.h"

#include <limits.h>
#include <string.h>

void weft__stream_end_waits(struct weft__link *waits, int result)
{
	while (!weft__list_empty(waits))
		weft__wait_end(weft__wait_first(waits), result);
}

bool weft__stream_unsent(const weft_stream *stream)
{
	return stream->error == 0 && (stream->sending || weft__bytes_count(&stream->going) != 0 ||
				      weft__bytes_count(&stream->out) != 0);
}

int weft__stream_send_now(weft_stream *stream)
{
	struct weft__bytes *going = &stream->going, swap;
	long n = 0;

	while (n >= 0) {
		if (weft__bytes_count(going) == 0) {
			weft__enter();
			going->begin = going->end = 0;
			swap = *going;
			*going = stream->out;
			stream->out = swap;
			weft__leave();
		}
		if (weft__bytes_count(going) == 0)
			return 0;
		n = weft__try_io(stream->fd, stream->is_socket, true, going->bytes + going->begin,
				 weft__bytes_count(going));
		if (n > 0)
			going->begin += (size_t)n;
	}
	if (n != -EAGAIN) {
		weft__enter();
		stream->error = (int)n;
		weft__leave();
	}
	return (int)n;
}

void weft__stream_end_send(weft_stream *stream)
{
	stream->sending = false;
	weft__stream_end_waits(&stream->senders, 0);
}

/* What could be sent at once, with nothing before it; a negative errno: nothing can be any more. */
static long send_first(weft_stream *stream, const void *bytes, size_t n)
{
	long sent;

	if (n == 0 || weft__stream_unsent(stream))
		return 0;
	stream->sending = true;
	weft__leave();
	sent = weft__try_io(stream->fd, stream->is_socket, true, (void *)bytes, n);
	weft__enter();
	if (sent == -EAGAIN)
		sent = 0;
	if (sent < 0)
		stream->error = (int)sent;
	weft__stream_end_send(stream);
	return sent;
}

/* Entered. */
static int write_entered(weft_stream *stream, const void *bytes, size_t n)
{
	struct weft__bytes *out = &stream->out;
	long sent;

	if (stream->error != 0)
		return stream->error;
	if (stream->shut)
		return -EPIPE;
	sent = send_first(stream, bytes, n);
	if (sent < 0)
		return (int)sent;
	n -= (size_t)sent;
	if (n == 0)
		return 0;
	if (weft__bytes_reserve(out, n) != 0)
		return -ENOMEM;
	memcpy(out->bytes + out->end, (const char *)bytes + sent, n);
	out->end += n;
	weft__stream_end_waits(&stream->readers, -EAGAIN); /* who waits to read sends it */
	return 0;
}

int weft_stream_write(weft_stream *stream, const void *bytes, size_t size_bytes)
{
	int err;

	if ((bytes == NULL && size_bytes != 0) || size_bytes > SSIZE_MAX)
		return -EINVAL;
	err = weft__stream_enter_wait(stream, 0);
	if (err != 0)
		return err;
	err = write_entered(stream, bytes, size_bytes);
	weft__stream_leave(stream);
	return err;
}

/* Send, or wait for who does. Entered. */
static int send_more(weft_stream *stream, int64_t deadline_ns)
{
	struct pollfd poll_fd = {.fd = stream->fd, .events = POLLOUT};
	struct weft__wait wait;
	int err;

	if (stream->sending)
		return weft__wait_in(&stream->senders, &wait, deadline_ns);
	stream->sending = true;
	weft__leave();
	err = weft__stream_send_now(stream);
	weft__enter();
	if (err == -EAGAIN && !stream->closed)
		err = weft__poll_in(&stream->senders, &wait, &poll_fd, 1, deadline_ns);
	weft__stream_end_send(stream);
	return err > 0 ? 0 : err;
}

/* Entered. */
static int drain(weft_stream *stream, int64_t deadline_ns)
{
	int err = 0;

	while (err == 0 && weft__stream_unsent(stream) && !stream->closed)
		err = send_more(stream, deadline_ns);
	if (stream->closed)
		return -EBADF;
	return err != 0 ? err : stream->error;
}

int weft_stream_drain(weft_stream *stream, int64_t deadline_ns)
{
	int err = weft__stream_enter_wait(stream, deadline_ns);

	if (err != 0)
		return err;
	err = drain(stream, deadline_ns);
	weft__stream_leave(stream);
	return err;
}

/* Entered. */
static void close_entered(weft_stream *stream)
{
	stream->closed = true;
	weft__stream_end_waits(&stream->readers, -EBADF);
	weft__stream_end_waits(&stream->senders, -EBADF);
}

int weft_stream_write_eof(weft_stream *stream, int64_t deadline_ns)
{
	int err = weft__stream_enter_wait(stream, deadline_ns);

	if (err != 0)
		return err;
	err = drain(stream, deadline_ns);
	if (err == 0 && stream->is_socket) {
		stream->shut = true;
		weft__ask(SYS_shutdown, stream->fd, SHUT_WR);
	} else if (err == 0) {
		close_entered(stream);
	}
	weft__stream_leave(stream);
	return err;
}

int weft_stream_close(weft_stream *stream, int64_t deadline_ns)
{
	int err = weft__stream_enter_wait(stream, deadline_ns);

	if (err != 0)
		return err;
	err = drain(stream, deadline_ns);
	if (!stream->closed)
		close_entered(stream);
	weft__stream_leave(stream);
	return err;
}
