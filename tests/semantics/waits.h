/* The calls that wait and what a signal does to them (signal(7)), for guests that interrupt them.
 *
 * A wait is made of: set_up, which makes what is waited for; call, which waits; complete, which
 * makes the call succeed; and tidy. A wait without complete ends by a signal only. One at a time.
 */
#ifndef WAITS_H
#define WAITS_H

#include "guest.h"

#include <mqueue.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>

struct wait {
	const char *name;
	bool restarts; /* with SA_RESTART it goes on after the handler */
	void (*set_up)(void);
	long (*call)(void);
	void (*complete)(void);
	void (*tidy)(void);
};

static int fds[2], third = -1, queue, word;
static pid_t child;
static sem_t semaphore;
static mqd_t mq;
static char path[64], byte;
static struct sockaddr_un name;
static struct iovec one = {&byte, 1};
static struct timespec far = {50, 0};
static struct message {
	long type;
	char text[8];
} message = {1, "text"};

static void close_fds(void)
{
	close(fds[0]);
	close(fds[1]);
	if (third >= 0)
		close(third);
	third = -1;
}

/* --- pipes and sockets: nothing to read, no room to write --- */
static void make_pipe(void)
{
	check(pipe(fds) == 0);
}

static void make_pair(void)
{
	unix_pair(SOCK_STREAM, fds);
}

static void make_datagrams(void)
{
	unix_pair(SOCK_DGRAM, fds);
}

static void make_tcp(void)
{
	tcp_pair(fds);
}

static void fill_up(int fd)
{
	static char block[4096];
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	while (write(fd, block, sizeof(block)) > 0)
		;
	while (write(fd, block, 1) > 0)
		;
	check(errno == EAGAIN);
	fcntl(fd, F_SETFL, flags);
}

static void make_full_pipe(void)
{
	make_pipe();
	fill_up(fds[1]);
}

static void make_full_pair(void)
{
	make_pair();
	fill_up(fds[1]);
}

static void limit_time(int option)
{
	struct timeval time = {50, 0};

	for (int i = 0; i < 2; i++)
		check(setsockopt(fds[i], SOL_SOCKET, option, &time, sizeof(time)) == 0);
}

static void make_timed_pair(void)
{
	make_pair();
	limit_time(SO_RCVTIMEO);
}

static void make_timed_full_pair(void)
{
	make_full_pair();
	limit_time(SO_SNDTIMEO);
}

static void put_byte(void)
{
	write_all(fds[1], "x", 1);
}

static void drain(void)
{
	static char block[65536];

	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	while (read(fds[0], block, sizeof(block)) > 0)
		;
	fcntl(fds[0], F_SETFL, 0);
}

static void make_listener(void)
{
	struct sockaddr_un address = {AF_UNIX, ""};

	snprintf(address.sun_path + 1, 60, "waits.%d.%ld", getpid(), (long)now_ns(CLOCK_MONOTONIC));
	name = address;
	fds[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	fds[1] = socket(AF_UNIX, SOCK_STREAM, 0);
	check(bind(fds[0], (struct sockaddr *)&name, sizeof(name)) == 0);
	check(listen(fds[0], 0) == 0);
}

static void make_timed_listener(void)
{
	make_listener();
	limit_time(SO_RCVTIMEO);
}

static void connect_first(void)
{
	check(connect(fds[1], (struct sockaddr *)&name, sizeof(name)) == 0);
}

/* Its backlog of one is taken. */
static void make_busy_listener(void)
{
	make_listener();
	connect_first();
	third = socket(AF_UNIX, SOCK_STREAM, 0);
}

static void make_timed_busy_listener(void)
{
	struct timeval time = {50, 0};

	make_busy_listener();
	check(setsockopt(third, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time)) == 0);
}

static void accept_first(void)
{
	close(accept(fds[0], NULL, NULL));
}

#define CALL(function, ...) \
	static long function(void) \
	{ \
		return (long)(__VA_ARGS__); \
	}

CALL(call_read, read(fds[0], &byte, 1))
CALL(call_readv, readv(fds[0], &one, 1))
CALL(call_recv, recv(fds[0], &byte, 1, 0))
CALL(call_recvfrom, recvfrom(fds[0], &byte, 1, 0, NULL, NULL))
CALL(call_recvmsg, recvmsg(fds[0], &(struct msghdr){.msg_iov = &one, .msg_iovlen = 1}, 0))
CALL(call_recvmmsg,
     recvmmsg(fds[0], &(struct mmsghdr){{.msg_iov = &one, .msg_iovlen = 1}, 0}, 1, 0, NULL))
CALL(call_write, write(fds[1], "x", 1))
CALL(call_writev, writev(fds[1], &one, 1))
CALL(call_send, send(fds[1], "x", 1, 0))
CALL(call_sendmsg, sendmsg(fds[1], &(struct msghdr){.msg_iov = &one, .msg_iovlen = 1}, 0))
CALL(call_accept, accept(fds[0], NULL, NULL) >= 0 ? 0 : -1)
CALL(call_accept4, accept4(fds[0], NULL, NULL, SOCK_CLOEXEC) >= 0 ? 0 : -1)
CALL(call_connect, connect(third, (struct sockaddr *)&name, sizeof(name)))

/* --- waiting for descriptors --- */
static void make_epoll(void)
{
	make_pipe();
	third = epoll_create1(0);
	check(epoll_ctl(third, EPOLL_CTL_ADD, fds[0], &(struct epoll_event){.events = EPOLLIN}) ==
	      0);
}

static long select_somehow(int how)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fds[0], &set);
	if (how == 0)
		return select(fds[0] + 1, &set, NULL, NULL, &(struct timeval){50, 0});
	return pselect(fds[0] + 1, &set, NULL, NULL, &far, NULL);
}

CALL(call_poll, poll(&(struct pollfd){fds[0], POLLIN, 0}, 1, -1))
CALL(call_poll_timed, poll(&(struct pollfd){fds[0], POLLIN, 0}, 1, 50000))
CALL(call_ppoll, ppoll(&(struct pollfd){fds[0], POLLIN, 0}, 1, &far, NULL))
CALL(call_select, select_somehow(0))
CALL(call_pselect, select_somehow(1))
CALL(call_epoll_wait, epoll_wait(third, &(struct epoll_event){0}, 1, -1))
CALL(call_epoll_pwait, epoll_pwait(third, &(struct epoll_event){0}, 1, 50000, NULL))
CALL(call_epoll_pwait2, epoll_pwait2(third, &(struct epoll_event){0}, 1, &far, NULL))

/* --- other things to read --- */
static void make_inotify(void)
{
	fds[0] = inotify_init1(0);
	fds[1] = open("/tmp", O_RDWR | O_TMPFILE, 0600);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[1]);
	check(inotify_add_watch(fds[0], path, IN_MODIFY) >= 0);
}

static long call_read_event(void)
{
	char events[256];

	return read(fds[0], events, sizeof(events)) > 0 ? 0 : -1;
}

static void make_eventfd(void)
{
	fds[0] = eventfd(0, 0);
	fds[1] = dup(fds[0]);
}

static void count_event(void)
{
	check(eventfd_write(fds[1], 1) == 0);
}

static void make_terminal(void)
{
	fds[1] = posix_openpt(O_RDWR | O_NOCTTY);
	check(fds[1] >= 0 && grantpt(fds[1]) == 0 && unlockpt(fds[1]) == 0);
	fds[0] = open(ptsname(fds[1]), O_RDWR | O_NOCTTY);
	check(fds[0] >= 0);
}

static void type_line(void)
{
	write_all(fds[1], "x\n", 2);
}

/* --- files: locks and the other end of a FIFO --- */
static void make_lock(void)
{
	snprintf(path, sizeof(path), "/tmp/waits.%d", getpid());
	fds[0] = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	fds[1] = open(path, O_RDWR | O_CLOEXEC);
	check(fds[0] >= 0 && fds[1] >= 0 && unlink(path) == 0);
	check(flock(fds[1], LOCK_EX) == 0);
	check(fcntl(fds[1], F_OFD_SETLK, &(struct flock){.l_type = F_WRLCK}) == 0);
}

static void give_lock(void)
{
	check(flock(fds[1], LOCK_UN) == 0);
	check(fcntl(fds[1], F_OFD_SETLK, &(struct flock){.l_type = F_UNLCK}) == 0);
}

CALL(call_flock, flock(fds[0], LOCK_EX))
CALL(call_setlkw, fcntl(fds[0], F_SETLKW, &(struct flock){.l_type = F_WRLCK}))
CALL(call_ofd_setlkw, fcntl(fds[0], F_OFD_SETLKW, &(struct flock){.l_type = F_WRLCK}))

static void make_fifo(void)
{
	snprintf(path, sizeof(path), "/tmp/waits.%d", getpid());
	unlink(path); /* of a process that had this id and was killed */
	check(mkfifo(path, 0600) == 0);
	fds[0] = fds[1] = -1;
}

static void remove_fifo(void)
{
	close_fds();
	check(unlink(path) == 0);
}

static void open_both_ends(void)
{
	fds[1] = open(path, O_RDWR);
	settle();
}

CALL(call_open_reader, (fds[0] = open(path, O_RDONLY)) >= 0 ? 0 : -1)
CALL(call_open_writer, (fds[0] = open(path, O_WRONLY)) >= 0 ? 0 : -1)

/* --- queues of messages --- */
static void make_mq(void)
{
	struct mq_attr attr = {.mq_maxmsg = 1, .mq_msgsize = 8};

	snprintf(path, sizeof(path), "/waits.%d", getpid());
	mq = mq_open(path, O_RDWR | O_CREAT, 0600, &attr);
	check(mq >= 0 && mq_unlink(path) == 0);
}

static void post_mq(void)
{
	check(mq_send(mq, "x", 1, 0) == 0);
}

static void take_mq(void)
{
	check(mq_receive(mq, message.text, 8, NULL) == 1);
}

static void make_full_mq(void)
{
	make_mq();
	post_mq();
}

static void close_mq(void)
{
	mq_close(mq);
}

static struct timespec *late(void)
{
	static struct timespec time;

	time = in_ms(CLOCK_REALTIME, 50000);
	return &time;
}

CALL(call_mq_receive, mq_receive(mq, message.text, 8, NULL))
CALL(call_mq_timedreceive, mq_timedreceive(mq, message.text, 8, NULL, late()))
CALL(call_mq_send, mq_send(mq, "x", 1, 0))
CALL(call_mq_timedsend, mq_timedsend(mq, "x", 1, 0, late()))

static void make_queue(void)
{
	queue = msgget(IPC_PRIVATE, 0600);
	check(queue >= 0);
}

static void make_full_queue(void)
{
	make_queue();
	while (msgsnd(queue, &message, 8, IPC_NOWAIT) == 0)
		;
}

static void post_message(void)
{
	check(msgsnd(queue, &message, 8, 0) == 0);
}

static void take_message(void)
{
	check(msgrcv(queue, &message, 8, 0, 0) == 8);
}

static void remove_queue(void)
{
	msgctl(queue, IPC_RMID, NULL);
}

CALL(call_msgrcv, msgrcv(queue, &message, 8, 0, 0))
CALL(call_msgsnd, msgsnd(queue, &message, 8, 0))

static void make_semaphores(void)
{
	queue = semget(IPC_PRIVATE, 1, 0600);
	check(queue >= 0);
}

static void raise_semaphore(void)
{
	check(semop(queue, &(struct sembuf){0, 1, 0}, 1) == 0);
}

static void remove_semaphores(void)
{
	semctl(queue, 0, IPC_RMID);
}

CALL(call_semop, semop(queue, &(struct sembuf){0, -1, 0}, 1))
CALL(call_semtimedop, semtimedop(queue, &(struct sembuf){0, -1, 0}, 1, &far))

/* --- children --- */
static void make_child(void)
{
	child = fork();
	if (child == 0)
		for (;;)
			pause();
}

static void end_child(void)
{
	check(kill(child, SIGKILL) == 0);
}

static void bury_child(void)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

CALL(call_waitpid, waitpid(child, NULL, 0) > 0 ? 0 : -1)
CALL(call_waitpid_any, waitpid(-1, NULL, 0) > 0 ? 0 : -1)
CALL(call_waitid, waitid(P_PID, (id_t)child, &(siginfo_t){0}, WEXITED))

/* --- words in memory --- */
static void make_semaphore(void)
{
	check(sem_init(&semaphore, 0, 0) == 0);
}

static void post(void)
{
	check(sem_post(&semaphore) == 0);
}

static void remove_semaphore(void)
{
	sem_destroy(&semaphore);
}

static void make_word(void)
{
	word = 0;
}

/* Wake somebody: who has not begun to wait will, for the word stays as it is. */
static void wake_word(void)
{
	while (futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0) == 0 &&
	       futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 0)
		usleep(1000);
}

static void do_nothing(void)
{
}

CALL(call_sem_wait, sem_wait(&semaphore))
CALL(call_sem_timedwait, sem_timedwait(&semaphore, late()))
CALL(call_futex, futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0))
CALL(call_futex_timed, futex(&word, FUTEX_WAIT_PRIVATE, 0, &far, NULL, 0))
CALL(call_futex_shared, futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0))

/* --- time and signals --- */
static long as_errno(int err)
{
	errno = err;
	return err == 0 ? 0 : -1;
}

static long sleep_until(clockid_t clock)
{
	struct timespec time = in_ms(clock, 50000);

	return as_errno(clock_nanosleep(clock, TIMER_ABSTIME, &time, NULL));
}

static long wait_for_usr2(const struct timespec *time)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	return sigtimedwait(&set, NULL, time);
}

static long suspend(void)
{
	sigset_t set;

	sigemptyset(&set);
	return sigsuspend(&set);
}

CALL(call_nanosleep, nanosleep(&far, NULL))
CALL(call_clock_nanosleep, as_errno(clock_nanosleep(CLOCK_MONOTONIC, 0, &far, NULL)))
CALL(call_sleep_until, sleep_until(CLOCK_MONOTONIC))
CALL(call_sleep_until_real, sleep_until(CLOCK_REALTIME))
CALL(call_sigwaitinfo, wait_for_usr2(NULL))
CALL(call_sigtimedwait, wait_for_usr2(&far))
CALL(call_pause, pause())
CALL(call_sigsuspend, suspend())

static const struct wait waits[] = {
	{"read pipe", true, make_pipe, call_read, put_byte, close_fds},
	{"readv pipe", true, make_pipe, call_readv, put_byte, close_fds},
	{"read socket", true, make_pair, call_read, put_byte, close_fds},
	{"readv socket", true, make_pair, call_readv, put_byte, close_fds},
	{"recv", true, make_tcp, call_recv, put_byte, close_fds},
	{"recvfrom", true, make_datagrams, call_recvfrom, put_byte, close_fds},
	{"recvmsg", true, make_pair, call_recvmsg, put_byte, close_fds},
	{"recvmmsg", true, make_datagrams, call_recvmmsg, put_byte, close_fds},
	{"write pipe", true, make_full_pipe, call_write, drain, close_fds},
	{"writev pipe", true, make_full_pipe, call_writev, drain, close_fds},
	{"write socket", true, make_full_pair, call_write, drain, close_fds},
	{"send", true, make_full_pair, call_send, drain, close_fds},
	{"sendmsg", true, make_full_pair, call_sendmsg, drain, close_fds},
	{"accept", true, make_listener, call_accept, connect_first, close_fds},
	{"accept4", true, make_listener, call_accept4, connect_first, close_fds},
	{"connect", true, make_busy_listener, call_connect, accept_first, close_fds},
	{"read with SO_RCVTIMEO", false, make_timed_pair, call_read, put_byte, close_fds},
	{"recvmsg with SO_RCVTIMEO", false, make_timed_pair, call_recvmsg, put_byte, close_fds},
	{"accept with SO_RCVTIMEO", false, make_timed_listener, call_accept, connect_first,
	 close_fds},
	{"send with SO_SNDTIMEO", false, make_timed_full_pair, call_send, drain, close_fds},
	{"writev with SO_SNDTIMEO", false, make_timed_full_pair, call_writev, drain, close_fds},
	{"connect with SO_SNDTIMEO", false, make_timed_busy_listener, call_connect, accept_first,
	 close_fds},
	{"poll", false, make_pipe, call_poll, put_byte, close_fds},
	{"poll with a time", false, make_pipe, call_poll_timed, put_byte, close_fds},
	{"ppoll", false, make_pipe, call_ppoll, put_byte, close_fds},
	{"select", false, make_pipe, call_select, put_byte, close_fds},
	{"pselect", false, make_pipe, call_pselect, put_byte, close_fds},
	{"epoll_wait", false, make_epoll, call_epoll_wait, put_byte, close_fds},
	{"epoll_pwait", false, make_epoll, call_epoll_pwait, put_byte, close_fds},
	{"epoll_pwait2", false, make_epoll, call_epoll_pwait2, put_byte, close_fds},
	{"read inotify", true, make_inotify, call_read_event, put_byte, close_fds},
	{"read eventfd", true, make_eventfd, call_read_event, count_event, close_fds},
	{"read terminal", true, make_terminal, call_read_event, type_line, close_fds},
	{"flock", true, make_lock, call_flock, give_lock, close_fds},
	{"F_SETLKW", true, make_lock, call_setlkw, give_lock, close_fds},
	{"F_OFD_SETLKW", true, make_lock, call_ofd_setlkw, give_lock, close_fds},
	{"open FIFO to read", true, make_fifo, call_open_reader, open_both_ends, remove_fifo},
	{"open FIFO to write", true, make_fifo, call_open_writer, open_both_ends, remove_fifo},
	{"mq_receive", true, make_mq, call_mq_receive, post_mq, close_mq},
	{"mq_timedreceive", true, make_mq, call_mq_timedreceive, post_mq, close_mq},
	{"mq_send", true, make_full_mq, call_mq_send, take_mq, close_mq},
	{"mq_timedsend", true, make_full_mq, call_mq_timedsend, take_mq, close_mq},
	{"msgrcv", false, make_queue, call_msgrcv, post_message, remove_queue},
	{"msgsnd", false, make_full_queue, call_msgsnd, take_message, remove_queue},
	{"semop", false, make_semaphores, call_semop, raise_semaphore, remove_semaphores},
	{"semtimedop", false, make_semaphores, call_semtimedop, raise_semaphore, remove_semaphores},
	{"waitpid", true, make_child, call_waitpid, end_child, bury_child},
	{"waitpid for any", true, make_child, call_waitpid_any, end_child, bury_child},
	{"waitid", true, make_child, call_waitid, end_child, bury_child},
	{"sem_wait", true, make_semaphore, call_sem_wait, post, remove_semaphore},
	{"sem_timedwait", false, make_semaphore, call_sem_timedwait, post, remove_semaphore},
	{"futex", true, make_word, call_futex, wake_word, do_nothing},
	{"futex with a time", false, make_word, call_futex_timed, wake_word, do_nothing},
	{"shared futex", true, make_word, call_futex_shared, wake_word, do_nothing},
	{"nanosleep", false, do_nothing, call_nanosleep, NULL, do_nothing},
	{"clock_nanosleep", false, do_nothing, call_clock_nanosleep, NULL, do_nothing},
	{"clock_nanosleep until", false, do_nothing, call_sleep_until, NULL, do_nothing},
	{"clock_nanosleep until a date", false, do_nothing, call_sleep_until_real, NULL,
	 do_nothing},
	{"sigwaitinfo", false, do_nothing, call_sigwaitinfo, NULL, do_nothing},
	{"sigtimedwait", false, do_nothing, call_sigtimedwait, NULL, do_nothing},
	{"pause", false, do_nothing, call_pause, NULL, do_nothing},
	{"sigsuspend", false, do_nothing, call_sigsuspend, NULL, do_nothing},
};

#define WAITS ((int)(sizeof(waits) / sizeof(*waits)))

#endif
