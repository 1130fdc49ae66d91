/*
 * A server that allows itself the calls it makes and no others goes on serving: sockets, pipes,
 * locks, sleeps, new threads, and the threads that were waiting when the filter came.
 */
#include "sandbox.h"

#include <sys/epoll.h>

#define CLIENTS 8
#define ROUNDS 20
#define BYTES 3000

/* What its C library makes of threads, locks, sleeps and memory. */
#define THREAD_CALLS \
	SYS_futex, SYS_clone, SYS_clone3, SYS_mmap, SYS_munmap, SYS_mprotect, SYS_madvise, \
		SYS_brk, SYS_rseq, SYS_set_robust_list, SYS_rt_sigprocmask, SYS_exit, \
		SYS_exit_group, SYS_clock_nanosleep, SYS_nanosleep, SYS_close, SYS_getpid, \
		SYS_tgkill, SYS_getrandom, SYS_sched_getaffinity

static struct sockaddr_in address;
static int listener, pipes[2], early[2];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int served, ticks, done;
static ssize_t (*get)(int fd, void *buf, size_t len);
static ssize_t (*put)(int fd, const void *buf, size_t len);

static ssize_t get_socket(int fd, void *buf, size_t len)
{
	return recv(fd, buf, len, 0);
}

static ssize_t put_socket(int fd, const void *buf, size_t len)
{
	return send(fd, buf, len, MSG_NOSIGNAL);
}

static ssize_t get_polled(int fd, void *buf, size_t len)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	check(poll(&poll_fd, 1, -1) == 1);
	return recv(fd, buf, len, 0);
}

static void get_all(int fd, char *buf, size_t len)
{
	for (size_t have = 0; have < len;) {
		ssize_t n = get(fd, buf + have, len - have);

		check(n > 0);
		have += (size_t)n;
	}
}

static void put_all(int fd, const char *buf, size_t len)
{
	for (size_t gone = 0; gone < len;) {
		ssize_t n = put(fd, buf + gone, len - gone);

		check(n > 0);
		gone += (size_t)n;
	}
}

static void *serve(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char buf[BYTES];
	ssize_t n;

	while ((n = get(fd, buf, sizeof(buf))) > 0)
		put_all(fd, buf, (size_t)n);
	check(n == 0 && close(fd) == 0);
	pthread_mutex_lock(&lock);
	served++;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	return NULL;
}

static void *accept_all(void *arg)
{
	for (int i = 0; i < CLIENTS; i++) {
		int fd = accept(listener, NULL, NULL);

		check(fd >= 0);
		pthread_detach(start(serve, (void *)(intptr_t)fd));
	}
	return arg;
}

static void *be_client(void *arg)
{
	uint64_t where = (uint64_t)(intptr_t)arg;
	char out[BYTES], in[BYTES];
	int fd = tcp_connect(&address);

	for (int i = 0; i < ROUNDS; i++, where += BYTES) {
		fill(out, BYTES, where);
		put_all(fd, out, BYTES);
		get_all(fd, in, BYTES);
		check(memcmp(in, out, BYTES) == 0);
	}
	close(fd);
	return NULL;
}

static void *tick(void *arg)
{
	while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE)) {
		usleep(1000);
		ticks++;
	}
	return arg;
}

static void *pass_on(void *arg)
{
	char byte;

	check(get(early[0], &byte, 1) == 1);
	check(write(pipes[1], &byte, 1) == 1);
	return arg;
}

/* Threads that wait on a socket, a pipe and a listener while the filter comes, and those after. */
static void serve_all(const int *allowed, uint32_t otherwise)
{
	pthread_t clients[CLIENTS], acceptor, ticker, passer, reader;

	listener = tcp_listen(&address);
	check(pipe(pipes) == 0);
	tcp_pair(early);
	ticker = start(tick, NULL);
	acceptor = start(accept_all, NULL);
	passer = start(pass_on, NULL);
	reader = start(read_byte, &pipes[0]);
	settle();
	allow_only(allowed, otherwise);
	say("  locked in: getppid %s",
	    (errno = 0, getppid()) > 0 ? "works" : strerrorname_np(errno));
	put_all(early[1], "x", 1);
	finish(passer);
	finish(reader);
	for (int i = 0; i < CLIENTS; i++)
		clients[i] = start(be_client, (void *)(intptr_t)(i * 1000));
	for (int i = 0; i < CLIENTS; i++)
		finish(clients[i]);
	finish(acceptor);
	pthread_mutex_lock(&lock);
	while (served < CLIENTS)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	__atomic_store_n(&done, 1, __ATOMIC_RELEASE);
	finish(ticker);
	say("  served %d, ticked: %s", served, ticks > 0 ? "yes" : "no");
}

static const int by_read[] = {THREAD_CALLS, SYS_read,    SYS_write,   SYS_accept,
			      SYS_socket,   SYS_connect, SYS_getppid, -1};
static const int by_recv[] = {THREAD_CALLS, SYS_recvfrom, SYS_sendto, SYS_accept,  SYS_socket,
			      SYS_connect,  SYS_read,     SYS_write,  SYS_getppid, -1};
static const int by_poll[] = {THREAD_CALLS, SYS_recvfrom, SYS_sendto, SYS_accept,
			      SYS_socket,   SYS_connect,  SYS_poll,   SYS_read,
			      SYS_write,    SYS_getppid,  -1};

static void serve_by(ssize_t (*in)(int, void *, size_t), ssize_t (*out)(int, const void *, size_t),
		     const int *allowed, uint32_t otherwise)
{
	get = in;
	put = out;
	serve_all(allowed, otherwise);
}

#define MODE(name, in, out, allowed, otherwise) \
	static void name(void) \
	{ \
		serve_by(in, out, allowed, otherwise); \
	}
MODE(read_else_eperm, read, write, by_read, SECCOMP_RET_ERRNO | EPERM)
MODE(read_else_enosys, read, write, by_read, SECCOMP_RET_ERRNO | ENOSYS)
MODE(read_else_end, read, write, by_read, SECCOMP_RET_KILL_PROCESS)
MODE(recv_else_eperm, get_socket, put_socket, by_recv, SECCOMP_RET_ERRNO | EPERM)
MODE(poll_else_end, get_polled, put_socket, by_poll, SECCOMP_RET_KILL_PROCESS)

int main(void)
{
	run_apart("read and write, else EPERM", read_else_eperm);
	run_apart("read and write, else ENOSYS", read_else_enosys);
	run_apart("read and write, else the end", read_else_end);
	run_apart("recv and send, else EPERM", recv_else_eperm);
	run_apart("poll, recv and send, else the end", poll_else_end);
	return 0;
}
