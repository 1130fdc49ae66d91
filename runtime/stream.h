/*
 * A stream as its own families see it: for who moves its bytes by a poll(2) of several.
 *
 * A task is in a stream from weft__stream_enter() to weft__stream_leave(); the descriptor is closed when
 * nobody is any more, so that its number is nobody else's until then. `in` belongs to who has `reading`
 * set, `going` to who has `sending` set; those move bytes without keeping others out.
 */
#ifndef WEFT_STREAM_INNER_H
#define WEFT_STREAM_INNER_H

#include "native.h"

struct weft__bytes {
	char *bytes;
	size_t begin, end, room;
};

static inline size_t weft__bytes_count(const struct weft__bytes *buffer)
{
	return buffer->end - buffer->begin;
}

/** Have room for so much more behind what there is: 0 or -ENOMEM. */
int weft__bytes_reserve(struct weft__bytes *buffer, size_t more);

struct weft_stream {
	int fd;
	bool is_socket, closed;
	bool ended; /* nothing comes any more */
	bool shut;  /* nothing may be written any more */
	bool reading, sending;
	int error;          /* of sending: nothing can be sent any more */
	unsigned int users; /* tasks that are in it */
	struct weft__bytes in;
	struct weft__bytes out, going;      /* to be sent; of that, what is sent first */
	struct weft__link readers, senders; /* waits: until something comes; until there is room, or
					     * until who sends has let go of `going` */
};

/** Be in a stream, entered: 0, -EINVAL or -EBADF. The second leaves both. */
int weft__stream_enter(weft_stream *stream);
void weft__stream_leave(weft_stream *stream);

/** The same for what may wait: also what weft__may_wait() returns, first. */
int weft__stream_enter_wait(weft_stream *stream, int64_t deadline_ns);

/** Be in a stream and have `in`; not entered then. Also -EBUSY, and what weft__may_wait() returns. */
int weft__stream_begin_read(weft_stream *stream, int64_t deadline_ns);
void weft__stream_end_read(weft_stream *stream);

/** Put what has come into `in`: 1, 0 at the end, -EAGAIN, -ENOMEM, or an error of read(2). */
int weft__stream_fill_now(weft_stream *stream, size_t wanted_bytes);

/** Whether something is to be sent still. Entered. */
bool weft__stream_unsent(const weft_stream *stream);

/** With `sending`: send what fits now: 0 when that was all, -EAGAIN, or an error of send(2). */
int weft__stream_send_now(weft_stream *stream);

/** End all of some waits. Entered. */
void weft__stream_end_waits(struct weft__link *waits, int result);

/** Let go of `sending`. Entered. */
void weft__stream_end_send(weft_stream *stream);

#endif
