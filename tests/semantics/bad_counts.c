/* Counts, lengths, offsets and flags beyond all measure, and what is done of them all the same. */
#include "guest.h"

#include <limits.h>
#include <mqueue.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#define BYTES 64
#define MOST 0x7FFFF000L /* what one call moves at most, see read(2) */

/* Not known to the compiler, which would rightly warn. */
static volatile size_t whole = SIZE_MAX, half = SSIZE_MAX, most = MOST, giga = 1 << 30;
static volatile int minus = -1, beyond = 1025;

static int pipe_fds[2], other_pipe[2], stream[2], datagrams[2], file, device, set, queue, sets;
static mqd_t mq;
static char *page; /* followed by one that is not there */
static struct iovec many[1025], huge[2], over[2], empty[3];

static void open_all(void)
{
	static const struct mq_attr attr = {.mq_maxmsg = 2, .mq_msgsize = BYTES};
	char name[64];

	check(pipe(pipe_fds) == 0 && pipe(other_pipe) == 0);
	unix_pair(SOCK_STREAM, stream);
	unix_pair(SOCK_DGRAM, datagrams);
	file = open("/tmp", O_RDWR | O_TMPFILE, 0600);
	device = open("/dev/null", O_RDWR);
	set = epoll_create1(0);
	snprintf(name, sizeof(name), "/bad_counts.%d", getpid());
	mq = mq_open(name, O_RDWR | O_CREAT, 0600, &attr);
	check(mq >= 0 && mq_unlink(name) == 0);
	queue = msgget(IPC_PRIVATE, 0600);
	sets = semget(IPC_PRIVATE, 1, 0600);
	memset(page, 'p', 4096);
	write_all(pipe_fds[1], page, BYTES);
	write_all(stream[1], page, BYTES);
	write_all(datagrams[1], page, BYTES);
	check(pwrite(file, page, BYTES, 0) == BYTES);
	for (int i = 0; i < 1025; i++)
		many[i] = (struct iovec){page + i, 1};
	huge[0] = huge[1] = (struct iovec){page, SSIZE_MAX};
	over[0] = (struct iovec){page, 4096};
	over[1] = (struct iovec){page, MOST};
}

static void close_all(void)
{
	const int all[] = {pipe_fds[0], pipe_fds[1], other_pipe[0], other_pipe[1],
			   stream[0],   stream[1],   datagrams[0],  datagrams[1],
			   file,        device,      set,           mq};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		check(close(all[i]) == 0);
	check(msgctl(queue, IPC_RMID, NULL) == 0 && semctl(sets, 0, IPC_RMID) == 0);
}

/* Huge reads end where the memory does, or what there is to read. */
#define READS(X) \
	X(read(pipe_fds[0], page, 0)) \
	X(read(pipe_fds[0], page, most)) \
	X(read(pipe_fds[0], page, most + 1)) \
	X(read(pipe_fds[0], page, half)) \
	X(read(pipe_fds[0], page, whole)) \
	X(read(stream[0], page, most + 1)) \
	X(read(stream[0], page, whole)) \
	X(read(file, page, most + 1)) \
	X(read(file, page, half)) \
	X(pread(file, page, whole, 0)) \
	X(pread(file, page, 8, LLONG_MAX)) \
	X(pread(file, page, 8, LLONG_MIN)) \
	X(preadv2(file, many, 8, LLONG_MAX, 0)) \
	X(preadv2(file, many, 8, -2, 0)) \
	X(preadv2(file, many, 8, 0, RWF_APPEND)) \
	X(preadv2(file, many, 8, 0, RWF_HIPRI | RWF_NOWAIT)) \
	X(preadv2(pipe_fds[0], many, 8, -1, RWF_NOWAIT)) \
	X(preadv2(pipe_fds[0], many, 8, -1, 1 << 30)) \
	X(recv(stream[0], page, whole, 0)) \
	X(recv(stream[0], page, most + 1, 0)) \
	X(recv(stream[0], page, 8, -1 & ~MSG_ERRQUEUE & ~MSG_WAITALL)) \
	X(recv(datagrams[0], page, most + 1, MSG_TRUNC)) \
	X(readv(pipe_fds[0], many, 0)) \
	X(readv(pipe_fds[0], many, minus)) \
	X(readv(pipe_fds[0], many, 1024)) \
	X(readv(pipe_fds[0], many, beyond)) \
	X(readv(pipe_fds[0], many, beyond)) \
	X(readv(pipe_fds[0], huge, 2)) \
	X(readv(pipe_fds[0], over, 2)) \
	X(readv(pipe_fds[0], empty, 3)) \
	X(readv(stream[0], many, beyond)) \
	X(readv(stream[0], huge, 1)) \
	X(readv(file, many, beyond)) \
	X(preadv(file, huge, 2, 0)) \
	X(recvmsg(stream[0], &(struct msghdr){.msg_iov = many, .msg_iovlen = 1025}, 0)) \
	X(recvmsg(stream[0], &(struct msghdr){.msg_iov = huge, .msg_iovlen = 2}, 0)) \
	X(recvmsg(stream[0], &(struct msghdr){.msg_iov = many, .msg_iovlen = whole}, 0)) \
	X(recvmmsg(datagrams[0], NULL, 0, 0, NULL)) \
	X(recvmmsg(datagrams[0], (void *)page, 1, 0, &(struct timespec){0, -1}))

/* Huge writes go where they are not kept, or end where the memory does. */
#define WRITES(X) \
	X(write(pipe_fds[1], page, 0)) \
	X(write(pipe_fds[1], page, half)) \
	X(write(pipe_fds[1], page, whole)) \
	X(write(pipe_fds[1], page, 4096 + BYTES)) \
	X(write(stream[1], page, whole)) \
	X(write(stream[1], page, 4096 + BYTES)) \
	X(write(datagrams[1], page, giga)) \
	X(write(device, page, most + 1)) \
	X(write(device, page, whole)) \
	X(write(file, page, most + 1)) \
	X(write(file, page, 4096 + BYTES)) \
	X(pwrite(file, page, 8, LLONG_MAX)) \
	X(pwrite(file, page, 8, LLONG_MIN)) \
	X(pwritev2(file, many, 8, LLONG_MAX - 4, 0)) \
	X(pwritev2(file, many, 8, -2, 0)) \
	X(pwritev2(file, many, 8, 0, RWF_NOWAIT | RWF_SYNC) >= -1) \
	X(pwritev2(pipe_fds[1], many, 8, -1, RWF_NOWAIT)) \
	X(pwritev2(pipe_fds[1], many, 8, -1, 1 << 30)) \
	X(writev(pipe_fds[1], many, 0)) \
	X(writev(pipe_fds[1], many, minus)) \
	X(writev(pipe_fds[1], many, beyond)) \
	X(writev(pipe_fds[1], huge, 2)) \
	X(writev(stream[1], huge, 1)) \
	X(writev(stream[1], many, 1024)) \
	X(writev(device, over, 2)) \
	X(writev(file, huge, 2)) \
	X(pwritev(file, many, beyond, 0)) \
	X(send(stream[1], page, whole, 0)) \
	X(send(datagrams[1], page, giga, 0)) \
	X(sendto(datagrams[1], page, 8, 0, (void *)page, 4096)) \
	X(sendto(datagrams[1], page, 8, 0, (void *)page, minus)) \
	X(sendmsg(stream[1], &(struct msghdr){.msg_iov = many, .msg_iovlen = 1025}, 0)) \
	X(sendmsg(stream[1], &(struct msghdr){.msg_iov = huge, .msg_iovlen = 2}, 0)) \
	X(sendmmsg(datagrams[1], NULL, 0, 0))

#define OTHERS(X) \
	X(sendfile(pipe_fds[1], file, NULL, whole)) \
	X(sendfile(pipe_fds[1], file, &(off_t){-1}, 8)) \
	X(sendfile(pipe_fds[1], file, &(off_t){LLONG_MAX}, 8)) \
	X(sendfile(pipe_fds[1], pipe_fds[0], &(off_t){0}, 8)) \
	X(splice(file, NULL, pipe_fds[1], NULL, whole, 0)) \
	X(splice(file, &(off_t){-1}, pipe_fds[1], NULL, 8, 0)) \
	X(splice(file, &(off_t){LLONG_MAX}, pipe_fds[1], NULL, 8, 0)) \
	X(splice(pipe_fds[0], &(off_t){0}, file, NULL, 8, 0)) \
	X(splice(pipe_fds[0], NULL, pipe_fds[1], NULL, 8, 0)) \
	X(splice(pipe_fds[0], NULL, file, &(off_t){LLONG_MAX}, 8, 0)) \
	X(splice(pipe_fds[0], NULL, other_pipe[1], NULL, whole, 0)) \
	X(splice(pipe_fds[0], NULL, other_pipe[1], NULL, 0, 0)) \
	X(splice(pipe_fds[0], NULL, other_pipe[1], NULL, 8, ~0U)) \
	X(tee(pipe_fds[0], pipe_fds[1], 8, 0)) \
	X(tee(pipe_fds[0], other_pipe[1], whole, 0)) \
	X(tee(pipe_fds[0], other_pipe[1], 8, ~0U)) \
	X(vmsplice(pipe_fds[1], many, 1025, 0)) \
	X(vmsplice(pipe_fds[1], many, 8, ~0U)) \
	X(vmsplice(pipe_fds[1], huge, 2, 0)) \
	X(copy_file_range(file, &(off_t){0}, file, &(off_t){8}, 32, 0)) \
	X(copy_file_range(file, &(off_t){0}, file, &(off_t){64}, whole, 0)) \
	X(copy_file_range(file, &(off_t){-1}, file, NULL, 8, 0)) \
	X(copy_file_range(file, &(off_t){0}, file, &(off_t){LLONG_MAX}, 8, 0)) \
	X(fallocate(file, 0, LLONG_MAX, LLONG_MAX)) \
	X(fallocate(file, 0, -1, 8)) \
	X(ftruncate(file, LLONG_MAX)) \
	X(readahead(file, LLONG_MAX, whole)) \
	X(sync_file_range(file, LLONG_MAX, LLONG_MAX, 2)) \
	X(poll((void *)page, 1UL << 40, 0)) \
	X(syscall(SYS_select, INT_MAX, NULL, NULL, NULL, &(struct timeval){0, 0})) \
	X(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &(struct timespec){0, 1000000000}, NULL)) \
	X(syscall(SYS_select, 0, NULL, NULL, NULL, &(struct timeval){0, -1})) \
	X(syscall(SYS_epoll_wait, set, page, INT_MAX, 0)) \
	X(syscall(SYS_epoll_wait, set, page, -1, 0)) \
	X(syscall(SYS_epoll_pwait, set, page, 1, 0, page, 7)) \
	X(syscall(SYS_mq_timedreceive, mq, page, 1, NULL, NULL)) \
	X(syscall(SYS_mq_timedreceive, mq, page, whole, NULL, &(struct timespec){1, 0})) \
	X(syscall(SYS_mq_timedsend, mq, page, whole, 0, NULL)) \
	X(syscall(SYS_mq_timedsend, mq, page, 8, -1, NULL)) \
	X(msgsnd(queue, page, whole, 0)) \
	X(msgsnd(queue, page, 1 << 20, 0)) \
	X(msgrcv(queue, page, whole, 0, IPC_NOWAIT)) \
	X(msgrcv(queue, page, 8, LONG_MIN, IPC_NOWAIT)) \
	X(semop(sets, (void *)page, whole)) \
	X(semop(sets, &(struct sembuf){0, SHRT_MAX, 0}, 1)) \
	X(semtimedop(sets, (void *)page, 501, NULL)) \
	X(syscall(SYS_getrandom, page, whole, 0) >= -1) \
	X(syscall(SYS_getdents64, device, page, minus)) \
	X(syscall(SYS_io_getevents, -1L, LONG_MAX, LONG_MIN, NULL, NULL)) \
	X(syscall(SYS_io_submit, -1L, LONG_MAX, NULL)) \
	X(syscall(SYS_io_uring_enter, device, ~0U, ~0U, ~0U, NULL, whole)) \
	X(syscall(SYS_futex_waitv, page, 129, 0, NULL, CLOCK_MONOTONIC)) \
	X(accept4(stream[0], NULL, NULL, -1)) \
	X(connect(stream[0], (void *)page, 129)) \
	X(connect(stream[0], (void *)page, minus)) \
	X(clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){0, 1000000000}, NULL)) \
	X(clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){LONG_MIN, 0}, NULL)) \
	X(syscall(SYS_waitid, -1, -1, NULL, -1, NULL)) \
	X(syscall(SYS_wait4, INT_MIN, NULL, 0, NULL)) \
	X(fcntl(file, F_SETLKW, &(struct flock){.l_type = 1, .l_len = LLONG_MIN})) \
	X(fcntl(file, F_OFD_SETLKW, &(struct flock){.l_start = LLONG_MAX, .l_len = LLONG_MAX}))

#define SHOW(...) \
	open_all(); \
	show_result(#__VA_ARGS__, (long)(__VA_ARGS__)); \
	close_all();

static void *show_all(void *arg)
{
	READS(SHOW)
	WRITES(SHOW)
	OTHERS(SHOW)
	return arg;
}

int main(void)
{
	struct rlimit limit = {1024, 1024};

	signal(SIGPIPE, SIG_IGN);
	check(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(page != MAP_FAILED && munmap(page + 4096, 4096) == 0);
	finish(start(show_all, NULL));
	return 0;
}
