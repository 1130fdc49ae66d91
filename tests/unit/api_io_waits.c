/*
 * weft.h: whatever waits for input or output ends at its deadline, by a kill, by a raise and by a scope's
 * time, loses nothing by it, and can be done again.
 */
#include "api_io.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const char slow_host[] = "slow.invalid";
static int slow_gate[2];

/* The library's calls come here, too: a lookup that lasts. */
__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service,
						       const struct addrinfo *hints,
						       struct addrinfo **list)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	char byte;

	if (node != NULL && strcmp(node, slow_host) == 0) {
		while (read(slow_gate[0], &byte, 1) < 0 && errno == EINTR)
			;
		return EAI_AGAIN;
	}
	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	return real(node, service, hints, list);
}

/* Of each kind one that has nothing, and one that has no room. */
struct world {
	int pipe[2], full_pipe[2], pair[2], full_pair[2];
	int listener, busy_listener;
	struct sockaddr_un busy;
	char fifo[64];
	pid_t child;
	weft_selector *selector;
	weft_stream *stream, *full_stream;
	weft_server *server;
	weft_process *process;
};

static struct world *world;

static void serve_nobody(weft_stream *stream, void *unused)
{
	(void)stream;
	(void)unused;
}

static pid_t fork_sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody */
		for (;;)
			pause();
	}
	return pid;
}

/* A Unix listener that takes no more: the next connect(2) waits. */
static void make_busy_listener(struct world *w)
{
	socklen_t len = sizeof(w->busy);
	int fd;

	w->busy = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(w->busy.sun_path + 1, sizeof(w->busy.sun_path) - 1, "weft-busy-%d", getpid());
	w->busy_listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(w->busy_listener, (struct sockaddr *)&w->busy, len), 0);
	cr_assert_eq(listen(w->busy_listener, 0), 0);
	do
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	while (connect(fd, (struct sockaddr *)&w->busy, len) == 0);
	close(fd);
}

static void make_world(struct world *w)
{
	char *const cat[] = {(char *)"cat", NULL};
	struct sockaddr_in addr;
	int ends[2];

	world = w;
	w->child = fork_sleeper();
	cr_assert_eq(pipe2(w->pipe, O_CLOEXEC), 0);
	cr_assert_eq(pipe2(w->full_pipe, O_CLOEXEC), 0);
	cr_assert_eq(pipe2(slow_gate, O_CLOEXEC), 0);
	fill_up(w->full_pipe[1]);
	make_pair(w->pair);
	make_pair(w->full_pair);
	fill_up(w->full_pair[0]);
	w->listener = listen_here(&addr);
	make_busy_listener(w);
	snprintf(w->fifo, sizeof(w->fifo), "/tmp/weft-fifo-%d", getpid());
	unlink(w->fifo); /* of one that was killed, and had the same id */
	cr_assert_eq(mkfifo(w->fifo, 0600), 0);
	cr_assert_eq(weft_selector_new(&w->selector), 0);
	cr_assert_eq(weft_selector_register(w->selector, w->pipe[0], WEFT_IN, NULL), 0);
	make_pair(ends);
	cr_assert_eq(weft_stream_new(&w->stream, ends[0]), 0);
	make_pair(ends);
	fill_up(ends[0]);
	cr_assert_eq(weft_stream_new(&w->full_stream, ends[0]), 0);
	cr_assert_eq(weft_stream_write(w->full_stream, "x", 1), 0);
	cr_assert_eq(
		weft_server_new(&w->server, "127.0.0.1", "0", serve_nobody, NULL, WEFT_FOREVER), 0);
	cr_assert_eq(weft_process_new(&w->process, cat, NULL, WEFT_PIPE_IN | WEFT_PIPE_OUT), 0);
}

/* All of it can be ended when nobody waits any more. */
static void end_world(struct world *w)
{
	int status = 0, code = 0;

	put_byte(slow_gate[1]);
	unlink(w->fifo);
	kill(w->child, SIGKILL);
	cr_assert_eq(weft_waitpid(w->child, WEFT_FOREVER, &status), 0);
	cr_assert(WIFSIGNALED(status));
	cr_assert_eq(weft_selector_free(w->selector), 0);
	cr_assert_eq(weft_stream_free(w->stream), 0);
	cr_assert_eq(weft_stream_free(w->full_stream), 0);
	cr_assert_eq(weft_server_close(w->server), 0);
	cr_assert_eq(weft_server_wait_closed(w->server, WEFT_FOREVER), 0);
	cr_assert_eq(weft_server_free(w->server), 0);
	weft_process_kill(w->process);
	cr_assert_eq(weft_process_wait(w->process, WEFT_FOREVER, &code), 0);
	cr_assert_eq(code, -SIGKILL);
	cr_assert_eq(weft_process_free(w->process), 0);
}

static char bytes[16];
static struct iovec places[2] = {{bytes, 4}, {bytes + 4, 4}};

#define WAIT(name, call) \
	static ssize_t name(struct world *w, int64_t deadline_ns) \
	{ \
		(void)w; \
		return call; \
	}

WAIT(wait_in_fd, weft_wait_fd(w->pair[0], WEFT_IN, deadline_ns))
WAIT(wait_out_fd, weft_wait_fd(w->full_pair[0], WEFT_OUT, deadline_ns))
WAIT(read_pipe, weft_read(w->pipe[0], bytes, 16, deadline_ns))
WAIT(read_socket, weft_read(w->pair[0], bytes, 16, deadline_ns))
WAIT(readv_pipe, weft_readv(w->pipe[0], places, 2, deadline_ns))
WAIT(readv_socket, weft_readv(w->pair[0], places, 2, deadline_ns))
WAIT(read_all, weft_read_all(w->pair[0], bytes, 16, deadline_ns, NULL))
WAIT(write_pipe, weft_write(w->full_pipe[1], bytes, 16, deadline_ns))
WAIT(write_socket, weft_write(w->full_pair[0], bytes, 16, deadline_ns))
WAIT(writev_pipe, weft_writev(w->full_pipe[1], places, 2, deadline_ns))
WAIT(writev_socket, weft_writev(w->full_pair[0], places, 2, deadline_ns))
WAIT(write_all, weft_write_all(w->full_pipe[1], bytes, 16, deadline_ns, NULL))
WAIT(recv_some, weft_recv(w->pair[0], bytes, 16, 0, deadline_ns))
WAIT(recvfrom_some, weft_recvfrom(w->pair[0], bytes, 16, 0, NULL, NULL, deadline_ns))
WAIT(send_some, weft_send(w->full_pair[0], bytes, 16, 0, deadline_ns))
WAIT(sendto_some, weft_sendto(w->full_pair[0], bytes, 16, 0, NULL, 0, deadline_ns))
WAIT(accept_one, weft_accept(w->listener, NULL, NULL, 0, deadline_ns))
WAIT(get_name, weft_getaddrinfo(slow_host, "1", NULL, deadline_ns, &(struct addrinfo *){NULL}))
WAIT(open_fifo, weft_open(w->fifo, O_RDONLY | O_CLOEXEC, 0, deadline_ns))
WAIT(wait_child, weft_waitpid(w->child, deadline_ns, NULL))
WAIT(selector, weft_selector_select(w->selector, &(weft_ready){0, 0, NULL}, 1, deadline_ns))
WAIT(stream_read, weft_stream_read(w->stream, bytes, 16, deadline_ns))
WAIT(stream_exactly, weft_stream_read_exactly(w->stream, bytes, 16, deadline_ns))
WAIT(stream_line, weft_stream_read_line(w->stream, bytes, 16, deadline_ns))
WAIT(stream_drain, weft_stream_drain(w->full_stream, deadline_ns))
WAIT(stream_eof, weft_stream_write_eof(w->full_stream, deadline_ns))
WAIT(read_full_stream, weft_stream_read(w->full_stream, bytes, 16, deadline_ns))
WAIT(open_slow, weft_open_connection(&(weft_stream *){NULL}, slow_host, "1", deadline_ns))
WAIT(server_closed, weft_server_wait_closed(w->server, deadline_ns))
WAIT(process_end, weft_process_wait(w->process, deadline_ns, NULL))

static ssize_t poll_two(struct world *w, int64_t deadline_ns)
{
	struct pollfd fds[] = {{w->pair[0], POLLIN, 0}, {w->full_pipe[1], POLLOUT, 0}};

	return weft_poll(fds, COUNT(fds), deadline_ns);
}

static ssize_t poll_many(struct world *w, int64_t deadline_ns)
{
	struct pollfd fds[40];

	for (size_t i = 0; i < COUNT(fds); i++)
		fds[i] = (struct pollfd){i % 2 ? w->pair[0] : w->pipe[0], POLLIN, 0};
	return weft_poll(fds, COUNT(fds), deadline_ns);
}

static ssize_t poll_none(struct world *w, int64_t deadline_ns)
{
	(void)w;
	return weft_poll(NULL, 0, deadline_ns);
}

static ssize_t connect_busy(struct world *w, int64_t deadline_ns)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err = weft_connect(fd, (struct sockaddr *)&w->busy, sizeof(w->busy), deadline_ns);

	close(fd);
	return err;
}

static ssize_t close_full(struct world *w, int64_t deadline_ns)
{
	int fd = dup(w->full_pair[0]), err;
	weft_stream *stream;

	cr_expect_eq(weft_stream_new(&stream, fd), 0);
	cr_expect_eq(weft_stream_write(stream, "x", 1), 0);
	err = weft_stream_close(stream, deadline_ns);
	cr_expect_eq(weft_stream_free(stream), 0);
	return err;
}

static ssize_t communicate(struct world *w, int64_t deadline_ns)
{
	char *const argv[] = {(char *)"sleep", (char *)"1000", NULL};
	weft_process *process;
	weft_output out;
	int err;

	(void)w;
	cr_expect_eq(weft_process_new(&process, argv, NULL, WEFT_PIPE_OUT), 0);
	err = weft_process_communicate(process, NULL, 0, deadline_ns, &out, NULL);
	weft_process_kill(process);
	cr_expect_eq(weft_process_wait(process, WEFT_FOREVER, NULL), 0);
	cr_expect_eq(weft_process_free(process), 0);
	return err;
}

static ssize_t (*const waits[])(struct world *w, int64_t deadline_ns) = {
	wait_in_fd,       wait_out_fd,   poll_two,       poll_many,     poll_none,     read_pipe,
	read_socket,      readv_pipe,    readv_socket,   read_all,      write_pipe,    write_socket,
	writev_pipe,      writev_socket, write_all,      recv_some,     recvfrom_some, send_some,
	sendto_some,      accept_one,    connect_busy,   get_name,      open_fifo,     wait_child,
	selector,         stream_read,   stream_exactly, stream_line,   stream_drain,  stream_eof,
	read_full_stream, open_slow,     close_full,     server_closed, process_end,   communicate};

struct one {
	size_t number;
	int64_t deadline_ns;
};

static ssize_t do_wait(void *arg)
{
	const struct one *one = arg;

	return waits[one->number](world, one->deadline_ns);
}

static ssize_t do_wait_in_scope(void *arg)
{
	const struct one *one = arg;
	weft_timeout scope;
	ssize_t result;

	cr_expect_eq(weft_timeout_begin(&scope, 2 * WEFT_MS, -ESTALE), 0);
	result = waits[one->number](world, one->deadline_ns);
	cr_expect_eq(weft_timeout_end(&scope), 1, "wait %zu", one->number);
	return result;
}

BothWays(api_io_waits, end_at_their_deadline)
{
	int64_t begun_ns;
	struct world w;

	make_world(&w);
	for (size_t i = 0; i < COUNT(waits); i++) {
		begun_ns = weft_now();
		cr_assert_eq(waits[i](&w, begun_ns + 2 * WEFT_MS), -ETIMEDOUT, "wait %zu", i);
		cr_assert_geq(weft_now(), begun_ns + 2 * WEFT_MS, "wait %zu", i);
	}
	end_world(&w);
}

BothWays(api_io_waits, do_not_wait_with_a_deadline_of_0)
{
	struct world w;

	make_world(&w);
	for (size_t i = 0; i < COUNT(waits); i++)
		cr_assert_eq(waits[i](&w, 0), -ETIMEDOUT, "wait %zu", i);
	end_world(&w);
}

BothWays(api_io_waits, take_no_negative_deadline)
{
	struct world w;

	make_world(&w);
	for (size_t i = 0; i < COUNT(waits); i++)
		cr_assert_eq(waits[i](&w, -1), -EINVAL, "wait %zu", i);
	end_world(&w);
}

BothWays(api_io_waits, end_by_a_kill)
{
	struct world w;

	make_world(&w);
	for (size_t i = 0; i < COUNT(waits); i++) {
		struct one one = {i, WEFT_FOREVER};
		struct made made;

		make_and_wait(&made, do_wait, &one);
		cr_assert_eq(weft_kill(made.task, WEFT_FOREVER), 0);
		cr_assert_eq(result_of(&made), -ECANCELED, "wait %zu", i);
	}
	end_world(&w);
}

/* Before its wait. */
BothWays(api_io_waits, end_by_what_was_raised_before)
{
	struct world w;

	make_world(&w);
	for (size_t i = 0; i < COUNT(waits); i++) {
		cr_assert_eq(weft_raise(weft_self(), -ESTALE), 0);
		cr_assert_eq(waits[i](&w, WEFT_FOREVER), -ESTALE, "wait %zu", i);
	}
	end_world(&w);
}

BothWays(api_io_waits, end_when_the_time_of_a_scope_is_over)
{
	struct world w;

	make_world(&w);
	for (size_t i = 0; i < COUNT(waits); i++) {
		struct one one = {i, WEFT_FOREVER};
		struct made made;

		make(&made, do_wait_in_scope, &one);
		cr_assert_eq(result_of(&made), -ESTALE, "wait %zu", i);
	}
	end_world(&w);
}

static ssize_t wait_twice(void *arg)
{
	struct one *one = arg;
	ssize_t result = do_wait(one);

	one->deadline_ns = 0;
	cr_expect_eq(do_wait(one), -ETIMEDOUT, "wait %zu", one->number);
	return result;
}

BothWays(api_io_waits, leave_nothing_raised_behind)
{
	struct world w;

	make_world(&w);
	for (size_t i = 0; i < COUNT(waits); i++) {
		struct one one = {i, WEFT_FOREVER};
		struct made made;

		make_and_wait(&made, wait_twice, &one);
		cr_assert_eq(weft_raise(made.task, -ESTALE), 0);
		cr_assert_eq(result_of(&made), -ESTALE, "wait %zu", i);
	}
	end_world(&w);
}

/* Many share what ends them: the others go on. */
BothWays(api_io_waits, a_kill_ends_one_of_many_only)
{
	struct one one = {6, WEFT_FOREVER};
	struct made made[150];
	struct world w;

	make_world(&w);
	for (size_t i = 0; i < COUNT(made); i++)
		make_and_wait(&made[i], do_wait, &one);
	for (size_t i = 0; i < COUNT(made); i += 3)
		cr_assert_eq(weft_kill(made[i].task, WEFT_FOREVER), 0);
	shutdown(w.pair[1], SHUT_WR);

	for (size_t i = 0; i < COUNT(made); i++)
		cr_assert_eq(result_of(&made[i]), i % 3 == 0 ? -ECANCELED : 0, "wait %zu", i);
	end_world(&w);
}

static void deny_pidfd_open(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {COUNT(code), code};

	cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

BothWays(api_io_waits, for_a_child_do_without_pidfd_open)
{
	struct one one = {23, WEFT_FOREVER};
	struct made made;
	struct world w;

	deny_pidfd_open();
	make_world(&w);
	cr_assert_eq(wait_child(&w, 0), -ETIMEDOUT);
	cr_assert_eq(wait_child(&w, weft_after(WEFT_MS)), -ETIMEDOUT);
	cr_assert_eq(process_end(&w, weft_after(WEFT_MS)), -ETIMEDOUT);
	make_and_wait(&made, do_wait, &one);
	kill(w.child, SIGTERM);

	cr_assert_eq(result_of(&made), 0);
	w.child = fork_sleeper();
	end_world(&w);
}
