/* Memory that is not there, or only half there, given to each call that reads or writes it. */
#include "guest.h"

#include <mqueue.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#define BYTES 64

/* Where the calls work: each has BYTES to read and room to write. */
static int pipe_fds[2], stream[2], datagrams[2], file, event, set, queue, semaphores;
static mqd_t mq;
static char *page; /* followed by one that is not there */

static const struct memory {
	const char *name;
	int offset; /* from page */
	bool is_read_only;
} memories[] = {{"nothing", 0, false},
		{"unmapped", 4096, false},
		{"half unmapped", 4096 - BYTES / 2, false},
		{"read-only", 0, true}};

struct message {
	long type;
	char text[BYTES];
};

static void open_all(void)
{
	static const struct mq_attr attr = {.mq_maxmsg = 2, .mq_msgsize = BYTES};
	struct message message = {1, ""};
	char bytes[BYTES], name[64];

	fill(bytes, BYTES, 0);
	check(pipe(pipe_fds) == 0);
	unix_pair(SOCK_STREAM, stream);
	unix_pair(SOCK_DGRAM, datagrams);
	file = open("/tmp", O_RDWR | O_TMPFILE, 0600);
	event = eventfd(1, 0);
	set = epoll_create1(0);
	check(epoll_ctl(set, EPOLL_CTL_ADD, event, &(struct epoll_event){.events = EPOLLIN}) == 0);
	snprintf(name, sizeof(name), "/bad_memory.%d", getpid());
	mq = mq_open(name, O_RDWR | O_CREAT, 0600, &attr);
	check(mq >= 0 && mq_unlink(name) == 0 && mq_send(mq, bytes, BYTES, 0) == 0);
	queue = msgget(IPC_PRIVATE, 0600);
	semaphores = semget(IPC_PRIVATE, 1, 0600);
	check(msgsnd(queue, &message, BYTES, 0) == 0);
	write_all(pipe_fds[1], bytes, BYTES);
	write_all(stream[1], bytes, BYTES);
	write_all(datagrams[1], bytes, BYTES);
	check(pwrite(file, bytes, BYTES, 0) == BYTES);
}

static void close_all(void)
{
	const int all[] = {pipe_fds[0],  pipe_fds[1], stream[0], stream[1], datagrams[0],
			   datagrams[1], file,        event,     set,       mq};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		check(close(all[i]) == 0);
	check(msgctl(queue, IPC_RMID, NULL) == 0 && semctl(semaphores, 0, IPC_RMID) == 0);
}

#define CALL(name, ...) \
	static long name(void *at) \
	{ \
		return (long)(__VA_ARGS__); \
	}
#define IOVEC(at) (&(struct iovec){at, BYTES})
#define TO(at) (&(struct msghdr){.msg_iov = IOVEC(at), .msg_iovlen = 1})

static fd_set *with_event(void)
{
	static fd_set bits;

	FD_ZERO(&bits);
	FD_SET(event, &bits);
	return &bits;
}

static long list_root(void *at)
{
	int fd = open("/", O_RDONLY | O_DIRECTORY);
	long result = syscall(SYS_getdents64, fd, at, BYTES);
	int error = errno;

	close(fd);
	errno = error;
	return result > 0 ? 1 : result;
}

/* --- that put something there --- */
CALL(read_pipe, read(pipe_fds[0], at, BYTES))
CALL(read_stream, read(stream[0], at, BYTES))
CALL(read_datagram, read(datagrams[0], at, BYTES))
CALL(read_file, read(file, at, BYTES))
CALL(read_event, read(event, at, BYTES))
CALL(readv_pipe, readv(pipe_fds[0], IOVEC(at), 1))
CALL(readv_stream, readv(stream[0], IOVEC(at), 1))
CALL(readv_file, readv(file, IOVEC(at), 1))
CALL(pread_file, pread(file, at, BYTES, 0))
CALL(preadv_file, preadv(file, IOVEC(at), 1, 0))
CALL(preadv2_file, preadv2(file, IOVEC(at), 1, -1, 0))
CALL(preadv2_cached, preadv2(file, IOVEC(at), 1, 0, RWF_NOWAIT))
CALL(preadv2_pipe, preadv2(pipe_fds[0], IOVEC(at), 1, -1, 0))
CALL(recv_stream, recv(stream[0], at, BYTES, 0))
CALL(recv_all, recv(stream[0], at, BYTES, MSG_WAITALL))
CALL(recv_peek, recv(stream[0], at, BYTES, MSG_PEEK))
CALL(recv_datagram, recv(datagrams[0], at, BYTES, 0))
CALL(recvmsg_stream, recvmsg(stream[0], TO(at), 0))
CALL(recvmsg_datagram, recvmsg(datagrams[0], TO(at), 0))
CALL(recvmsg_header, recvmsg(stream[0], at, 0))
CALL(recvmmsg_vector, recvmmsg(datagrams[0], at, 1, 0, NULL))
CALL(recvfrom_address, recvfrom(datagrams[0], &(char){0}, 1, 0, at, &(socklen_t){BYTES}))
CALL(recvfrom_length, recvfrom(datagrams[0], &(char){0}, 1, 0, (void *)page, at))
CALL(vmsplice_from, vmsplice(pipe_fds[0], IOVEC(at), 1, 0))
CALL(poll_events, poll(at, 8, 0))
CALL(select_bits, syscall(SYS_select, event + 1, at, NULL, NULL, &(struct timeval){0, 0}))
CALL(select_time, syscall(SYS_select, event + 1, with_event(), NULL, NULL, at))
CALL(epoll_wait_events, syscall(SYS_epoll_wait, set, at, 8, 0))
CALL(epoll_pwait2_events, syscall(SYS_epoll_pwait2, set, at, 8, NULL, NULL, 8))
CALL(mq_receive_text, mq_receive(mq, at, BYTES, NULL))
CALL(mq_receive_priority, mq_receive(mq, page, BYTES, at))
CALL(msgrcv_message, msgrcv(queue, at, BYTES, 0, 0))
CALL(getrandom_bytes, syscall(SYS_getrandom, at, BYTES, 0) > 0 ? 1 : -1)
CALL(getdents_entries, list_root(at))
CALL(ioctl_count, ioctl(pipe_fds[0], FIONREAD, at))
CALL(wait4_status, syscall(SYS_wait4, -1, at, WNOHANG, NULL))

/* --- that take something from there --- */
CALL(write_pipe, write(pipe_fds[1], at, BYTES))
CALL(write_stream, write(stream[1], at, BYTES))
CALL(write_datagram, write(datagrams[1], at, BYTES))
CALL(write_file, write(file, at, BYTES))
CALL(write_event, write(event, at, BYTES))
CALL(writev_pipe, writev(pipe_fds[1], IOVEC(at), 1))
CALL(writev_stream, writev(stream[1], IOVEC(at), 1))
CALL(writev_file, writev(file, IOVEC(at), 1))
CALL(pwrite_file, pwrite(file, at, BYTES, 0))
CALL(pwritev_file, pwritev(file, IOVEC(at), 1, 0))
CALL(pwritev2_file, pwritev2(file, IOVEC(at), 1, 0, RWF_DSYNC))
CALL(pwritev2_pipe, pwritev2(pipe_fds[1], IOVEC(at), 1, -1, 0))
CALL(readv_vector, readv(stream[0], at, 4))
CALL(writev_vector, writev(pipe_fds[1], at, 4))
CALL(preadv2_vector, preadv2(file, at, 4, 0, 0))
CALL(send_stream, send(stream[1], at, BYTES, 0))
CALL(send_datagram, send(datagrams[1], at, BYTES, 0))
CALL(sendto_address, sendto(datagrams[1], "x", 1, 0, at, BYTES))
CALL(sendmsg_stream, sendmsg(stream[1], TO(at), 0))
CALL(sendmsg_header, sendmsg(stream[1], at, 0))
CALL(sendmmsg_vector, sendmmsg(datagrams[1], at, 1, 0))
CALL(vmsplice_to, vmsplice(pipe_fds[1], IOVEC(at), 1, SPLICE_F_NONBLOCK))
CALL(connect_address, connect(stream[0], at, BYTES))
CALL(accept_length, accept(stream[0], (void *)page, at))
CALL(mq_send_text, mq_send(mq, at, BYTES, 0))
CALL(mq_send_time, mq_timedsend(mq, "x", 1, 0, at))
CALL(msgsnd_message, msgsnd(queue, at, BYTES, 0))
CALL(semop_operations, semop(semaphores, at, 8))
CALL(semtimedop_time, semtimedop(semaphores, &(struct sembuf){0, 1, 0}, 1, at))
CALL(sendfile_offset, sendfile(pipe_fds[1], file, at, 8))
CALL(splice_offset, splice(file, at, pipe_fds[1], NULL, 8, 0))
CALL(copy_offset, copy_file_range(file, at, file, &(off_t){4096}, 8, 0))
CALL(fcntl_lock, fcntl(file, F_SETLKW, at))
CALL(epoll_ctl_event, epoll_ctl(set, EPOLL_CTL_MOD, event, at))
CALL(nanosleep_time, nanosleep(at, NULL))
CALL(ppoll_time, syscall(SYS_ppoll, &(struct pollfd){event, POLLIN, 0}, 1, at, NULL, 8))
CALL(ppoll_mask, syscall(SYS_ppoll, NULL, 0, &(struct timespec){0, 0}, at, 8))
CALL(pselect_mask, syscall(SYS_pselect6, 0, NULL, NULL, NULL, &(struct timespec){0, 0}, at))
CALL(open_path, open(at, O_RDONLY))
CALL(setsockopt_time, setsockopt(stream[0], SOL_SOCKET, SO_RCVTIMEO, at, 16))

#define TRIAL(call) \
	{ \
#call, call \
	}

static const struct {
	const char *name;
	long (*call)(void *at);
} trials[] = {
	TRIAL(read_pipe),           TRIAL(read_stream),         TRIAL(read_datagram),
	TRIAL(read_file),           TRIAL(read_event),          TRIAL(readv_pipe),
	TRIAL(readv_stream),        TRIAL(readv_file),          TRIAL(pread_file),
	TRIAL(preadv_file),         TRIAL(preadv2_file),        TRIAL(preadv2_cached),
	TRIAL(preadv2_pipe),        TRIAL(recv_stream),         TRIAL(recv_all),
	TRIAL(recv_peek),           TRIAL(recv_datagram),       TRIAL(recvmsg_stream),
	TRIAL(recvmsg_datagram),    TRIAL(recvmsg_header),      TRIAL(recvmmsg_vector),
	TRIAL(recvfrom_address),    TRIAL(recvfrom_length),     TRIAL(vmsplice_from),
	TRIAL(poll_events),         TRIAL(select_bits),         TRIAL(select_time),
	TRIAL(epoll_wait_events),   TRIAL(epoll_pwait2_events), TRIAL(mq_receive_text),
	TRIAL(mq_receive_priority), TRIAL(msgrcv_message),      TRIAL(getrandom_bytes),
	TRIAL(getdents_entries),    TRIAL(ioctl_count),         TRIAL(wait4_status),
	TRIAL(write_pipe),          TRIAL(write_stream),        TRIAL(write_datagram),
	TRIAL(write_file),          TRIAL(write_event),         TRIAL(writev_pipe),
	TRIAL(writev_stream),       TRIAL(writev_file),         TRIAL(pwrite_file),
	TRIAL(pwritev_file),        TRIAL(pwritev2_file),       TRIAL(pwritev2_pipe),
	TRIAL(readv_vector),        TRIAL(writev_vector),       TRIAL(preadv2_vector),
	TRIAL(send_stream),         TRIAL(send_datagram),       TRIAL(sendto_address),
	TRIAL(sendmsg_stream),      TRIAL(sendmsg_header),      TRIAL(sendmmsg_vector),
	TRIAL(vmsplice_to),         TRIAL(connect_address),     TRIAL(accept_length),
	TRIAL(mq_send_text),        TRIAL(mq_send_time),        TRIAL(msgsnd_message),
	TRIAL(semop_operations),    TRIAL(semtimedop_time),     TRIAL(sendfile_offset),
	TRIAL(splice_offset),       TRIAL(copy_offset),         TRIAL(fcntl_lock),
	TRIAL(epoll_ctl_event),     TRIAL(nanosleep_time),      TRIAL(ppoll_time),
	TRIAL(ppoll_mask),          TRIAL(pselect_mask),        TRIAL(open_path),
	TRIAL(setsockopt_time),
};

/* What is left of the bytes to read, for a call that failed or was cut may have lost some. */
static void say_rest(const char *name, const char *memory, long result, int error)
{
	int in_pipe, in_stream, in_datagram;

	check(ioctl(pipe_fds[0], FIONREAD, &in_pipe) == 0);
	check(ioctl(stream[0], FIONREAD, &in_stream) == 0);
	check(ioctl(datagrams[0], FIONREAD, &in_datagram) == 0);
	say("%s, %s: %ld %s; left %d %d %d, at %ld", name, memory, result,
	    result == -1 ? strerrorname_np(error) : "", in_pipe, in_stream, in_datagram,
	    (long)lseek(file, 0, SEEK_CUR));
}

static void try(size_t trial, const struct memory *memory)
{
	void *at = strcmp(memory->name, "nothing") == 0 ? NULL : page + memory->offset;
	long result;
	int error;

	open_all();
	memset(page, 0, 4096);
	if (memory->is_read_only)
		check(mprotect(page, 4096, PROT_READ) == 0);
	errno = 0;
	result = trials[trial].call(at);
	error = errno;
	check(mprotect(page, 4096, PROT_READ | PROT_WRITE) == 0);
	say_rest(trials[trial].name, memory->name, result, error);
	close_all();
}

static void *try_all(void *arg)
{
	for (size_t i = 0; i < sizeof(trials) / sizeof(*trials); i++)
		for (size_t j = 0; j < sizeof(memories) / sizeof(*memories); j++)
			try(i, &memories[j]);
	return arg;
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(page != MAP_FAILED && munmap(page + 4096, 4096) == 0);
	finish(start(try_all, NULL));
	return 0;
}
