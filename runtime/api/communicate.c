/* See weft_process_communicate(): all three streams of a child are moved by one poll(2). */
#include <stdlib.h>
#include <unistd.h>

#include "stream.h"
#include "subprocess.h"

/* Send what fits of the input; whether there is more. The child may have enough before. */
static bool feed(weft_stream *in)
{
	int err;

	if (in == NULL || weft__stream_enter(in) != 0)
		return false;
	err = -EAGAIN;
	if (!in->sending && in->error == 0) {
		in->sending = true;
		weft__leave();
		err = weft__stream_send_now(in);
		weft__enter();
		weft__stream_end_send(in);
	} else if (in->error != 0) {
		err = in->error;
	}
	weft__stream_leave(in);
	if (err == -EAGAIN)
		return true;
	weft_stream_close(in, 0);
	return false;
}

/* Read what there is: -EAGAIN, 0 at the end, or an error. */
static int drink(weft_stream *out)
{
	int result;

	if (out == NULL)
		return 0;
	do
		result = weft__stream_fill_now(out, 1);
	while (result > 0);
	return result;
}

/* Move all bytes. The caller reads both streams. */
static int exchange(weft_process *process, int64_t deadline_ns)
{
	for (;;) {
		struct pollfd fds[3];
		nfds_t n = 0;
		int err;

		if (feed(process->stream[STDIN_FILENO]))
			fds[n++] = (struct pollfd){process->stream[STDIN_FILENO]->fd, POLLOUT, 0};
		for (int i = STDOUT_FILENO; i <= STDERR_FILENO; i++) {
			err = drink(process->stream[i]);
			if (err == -EAGAIN)
				fds[n++] = (struct pollfd){process->stream[i]->fd, POLLIN, 0};
			else if (err != 0)
				return err;
		}
		if (n == 0)
			return 0;
		err = weft_poll(fds, n, deadline_ns);
		if (err < 0)
			return err;
	}
}

/* Read the streams that are still open; ret_read: which. */
static int begin_reads(weft_process *process, int64_t deadline_ns, bool ret_read[3])
{
	int err = 0;

	for (int i = STDOUT_FILENO; i <= STDERR_FILENO && err == 0; i++) {
		if (process->stream[i] == NULL)
			continue;
		err = weft__stream_begin_read(process->stream[i], deadline_ns);
		ret_read[i] = err == 0;
	}
	return err;
}

/* All that is in a stream's buffer, or NULL. */
static int take_output(weft_stream *stream, weft_output *output)
{
	struct weft__bytes *in = &stream->in;
	size_t n = in->end - in->begin;
	char *bytes = malloc(n + 1);

	if (bytes == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		bytes[i] = in->bytes[in->begin + i];
	bytes[n] = '\0';
	*output = (weft_output){bytes, n};
	return 0;
}

/* Both or none. */
static int take_outputs(weft_process *process, weft_output *ret_out, weft_output *ret_err)
{
	weft_output output[3] = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
	int err = 0;

	for (int i = STDOUT_FILENO; i <= STDERR_FILENO && err == 0; i++)
		if (process->stream[i] != NULL)
			err = take_output(process->stream[i], &output[i]);
	if (err == 0 && ret_out != NULL)
		*ret_out = output[STDOUT_FILENO];
	else
		free(output[STDOUT_FILENO].bytes);
	if (err == 0 && ret_err != NULL)
		*ret_err = output[STDERR_FILENO];
	else
		free(output[STDERR_FILENO].bytes);
	for (int i = STDOUT_FILENO; i <= STDERR_FILENO && err == 0; i++)
		if (process->stream[i] != NULL)
			process->stream[i]->in.begin = process->stream[i]->in.end = 0;
	return err;
}

int weft_process_communicate(weft_process *process, const void *input, size_t input_bytes,
			     int64_t deadline_ns, weft_output *ret_out, weft_output *ret_err)
{
	bool reads[3] = {false, false, false};
	int err;

	if (process == NULL || (input == NULL && input_bytes != 0) ||
	    (input_bytes != 0 && process->stream[STDIN_FILENO] == NULL))
		return -EINVAL;
	err = weft__may_wait(deadline_ns);
	if (err != 0)
		return err;
	err = begin_reads(process, deadline_ns, reads);
	if (err == 0 && input_bytes != 0) {
		err = weft_stream_write(process->stream[STDIN_FILENO], input, input_bytes);
		if (err == -EPIPE)
			err = 0;
	}
	if (err == 0)
		err = exchange(process, deadline_ns);
	if (err == 0)
		err = weft_process_wait(process, deadline_ns, NULL);
	if (err == 0)
		err = take_outputs(process, ret_out, ret_err);
	for (int i = STDOUT_FILENO; i <= STDERR_FILENO; i++)
		if (reads[i])
			weft__stream_end_read(process->stream[i]);
	return err;
}
