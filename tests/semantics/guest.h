/* What the guest programs share: a transcript on stdout, checks, byte patterns, sockets.
 *
 * A guest prints facts that are the same on every run: results, error names, orders; never a
 * duration, a process id or an address. Two runs of a guest have the same transcript.
 */
#ifndef GUEST_H
#define GUEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* End the program with status 1 and say where, when something that must hold does not. */
#define check(condition) \
	do { \
		int saved_errno = errno; \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: not true: %s (errno %s)\n", __FILE__, __LINE__, \
				#condition, strerrorname_np(saved_errno)); \
			_exit(1); \
		} \
	} while (0)

/* Put a line into the transcript. */
__attribute__((format(printf, 1, 2))) static inline void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

static inline void show_result(const char *call, long result)
{
	if (result == -1)
		say("%s = -1 %s", call, strerrorname_np(errno));
	else
		say("%s = %ld", call, result);
}

/* Put a call that reports through errno into the transcript, with its result. */
#define show(call) show_result(#call, (long)(call))

/* Put a call that returns its error number (the pthread way) into the transcript. */
#define show_error(call) say("%s: %s", #call, strerrorname_np(call))

static inline pthread_t start(void *(*run)(void *), void *arg)
{
	pthread_t thread;

	check(pthread_create(&thread, NULL, run, arg) == 0);
	return thread;
}

static inline void *finish(pthread_t thread)
{
	void *result;

	check(pthread_join(thread, &result) == 0);
	return result;
}

static inline void *return_at_once(void *arg)
{
	return arg;
}

/* Have had a thread: libc takes other paths from then on, in the first thread as well. */
static inline void become_threaded(void)
{
	finish(start(return_at_once, NULL));
}

static inline int64_t to_ns(struct timespec time)
{
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static inline int64_t now_ns(clockid_t clock)
{
	struct timespec now;

	check(clock_gettime(clock, &now) == 0);
	return to_ns(now);
}

static inline struct timespec to_timespec(int64_t ns)
{
	struct timespec time = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};

	return time;
}

/* The time of a clock in so many milliseconds, for calls that take a deadline. */
static inline struct timespec in_ms(clockid_t clock, int64_t ms)
{
	return to_timespec(now_ns(clock) + ms * 1000000);
}

static inline long futex(void *addr, int op, uint32_t value, const void *time, void *addr2,
			 uint32_t bits)
{
	return syscall(SYS_futex, addr, op, value, time, addr2, bits);
}

/* Give other threads time to get where they block. Nothing may depend on whether they did. */
static inline void settle(void)
{
	usleep(30000);
}

/* The same, to one that waits next and is known by its id: until it sleeps, where the kernel knows it. */
static inline void settle_asleep(pid_t id)
{
	char path[64], line[512], *state;
	FILE *file;

	settle();
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", id);
	while ((file = fopen(path, "r")) != NULL) {
		state = fgets(line, sizeof(line), file) == NULL ? NULL : strrchr(line, ')');
		fclose(file);
		if (state == NULL || state[2] == 'S')
			break;
		usleep(1000);
	}
}

/* Send a thread a signal until it says that its wait is over: one that comes before ends nothing. Nobody
 * may join the thread meanwhile, and one signal more may come when it is over.
 */
static inline void interrupt_until(const volatile int *is_over, pthread_t thread, int number)
{
	while (!*is_over) {
		settle();
		if (!*is_over)
			check(pthread_kill(thread, number) == 0);
	}
}

/* Byte number position of an endless stream in which displaced bytes are noticed. */
static inline unsigned char pattern(uint64_t position)
{
	return (unsigned char)((position * 0x9E3779B97F4A7C15ULL) >> 56);
}

static inline void fill(void *buf, size_t len, uint64_t position)
{
	for (size_t i = 0; i < len; i++)
		((unsigned char *)buf)[i] = pattern(position + i);
}

static inline int is_filled(const void *buf, size_t len, uint64_t position)
{
	for (size_t i = 0; i < len; i++)
		if (((const unsigned char *)buf)[i] != pattern(position + i))
			return 0;
	return 1;
}

/* FNV-1a, continued from an earlier hash or begun with HASH_START. */
#define HASH_START 0xCBF29CE484222325ULL
static inline uint64_t hash_more(uint64_t hash, const void *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ ((const unsigned char *)buf)[i]) * 0x100000001B3ULL;
	return hash;
}

static inline void write_all(int fd, const void *buf, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, (const char *)buf + done, len - done);

		check(n > 0);
		done += (size_t)n;
	}
}

/* Read until len bytes are there or the stream ends; return how many. */
static inline size_t read_all(int fd, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(fd, (char *)buf + done, len - done);

		check(n >= 0);
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return done;
}

/* Threads that wait for a byte on, or after a while write one to, the descriptor at arg. */
static inline void *read_byte(void *fd)
{
	char byte;

	check(read(*(int *)fd, &byte, 1) == 1);
	return NULL;
}

static inline void *write_late(void *fd)
{
	settle();
	write_all(*(int *)fd, "x", 1);
	return NULL;
}

/* A TCP socket bound to a free loopback port; address says which. */
static inline int tcp_bound(struct sockaddr_in *address)
{
	socklen_t len = sizeof(*address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	memset(address, 0, sizeof(*address));
	address->sin_family = AF_INET;
	address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	check(fd >= 0);
	check(bind(fd, (struct sockaddr *)address, len) == 0);
	check(getsockname(fd, (struct sockaddr *)address, &len) == 0);
	return fd;
}

static inline int tcp_listen(struct sockaddr_in *address)
{
	int fd = tcp_bound(address);

	check(listen(fd, 1024) == 0);
	return fd;
}

static inline int tcp_connect(const struct sockaddr_in *address)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	check(fd >= 0);
	check(connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0);
	return fd;
}

static inline void tcp_pair(int pair[2])
{
	struct sockaddr_in address;
	int listener = tcp_listen(&address);

	pair[0] = tcp_connect(&address);
	pair[1] = accept(listener, NULL, NULL);
	check(pair[1] >= 0);
	close(listener);
}

static inline void unix_pair(int type, int pair[2])
{
	check(socketpair(AF_UNIX, type, 0, pair) == 0);
}

static inline void say_status(const char *what, int status)
{
	if (WIFEXITED(status))
		say("%s: exit %d", what, WEXITSTATUS(status));
	else if (WIFSIGNALED(status))
		say("%s: killed by SIG%s", what, sigabbrev_np(WTERMSIG(status)));
	else if (WIFSTOPPED(status))
		say("%s: stopped by SIG%s", what, sigabbrev_np(WSTOPSIG(status)));
	else
		say("%s: continued", what);
}

#endif
