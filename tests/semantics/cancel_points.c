/* Every call of pthreads(7) that can be cancelled: with the request pending, and while it waits. */
#include "guest.h"

#include <aio.h>
#include <mqueue.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <termios.h>

#define LONG_TIME 1000

static int empty[2], full[2], listener, backlog, lock_fd, epoll_fd, file, terminal;
static char fifo[64], queue_name[64];
static struct sockaddr_un backlog_name;
static mqd_t queue_empty, queue_full;
static int messages_empty, messages_full;
static pid_t child;
static pthread_t sleepers[3]; /* one for each join: a second of one thread is EINVAL */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;
static struct timespec never;
static void *page;

static struct message {
	long type;
	char text[8];
} message = {1, "text"};

static char byte;
static struct iovec one = {&byte, 1};

#define DO(name, ...) \
	static void do_##name(void) \
	{ \
		__VA_ARGS__; \
	}

DO(accept, accept(listener, NULL, NULL))
DO(accept4, accept4(listener, NULL, NULL, SOCK_CLOEXEC))

static void do_aio_suspend(void)
{
	static char landing;
	static struct aiocb block;
	const struct aiocb *list[] = {&block};

	block.aio_fildes = empty[0];
	block.aio_buf = &landing;
	block.aio_nbytes = 1;
	check(aio_read(&block) == 0);
	aio_suspend(list, 1, NULL);
}

DO(clock_nanosleep, clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &never, NULL))
DO(close, close(dup(file)))

static void do_connect(void)
{
	connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&backlog_name,
		sizeof(backlog_name));
}

DO(creat, creat(fifo, 0600))
DO(epoll_wait, epoll_wait(epoll_fd, &(struct epoll_event){0}, 1, -1))
DO(epoll_pwait, epoll_pwait(epoll_fd, &(struct epoll_event){0}, 1, -1, NULL))

static void do_fcntl(void)
{
	struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	fcntl(lock_fd, F_SETLKW, &all);
}

DO(fdatasync, fdatasync(file))
DO(fsync, fsync(file))
DO(lockf, check(lockf(lock_fd, F_LOCK, 0) == 0))
DO(mq_receive, mq_receive(queue_empty, message.text, 8, NULL))
DO(mq_send, mq_send(queue_full, "x", 1, 0))
DO(mq_timedreceive, mq_timedreceive(queue_empty, message.text, 8, NULL, &never))
DO(mq_timedsend, mq_timedsend(queue_full, "x", 1, 0, &never))
DO(msgrcv, msgrcv(messages_empty, &(struct message){0}, 8, 0, 0))
DO(msgsnd, msgsnd(messages_full, &message, 8, 0))
DO(msync, msync(page, 4096, MS_SYNC))
DO(nanosleep, nanosleep(&(struct timespec){LONG_TIME, 0}, NULL))
DO(open, open(fifo, O_WRONLY))
DO(openat, openat(AT_FDCWD, fifo, O_WRONLY))
DO(pause, pause())
DO(poll, poll(&(struct pollfd){empty[0], POLLIN, 0}, 1, -1))
DO(ppoll, ppoll(&(struct pollfd){empty[0], POLLIN, 0}, 1, NULL, NULL))
DO(pread, check(pread(file, &byte, 1, 0) >= 0))

static void do_pselect(void)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(empty[0], &set);
	pselect(empty[0] + 1, &set, NULL, NULL, NULL, NULL);
}

static void unlock(void *mutex)
{
	pthread_mutex_unlock(mutex);
}

static void wait_for_cond(int how)
{
	pthread_mutex_lock(&lock);
	pthread_cleanup_push(unlock, &lock);
	if (how == 0)
		pthread_cond_wait(&cond, &lock);
	else if (how == 1)
		pthread_cond_timedwait(&cond, &lock, &never);
	else
		pthread_cond_clockwait(&cond, &lock, CLOCK_MONOTONIC, &never);
	pthread_cleanup_pop(1);
}

DO(cond_wait, wait_for_cond(0))
DO(cond_timedwait, wait_for_cond(1))
DO(cond_clockwait, wait_for_cond(2))
DO(join, pthread_join(sleepers[0], NULL))
DO(timedjoin, pthread_timedjoin_np(sleepers[1], NULL, &never))
DO(clockjoin, pthread_clockjoin_np(sleepers[2], NULL, CLOCK_MONOTONIC, &never))
DO(testcancel, pthread_testcancel())
DO(pwrite, check(pwrite(file, "x", 1, 0) == 1))
DO(read, check(read(empty[0], &byte, 1) == 1))
DO(readv, check(readv(empty[0], &one, 1) == 1))
DO(recv, recv(empty[0], &byte, 1, 0))
DO(recvfrom, recvfrom(empty[0], &byte, 1, 0, NULL, NULL))
DO(recvmsg, recvmsg(empty[0], &(struct msghdr){.msg_iov = &one, .msg_iovlen = 1}, 0))

static void do_recvmmsg(void)
{
	struct mmsghdr header = {.msg_hdr = {.msg_iov = &one, .msg_iovlen = 1}};

	recvmmsg(empty[0], &header, 1, 0, NULL);
}

DO(select, select(0, NULL, NULL, NULL, NULL))
DO(sem_wait, sem_wait(&semaphore))
DO(sem_timedwait, sem_timedwait(&semaphore, &never))
DO(sem_clockwait, sem_clockwait(&semaphore, CLOCK_MONOTONIC, &never))
DO(send, send(full[0], &byte, 1, 0))
DO(sendmsg, sendmsg(full[0], &(struct msghdr){.msg_iov = &one, .msg_iovlen = 1}, 0))
DO(sendto, sendto(full[0], &byte, 1, 0, NULL, 0))

static void wait_for_signal(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	if (how == 0)
		sigsuspend(&set);
	else if (how == 1)
		sigtimedwait(&set, NULL, &(struct timespec){LONG_TIME, 0});
	else if (how == 2)
		sigwait(&set, &(int){0});
	else
		sigwaitinfo(&set, NULL);
}

DO(sigsuspend, wait_for_signal(0))
DO(sigtimedwait, wait_for_signal(1))
DO(sigwait, wait_for_signal(2))
DO(sigwaitinfo, wait_for_signal(3))
DO(sleep, sleep(LONG_TIME))
DO(tcdrain, tcdrain(terminal))
DO(usleep, usleep(LONG_TIME * 1000000U))
DO(wait, wait(NULL))
DO(wait4, wait4(child, NULL, 0, NULL))
DO(waitid, waitid(P_ALL, 0, &(siginfo_t){0}, WEXITED))
DO(waitpid, waitpid(child, NULL, 0))
DO(write, check(write(full[0], &byte, 1) == 1))
DO(writev, check(writev(full[0], &one, 1) == 1))

static const struct point {
	const char *name;
	void (*call)(void);
	int waits; /* there is a way to make it wait */
} points[] = {
#define WAITS(name) {#name, do_##name, 1},
#define PASSES(name) {#name, do_##name, 0},
	WAITS(accept) WAITS(accept4) WAITS(aio_suspend) WAITS(clock_nanosleep) PASSES(close) WAITS(
		connect) WAITS(creat) WAITS(epoll_wait) WAITS(epoll_pwait) WAITS(fcntl)
		PASSES(fdatasync) PASSES(fsync) WAITS(lockf) WAITS(mq_receive) WAITS(mq_send) WAITS(
			mq_timedreceive) WAITS(mq_timedsend) WAITS(msgrcv) WAITS(msgsnd)
			PASSES(msync) WAITS(nanosleep) WAITS(open) WAITS(openat) WAITS(pause) WAITS(
				poll) WAITS(ppoll) PASSES(pread) WAITS(pselect) WAITS(cond_wait)
				WAITS(cond_timedwait) WAITS(cond_clockwait) WAITS(join) WAITS(
					timedjoin) WAITS(clockjoin) PASSES(testcancel) PASSES(pwrite)
					WAITS(read) WAITS(readv) WAITS(recv) WAITS(recvfrom) WAITS(
						recvmsg) WAITS(recvmmsg) WAITS(select) WAITS(sem_wait)
						WAITS(sem_timedwait) WAITS(sem_clockwait) WAITS(
							send) WAITS(sendmsg) WAITS(sendto)
							WAITS(sigsuspend) WAITS(sigtimedwait) WAITS(
								sigwait) WAITS(sigwaitinfo)
								WAITS(sleep) PASSES(tcdrain) WAITS(
									usleep) WAITS(wait)
									WAITS(wait4) WAITS(
										waitid) WAITS(waitpid)
										WAITS(write) WAITS(
											writev)};

#define POINTS (sizeof(points) / sizeof(points[0]))

static int cleaned[POINTS], requested;

static void note(void *count)
{
	++*(int *)count;
}

static void *call_it(void *arg)
{
	const struct point *point = arg;

	pthread_cleanup_push(note, &cleaned[point - points]);
	point->call();
	pthread_cleanup_pop(0);
	return NULL;
}

static void *call_it_late(void *arg)
{
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	while (!__atomic_load_n(&requested, __ATOMIC_ACQUIRE))
		usleep(1000);
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	return call_it(arg);
}

static void *sleep_long(void *arg)
{
	sleep(LONG_TIME);
	return arg;
}

static mqd_t make_queue(void)
{
	struct mq_attr attr = {.mq_maxmsg = 1, .mq_msgsize = 8};
	mqd_t made;

	mq_unlink(queue_name); /* of a process that had this id and was killed */
	made = mq_open(queue_name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
	check(made >= 0);
	mq_unlink(queue_name);
	return made;
}

/* Another process has the lock: one of this process's own would not stand in its way. */
static void hold_lock(int ready)
{
	check(lockf(lock_fd, F_LOCK, 0) == 0);
	write_all(ready, "x", 1);
	for (;;)
		pause();
}

static void prepare_files(void)
{
	char name[] = "/tmp/cancelXXXXXX";

	file = mkstemp(name);
	check(file >= 0);
	lock_fd = dup(file);
	unlink(name);
	check(ftruncate(file, 4096) == 0);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	check(page != MAP_FAILED);
	snprintf(fifo, sizeof(fifo), "/tmp/cancel-fifo.%d", getpid());
	unlink(fifo); /* of a process that had this id and was killed */
	check(mkfifo(fifo, 0600) == 0);
	terminal = posix_openpt(O_RDWR | O_NOCTTY);
	check(terminal >= 0);
}

static void prepare_sockets(void)
{
	struct sockaddr_in address;
	char block[4096] = "";
	int fd;

	listener = tcp_listen(&address);
	unix_pair(SOCK_STREAM, empty);
	unix_pair(SOCK_STREAM, full);
	while (send(full[0], block, sizeof(block), MSG_DONTWAIT) > 0 ||
	       send(full[0], block, 1, MSG_DONTWAIT) > 0)
		;
	backlog = socket(AF_UNIX, SOCK_STREAM, 0);
	backlog_name.sun_family = AF_UNIX;
	snprintf(backlog_name.sun_path + 1, 64, "cancel%d", getpid());
	check(bind(backlog, (struct sockaddr *)&backlog_name, sizeof(backlog_name)) == 0);
	check(listen(backlog, 0) == 0);
	do
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	while (connect(fd, (struct sockaddr *)&backlog_name, sizeof(backlog_name)) == 0);
	close(fd);
	epoll_fd = epoll_create1(0);
}

static void prepare_queues(void)
{
	struct msqid_ds state;

	snprintf(queue_name, sizeof(queue_name), "/cancel%d", getpid());
	queue_empty = make_queue();
	queue_full = make_queue();
	check(mq_send(queue_full, "x", 1, 0) == 0);
	messages_empty = msgget(IPC_PRIVATE, 0600);
	messages_full = msgget(IPC_PRIVATE, 0600);
	check(msgctl(messages_full, IPC_STAT, &state) == 0);
	state.msg_qbytes = 8;
	check(msgctl(messages_full, IPC_SET, &state) == 0);
	check(msgsnd(messages_full, &message, 8, 0) == 0);
	check(sem_init(&semaphore, 0, 0) == 0);
}

static void prepare(void)
{
	int ready[2];

	never = in_ms(CLOCK_REALTIME, LONG_TIME * 1000);
	prepare_files();
	prepare_sockets();
	prepare_queues();
	check(pipe(ready) == 0);
	child = fork();
	if (child == 0)
		hold_lock(ready[1]);
	check(read(ready[0], &byte, 1) == 1);
	for (int i = 0; i < 3; i++)
		sleepers[i] = start(sleep_long, NULL);
}

static void report(const char *how, const pthread_t *threads, int all)
{
	for (size_t i = 0; i < POINTS; i++)
		if (all || points[i].waits) {
			int cancelled = finish(threads[i]) == PTHREAD_CANCELED;

			say("%s, %s: cancelled %d, cleaned up %d", how, points[i].name, cancelled,
			    cleaned[i]);
			cleaned[i] = 0;
		}
}

int main(void)
{
	pthread_t threads[POINTS];

	prepare();
	for (size_t i = 0; i < POINTS; i++)
		threads[i] = start(call_it_late, (void *)&points[i]);
	for (size_t i = 0; i < POINTS; i++)
		check(pthread_cancel(threads[i]) == 0);
	__atomic_store_n(&requested, 1, __ATOMIC_RELEASE);
	report("pending", threads, 1);

	for (size_t i = 0; i < POINTS; i++)
		if (points[i].waits)
			threads[i] = start(call_it, (void *)&points[i]);
	for (int i = 0; i < 5; i++)
		settle();
	for (size_t i = 0; i < POINTS; i++)
		if (points[i].waits)
			check(pthread_cancel(threads[i]) == 0);
	report("waiting", threads, 0);

	show_error(pthread_mutex_trylock(&lock));
	unlink(fifo);
	msgctl(messages_empty, IPC_RMID, NULL);
	msgctl(messages_full, IPC_RMID, NULL);
	kill(child, SIGKILL);
	return 0;
}
