/*
 * Streams, servers and child processes, in the shapes of asyncio.
 *
 * A stream is a descriptor with a buffer for what has come and one for what is to go: reader and writer of
 * asyncio in one. What has come stays in the buffer until a read takes it: a read that fails, for its
 * deadline or by a raise, has lost nothing.
 *
 *     static void serve(weft_stream *stream, void *unused)
 *     {
 *         char line[256];
 *         ssize_t n;
 *
 *         while ((n = weft_stream_read_line(stream, line, sizeof(line), WEFT_FOREVER)) > 0) {
 *             weft_stream_write(stream, line, (size_t)n);
 *             weft_stream_drain(stream, WEFT_FOREVER);
 *         }
 *     }
 *
 *     weft_server *server;
 *     weft_server_new(&server, "127.0.0.1", "0", serve, NULL, WEFT_FOREVER);
 *     printf("port %d\n", weft_server_port(server));
 *
 * One task reads a stream at a time, another one may write meanwhile. What weft_stream_write() could not
 * send at once goes out in weft_stream_drain(), in weft_stream_close(), and while a task waits to read from
 * the same stream.
 */
#ifndef WEFT_STREAM_H
#define WEFT_STREAM_H

#include <sys/types.h>

#include <weft/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A descriptor with buffers. */
typedef struct weft_stream weft_stream;

/**
 * Make a stream of a descriptor: a socket, a pipe, a terminal.
 *
 * Switches   no
 * Context    any thread
 * Ownership  fd is the stream's, and closed with it; *ret_stream is freed by weft_stream_free()
 *
 * @return 0, or
 *   -EINVAL  ret_stream is NULL
 *   -EBADF   fd is not open; it is the caller's still, as after any error
 *   -ENOMEM  no room
 */
WEFT_API int weft_stream_new(weft_stream **ret_stream, int fd);

/**
 * Connect to a host, and make a stream of that (asyncio.open_connection()).
 *
 * All addresses of the host are tried in turn.
 *
 * Switches   yes
 * Context    a task
 * Ownership  *ret_stream is freed by weft_stream_free(); the strings stay the caller's
 *
 * @param host     a name or number
 * @param service  a name, or a port as text
 *
 * @return 0, or a positive r: there is no such host or service, gai_strerror(-r) says why; or
 *   -EINVAL     ret_stream, host or service is NULL, or deadline_ns is negative
 *   -ETIMEDOUT  the deadline came first, or the host does not answer
 *   what weft_getaddrinfo(), weft_connect() of the last address or socket(2) returns
 */
WEFT_API int weft_open_connection(weft_stream **ret_stream, const char *host, const char *service,
				  int64_t deadline_ns);

/**
 * Free a stream, and close its descriptor. What has not been sent is not.
 *
 * Switches   no
 * Context    any thread
 * Ownership  stream is gone. NULL is nothing
 *
 * @return 0, or
 *   -EBUSY  a task reads or writes it; it stays
 */
WEFT_API int weft_stream_free(weft_stream *stream);

/**
 * Read what there is, or wait for something.
 *
 * Switches   yes, unless something has come
 * Context    a task
 *
 * @return how many bytes, 0 at the end; or
 *   -EINVAL     stream or bytes is NULL, size_bytes is more than SSIZE_MAX, or deadline_ns is negative
 *   -ETIMEDOUT  the deadline came first
 *   -EBUSY      another task reads it
 *   -EBADF      the stream is closed, perhaps in the meantime
 *   -ENOMEM, -EMFILE, -EPERM  as weft_wait_fd()
 *   another error of read(2)
 *   what was raised
 */
WEFT_API ssize_t weft_stream_read(weft_stream *stream, void *bytes, size_t size_bytes,
				  int64_t deadline_ns);

/**
 * Read exactly so many bytes.
 *
 * Switches   yes, unless they have come
 * Context    a task
 *
 * @return size_bytes, or fewer: the end came before, and these are all; or as weft_stream_read(): then
 * none has been taken
 */
WEFT_API ssize_t weft_stream_read_exactly(weft_stream *stream, void *bytes, size_t size_bytes,
					  int64_t deadline_ns);

/**
 * Read up to a line's end, and that too.
 *
 * Switches   yes, unless it has come
 * Context    a task
 *
 * @param text        where it is put, and a NUL behind it
 * @param size_bytes  room for both, at least 2
 *
 * @return how many bytes without the NUL; without a line's end: the end came before, 0 when there was
 * nothing; or
 *   -ENOBUFS  the line is longer than there is room for: none of it has been taken
 *   -EINVAL   size_bytes is less than 2
 *   what weft_stream_read() returns: none has been taken
 */
WEFT_API ssize_t weft_stream_read_line(weft_stream *stream, char *text, size_t size_bytes,
				       int64_t deadline_ns);

/**
 * Read up to a separator, and that too; as weft_stream_read_line().
 *
 * Switches   yes, unless it has come
 * Context    a task
 * Ownership  all stays the caller's
 *
 * @return as weft_stream_read_line(), or
 *   -EINVAL  separator is NULL or empty
 */
WEFT_API ssize_t weft_stream_read_until(weft_stream *stream, const void *separator,
					size_t separator_bytes, char *text, size_t size_bytes,
					int64_t deadline_ns);

/**
 * Tell whether there is nothing to read any more: the other side has ended, and all has been taken.
 *
 * Switches   no
 * Context    any thread
 *
 * @return whether that is known by now; of NULL, true
 */
WEFT_API bool weft_stream_at_eof(weft_stream *stream);

/**
 * Write: send what fits now, and keep the rest.
 *
 * Switches   no
 * Context    a task
 * Ownership  the bytes are sent or copied
 *
 * @return 0, or
 *   -EINVAL  stream is NULL, or bytes is and there are some, or size_bytes is more than SSIZE_MAX
 *   -EPIPE   nobody reads any more, or weft_stream_write_eof() was called
 *   -EBADF   the stream is closed
 *   -ENOMEM  no room to keep the rest; what could be sent is
 *   -EPERM   the caller is no task
 *   another error of send(2) or write(2), also of what was kept before
 */
WEFT_API int weft_stream_write(weft_stream *stream, const void *bytes, size_t size_bytes);

/**
 * Wait until all that was written has been sent.
 *
 * Switches   yes, unless it has
 * Context    a task
 *
 * @return 0, or
 *   -EINVAL     stream is NULL, or deadline_ns is negative
 *   -ETIMEDOUT  the deadline came first; the rest is kept
 *   -EBADF      the stream is closed, perhaps in the meantime
 *   -ENOMEM, -EMFILE, -EPERM  as weft_wait_fd()
 *   an error of send(2) or write(2): nothing can be sent any more
 *   what was raised; the rest is kept
 */
WEFT_API int weft_stream_drain(weft_stream *stream, int64_t deadline_ns);

/**
 * Drain, and tell the other side that this was all. Reading goes on.
 *
 * A stream of which the other direction cannot be left open, as of a pipe, has its descriptor closed.
 *
 * Switches   yes, unless all has been sent
 * Context    a task
 *
 * @return 0, or what weft_stream_drain() returns: then the other side has not been told
 */
WEFT_API int weft_stream_write_eof(weft_stream *stream, int64_t deadline_ns);

/**
 * Drain, and close the descriptor. Who waits in the stream, and all calls from then on, get -EBADF.
 *
 * Switches   yes, unless all has been sent
 * Context    a task
 *
 * @return 0, or
 *   -EINVAL  stream is NULL, or deadline_ns is negative
 *   -EBADF   it is closed already
 *   what weft_stream_drain() returns; it is closed all the same, and the rest lost
 */
WEFT_API int weft_stream_close(weft_stream *stream, int64_t deadline_ns);

/**
 * Name a stream's descriptor.
 *
 * Switches   no
 * Context    any thread
 * Ownership  it stays the stream's
 *
 * @return the descriptor, or
 *   -EINVAL  stream is NULL
 *   -EBADF   the stream is closed
 */
WEFT_API int weft_stream_fd(weft_stream *stream);

/** A listener, and the tasks of its connections. */
typedef struct weft_server weft_server;

/** What serves a connection. When it returns the stream is drained, closed and freed. */
typedef void weft_serve(weft_stream *stream, void *arg);

/**
 * Listen, and have each connection served by a task of its own (asyncio.start_server()).
 *
 * Switches   yes
 * Context    a task
 * Ownership  *ret_server is freed by weft_server_free(); arg and the strings stay the caller's
 *
 * @param host         whose addresses to listen at; NULL: all of this machine
 * @param service      a name, or a port as text; "0" is any that is free
 * @param deadline_ns  for looking that up
 *
 * @return 0, or a positive r: there is no such host or service, gai_strerror(-r) says why; or
 *   -EINVAL  ret_server, service or serve is NULL, or deadline_ns is negative
 *   -EADDRINUSE, -EACCES and others  as bind(2) and listen(2)
 *   what weft_getaddrinfo() or weft_spawn() returns
 */
WEFT_API int weft_server_new(weft_server **ret_server, const char *host, const char *service,
			     weft_serve *serve, void *arg, int64_t deadline_ns);

/**
 * Tell the port at which a server listens, or did.
 *
 * Switches   no
 * Context    any thread
 *
 * @return the port, or
 *   -EINVAL  server is NULL
 */
WEFT_API int weft_server_port(const weft_server *server);

/**
 * Take no more connections. Those there are go on.
 *
 * Switches   no
 * Context    a task
 *
 * @return 0, or
 *   -EINVAL  server is NULL
 *   -EBADF   it is closed already
 */
WEFT_API int weft_server_close(weft_server *server);

/**
 * Wait until a server is closed and all its connections have been served.
 *
 * Switches   yes, unless that is so
 * Context    a task
 *
 * @return 0, or
 *   -EINVAL     server is NULL, or deadline_ns is negative
 *   -EDEADLK    the caller serves a connection of it
 *   -ETIMEDOUT  the deadline came first
 *   -EPERM      the caller is no task
 *   what was raised
 */
WEFT_API int weft_server_wait_closed(weft_server *server, int64_t deadline_ns);

/**
 * Free a server.
 *
 * Switches   no
 * Context    any thread
 * Ownership  server is gone. NULL is nothing
 *
 * @return 0, or
 *   -EBUSY  it is not closed, or a connection is being served, or a task waits for that; it stays
 */
WEFT_API int weft_server_free(weft_server *server);

/** A child process. */
typedef struct weft_process weft_process;

/** Which of a child's standard descriptors are streams of its parent's; or-ed together. */
#define WEFT_PIPE_IN 1
#define WEFT_PIPE_OUT 2
#define WEFT_PIPE_ERR 4
/** Have what the child says as errors go where its output does. */
#define WEFT_ERR_TO_OUT 8

/**
 * Start a program (asyncio.create_subprocess_exec()).
 *
 * Switches   no
 * Context    a task
 * Ownership  *ret_process is freed by weft_process_free(); the rest stays the caller's
 *
 * @param argv         its name, looked up in PATH, and arguments, up to a NULL
 * @param environment  up to a NULL; or NULL: the caller's
 * @param pipes        WEFT_PIPE_IN and the like; what is not one is the caller's own
 *
 * @return 0, or
 *   -EINVAL  ret_process, argv or argv[0] is NULL, or pipes has other bits, or both WEFT_PIPE_ERR and
 *            WEFT_ERR_TO_OUT
 *   -ENOENT, -EACCES and others  as execve(2)
 *   -EAGAIN  as fork(2)
 *   -EMFILE, -ENFILE  no descriptor left
 *   -ENOMEM  no room
 *   -EPERM   the caller is no task
 */
WEFT_API int weft_process_new(weft_process **ret_process, char *const argv[],
			      char *const environment[], int pipes);

/**
 * Name the stream to a child's input.
 *
 * Switches   no
 * Context    any thread
 * Ownership  the stream stays the process's
 *
 * @return the stream; NULL: there is no such pipe
 */
WEFT_API weft_stream *weft_process_in(weft_process *process);

/**
 * Name the stream from a child's output.
 *
 * Switches   no
 * Context    any thread
 * Ownership  the stream stays the process's
 *
 * @return the stream; NULL: there is no such pipe
 */
WEFT_API weft_stream *weft_process_out(weft_process *process);

/**
 * Name the stream from a child's errors.
 *
 * Switches   no
 * Context    any thread
 * Ownership  the stream stays the process's
 *
 * @return the stream; NULL: there is no such pipe
 */
WEFT_API weft_stream *weft_process_err(weft_process *process);

/**
 * Tell a child's process id.
 *
 * Switches   no
 * Context    any thread
 *
 * @return the id, or
 *   -EINVAL  process is NULL
 */
WEFT_API pid_t weft_process_pid(const weft_process *process);

/**
 * Wait until a child has ended. Any number of tasks may.
 *
 * A child that writes to a pipe which nobody reads does not end: use weft_process_communicate().
 *
 * Switches   yes, unless it has ended
 * Context    a task
 *
 * @param ret_code  its exit status; or the number of the signal that has ended it, negative; may be NULL
 *
 * @return 0, or
 *   -ECHILD  somebody else has taken its status
 *   what weft_waitpid() returns
 */
WEFT_API int weft_process_wait(weft_process *process, int64_t deadline_ns, int *ret_code);

/**
 * Tell how a child has ended.
 *
 * Switches   no
 * Context    a task
 *
 * @param ret_code  as of weft_process_wait()
 *
 * @return 0, or
 *   -EINPROGRESS  it has not
 *   -EINVAL       process or ret_code is NULL
 *   -ECHILD       somebody else has taken its status
 */
WEFT_API int weft_process_returncode(weft_process *process, int *ret_code);

/**
 * Send a child a signal; never to another process that has its number by now.
 *
 * Switches   no
 * Context    a task
 *
 * @return 0, or
 *   -ESRCH   it has ended
 *   -EINVAL  process is NULL, or there is no such signal
 *   -EPERM   as kill(2)
 */
WEFT_API int weft_process_signal(weft_process *process, int signal);

/**
 * Ask a child to end (SIGTERM).
 *
 * Switches   no
 * Context    a task
 *
 * @return as weft_process_signal()
 */
WEFT_API int weft_process_terminate(weft_process *process);

/**
 * End a child (SIGKILL).
 *
 * Switches   no
 * Context    a task
 *
 * @return as weft_process_signal()
 */
WEFT_API int weft_process_kill(weft_process *process);

/** What a child has written. */
typedef struct weft_output {
	char *bytes; /* a NUL is behind them; NULL: there was no pipe */
	size_t size_bytes;
} weft_output;

/**
 * Give a child its input, read all it writes, and wait until it has ended.
 *
 * A child that does not want all of its input is no error. After an error nothing has been lost: the same
 * call with no input goes on.
 *
 * Switches   yes
 * Context    a task
 * Ownership  the input is copied; the bytes of *ret_out and *ret_err are freed by free(3)
 *
 * @param ret_out, ret_err  either may be NULL
 *
 * @return 0, or
 *   -EINVAL  process is NULL, or input is and there is some, or there is some and no pipe for it
 *   -EBUSY   another task reads its streams
 *   what weft_stream_read() and weft_process_wait() return
 */
WEFT_API int weft_process_communicate(weft_process *process, const void *input, size_t input_bytes,
				      int64_t deadline_ns, weft_output *ret_out,
				      weft_output *ret_err);

/**
 * Free a child's record and close its streams.
 *
 * One that still runs goes on, and nobody takes its status.
 *
 * Switches   no
 * Context    a task
 * Ownership  process is gone. NULL is nothing
 *
 * @return 0, or
 *   -EBUSY  a task waits for it, or uses its streams; it stays
 */
WEFT_API int weft_process_free(weft_process *process);

#ifdef __cplusplus
}
#endif

#endif
