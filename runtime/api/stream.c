/* See weft/stream.h and stream.h: what streams are, and reading them. */
#include "stream.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_ROOM ((size_t)4096)

int weft__bytes_reserve(struct weft__bytes *buffer, size_t more)
{
	size_t room = buffer->room == 0 ? LEAST_ROOM : buffer->room,
	       have = weft__bytes_count(buffer);
	char *bytes;

	if (buffer->room - buffer->end >= more)
		return 0;
	if (more > SSIZE_MAX - have)
		return -ENOMEM;
	while (room < have + more)
		room *= 2;
	bytes = malloc(room);
	if (bytes == NULL)
		return -ENOMEM;
	if (have != 0)
		memcpy(bytes, buffer->bytes + buffer->begin, have);
	free(buffer->bytes);
	*buffer = (struct weft__bytes){bytes, 0, have, room};
	return 0;
}

static void take(struct weft__bytes *buffer, void *bytes, size_t n)
{
	if (n != 0)
		memcpy(bytes, buffer->bytes + buffer->begin, n);
	buffer->begin += n;
	if (buffer->begin == buffer->end)
		buffer->begin = buffer->end = 0;
}

int weft_stream_new(weft_stream **ret_stream, int fd)
{
	weft_stream *stream;
	socklen_t len = sizeof(int);
	int type;
	long err;

	if (ret_stream == NULL)
		return -EINVAL;
	err = weft__ask(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &len);
	if (err == -EBADF)
		return -EBADF;
	stream = calloc(1, sizeof(*stream));
	if (stream == NULL)
		return -ENOMEM;
	stream->fd = fd;
	stream->is_socket = err == 0;
	weft__list_init(&stream->readers);
	weft__list_init(&stream->senders);
	*ret_stream = stream;
	return 0;
}

int weft_stream_free(weft_stream *stream)
{
	bool used;

	if (stream == NULL)
		return 0;
	weft__enter();
	used = stream->users != 0;
	weft__leave();
	if (used)
		return -EBUSY;
	if (!stream->closed)
		weft__ask(SYS_close, stream->fd);
	free(stream->in.bytes);
	free(stream->out.bytes);
	free(stream->going.bytes);
	free(stream);
	return 0;
}

int weft__stream_enter(weft_stream *stream)
{
	if (stream == NULL)
		return -EINVAL;
	weft__enter();
	if (stream->closed) {
		weft__leave();
		return -EBADF;
	}
	stream->users++;
	return 0;
}

int weft__stream_enter_wait(weft_stream *stream, int64_t deadline_ns)
{
	int err = weft__may_wait(deadline_ns);

	return err != 0 ? err : weft__stream_enter(stream);
}

void weft__stream_leave(weft_stream *stream)
{
	if (--stream->users == 0 && stream->closed)
		weft__ask(SYS_close, stream->fd);
	weft__leave();
}

int weft__stream_begin_read(weft_stream *stream, int64_t deadline_ns)
{
	int err = weft__stream_enter_wait(stream, deadline_ns);

	if (err != 0)
		return err;
	if (stream->reading) {
		weft__stream_leave(stream);
		return -EBUSY;
	}
	stream->reading = true;
	weft__leave();
	return 0;
}

void weft__stream_end_read(weft_stream *stream)
{
	weft__enter();
	stream->reading = false;
	weft__stream_leave(stream);
}

int weft__stream_fill_now(weft_stream *stream, size_t wanted_bytes)
{
	struct weft__bytes *in = &stream->in;
	long n;

	if (stream->ended)
		return 0;
	if (weft__bytes_reserve(in, wanted_bytes < LEAST_ROOM ? LEAST_ROOM : wanted_bytes) != 0)
		return -ENOMEM;
	n = weft__try_io(stream->fd, stream->is_socket, false, in->bytes + in->end,
			 in->room - in->end);
	if (n < 0)
		return (int)n;
	in->end += (size_t)n;
	__atomic_store_n(&stream->ended, n == 0, __ATOMIC_RELAXED);
	return n != 0;
}

/* Wait for something to come, and send meanwhile what is left to be. */
static int await_input(weft_stream *stream, int64_t deadline_ns)
{
	struct pollfd poll_fd = {.fd = stream->fd, .events = POLLIN};
	struct weft__wait wait;
	bool sends;
	int err;

	weft__enter();
	sends = !stream->sending && weft__stream_unsent(stream);
	if (sends) {
		stream->sending = true;
		weft__leave();
		err = weft__stream_send_now(stream);
		weft__enter();
		if (err == -EAGAIN)
			poll_fd.events |= POLLOUT;
		else
			weft__stream_end_send(stream);
		sends = err == -EAGAIN;
	}
	err = stream->closed ? -EBADF
			     : weft__poll_in(&stream->readers, &wait, &poll_fd, 1, deadline_ns);
	if (sends)
		weft__stream_end_send(stream);
	if (stream->closed)
		err = -EBADF;
	weft__leave();
	return err > 0 || err == -EAGAIN ? 0 : err;
}

/* Have more in the buffer, or the end. */
static int fill(weft_stream *stream, size_t wanted_bytes, int64_t deadline_ns)
{
	int result;

	while ((result = weft__stream_fill_now(stream, wanted_bytes)) == -EAGAIN) {
		result = await_input(stream, deadline_ns);
		if (result != 0)
			return result;
	}
	weft__spend_turn();
	return result < 0 ? result : 0;
}

ssize_t weft_stream_read(weft_stream *stream, void *bytes, size_t size_bytes, int64_t deadline_ns)
{
	size_t n = 0;
	int err;

	if (bytes == NULL || size_bytes > SSIZE_MAX)
		return -EINVAL;
	err = weft__stream_begin_read(stream, deadline_ns);
	if (err != 0)
		return err;
	if (weft__bytes_count(&stream->in) == 0 && size_bytes != 0)
		err = fill(stream, 1, deadline_ns);
	if (err == 0) {
		n = weft__bytes_count(&stream->in) < size_bytes ? weft__bytes_count(&stream->in)
								: size_bytes;
		take(&stream->in, bytes, n);
	}
	weft__stream_end_read(stream);
	return err != 0 ? err : (ssize_t)n;
}

ssize_t weft_stream_read_exactly(weft_stream *stream, void *bytes, size_t size_bytes,
				 int64_t deadline_ns)
{
	size_t n = size_bytes;
	int err;

	if (bytes == NULL || size_bytes > SSIZE_MAX)
		return -EINVAL;
	err = weft__stream_begin_read(stream, deadline_ns);
	if (err != 0)
		return err;
	while (err == 0 && weft__bytes_count(&stream->in) < size_bytes && !stream->ended)
		err = fill(stream, size_bytes - weft__bytes_count(&stream->in), deadline_ns);
	if (err == 0) {
		if (weft__bytes_count(&stream->in) < n)
			n = weft__bytes_count(&stream->in);
		take(&stream->in, bytes, n);
	}
	weft__stream_end_read(stream);
	return err != 0 ? err : (ssize_t)n;
}

struct separator {
	const void *bytes;
	size_t n;
};

/* How much is to be taken, or -ENOBUFS: more than there is room for. */
static ssize_t find_end(weft_stream *stream, struct separator separator, size_t most,
			int64_t deadline_ns)
{
	struct weft__bytes *in = &stream->in;
	size_t looked_at = 0, n;
	const char *found;
	int err;

	for (;;) {
		found = weft__bytes_count(in) - looked_at < separator.n
				? NULL
				: memmem(in->bytes + in->begin + looked_at,
					 weft__bytes_count(in) - looked_at, separator.bytes,
					 separator.n);
		n = found == NULL ? weft__bytes_count(in)
				  : (size_t)(found - (in->bytes + in->begin)) + separator.n;
		if (n > most)
			return -ENOBUFS;
		if (found != NULL || stream->ended)
			return (ssize_t)n;
		looked_at = n < separator.n ? 0 : n - separator.n + 1;
		err = fill(stream, 1, deadline_ns);
		if (err != 0)
			return err;
	}
}

ssize_t weft_stream_read_until(weft_stream *stream, const void *separator, size_t separator_bytes,
			       char *text, size_t size_bytes, int64_t deadline_ns)
{
	ssize_t n;
	int err;

	if (separator == NULL || separator_bytes == 0 || text == NULL || size_bytes < 2 ||
	    size_bytes > SSIZE_MAX)
		return -EINVAL;
	err = weft__stream_begin_read(stream, deadline_ns);
	if (err != 0)
		return err;
	n = find_end(stream, (struct separator){separator, separator_bytes}, size_bytes - 1,
		     deadline_ns);
	if (n >= 0) {
		take(&stream->in, text, (size_t)n);
		text[n] = '\0';
	}
	weft__stream_end_read(stream);
	return n;
}

ssize_t weft_stream_read_line(weft_stream *stream, char *text, size_t size_bytes,
			      int64_t deadline_ns)
{
	return weft_stream_read_until(stream, "\n", 1, text, size_bytes, deadline_ns);
}

bool weft_stream_at_eof(weft_stream *stream)
{
	bool ended;

	if (stream == NULL)
		return true;
	weft__enter();
	ended = __atomic_load_n(&stream->ended, __ATOMIC_RELAXED) && !stream->reading &&
		weft__bytes_count(&stream->in) == 0;
	weft__leave();
	return ended;
}

int weft_stream_fd(weft_stream *stream)
{
	int fd;

	if (stream == NULL)
		return -EINVAL;
	weft__enter();
	fd = stream->closed ? -EBADF : stream->fd;
	weft__leave();
	return fd;
}
