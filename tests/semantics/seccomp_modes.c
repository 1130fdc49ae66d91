/* Filters of many kinds, put on while threads are there: what passes, traps, fails or kills. */
#include "sandbox.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <ucontext.h>

#define TRAPPED_RESULT 4242
#define MUCH 300000

static int handled, pair[2], channel[2];

static const int generous[] = {SYS_read,
			       SYS_write,
			       SYS_readv,
			       SYS_writev,
			       SYS_close,
			       SYS_poll,
			       SYS_ppoll,
			       SYS_fstat,
			       SYS_newfstatat,
			       SYS_fcntl,
			       SYS_getsockopt,
			       SYS_setsockopt,
			       SYS_recvfrom,
			       SYS_sendto,
			       SYS_recvmsg,
			       SYS_sendmsg,
			       SYS_accept4,
			       SYS_accept,
			       SYS_socket,
			       SYS_connect,
			       SYS_epoll_ctl,
			       SYS_epoll_wait,
			       SYS_epoll_create1,
			       SYS_epoll_pwait,
			       SYS_eventfd2,
			       SYS_pipe2,
			       SYS_futex,
			       SYS_clone,
			       SYS_clone3,
			       SYS_mmap,
			       SYS_munmap,
			       SYS_mprotect,
			       SYS_madvise,
			       SYS_brk,
			       SYS_rseq,
			       SYS_set_robust_list,
			       SYS_rt_sigprocmask,
			       SYS_rt_sigreturn,
			       SYS_rt_sigaction,
			       SYS_rt_tgsigqueueinfo,
			       SYS_rt_sigtimedwait,
			       SYS_exit,
			       SYS_exit_group,
			       SYS_clock_nanosleep,
			       SYS_nanosleep,
			       SYS_getpid,
			       SYS_gettid,
			       SYS_getuid,
			       SYS_tgkill,
			       SYS_kill,
			       SYS_getrandom,
			       SYS_sched_getaffinity,
			       SYS_wait4,
			       SYS_setitimer,
			       SYS_sched_yield,
			       SYS_seccomp,
			       SYS_prctl,
			       SYS_openat,
			       SYS_shutdown,
			       -1};

static void count(int signal)
{
	(void)signal;
	__atomic_add_fetch(&handled, 1, __ATOMIC_RELEASE);
}

static void handle(int signal, int flags)
{
	struct sigaction action = {.sa_handler = count, .sa_flags = flags};

	check(sigaction(signal, &action, NULL) == 0);
}

static void *echo(void *arg)
{
	int fd = *(int *)arg;
	char byte;

	while (recv(fd, &byte, 1, 0) == 1)
		check(send(fd, &byte, 1, 0) == 1);
	return NULL;
}

static void *spin_until_handled(void *arg)
{
	while (__atomic_load_n(&handled, __ATOMIC_ACQUIRE) == 0)
		;
	return arg;
}

static void *wait_in_epoll(void *arg)
{
	struct epoll_event event = {.events = EPOLLIN};
	int set = epoll_create1(0), fd = *(int *)arg;

	check(set >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0);
	check(epoll_wait(set, &event, 1, -1) == 1);
	close(set);
	return NULL;
}

static void *read_much(void *arg)
{
	static char much[MUCH];

	check(read_all(channel[0], much, MUCH) == MUCH && is_filled(much, MUCH, 0));
	return arg;
}

/* More than fits into the pipe, so each has to wait for the other. */
static void write_much(void)
{
	static char much[MUCH];
	pthread_t reader = start(read_much, NULL);

	fill(much, MUCH, 0);
	write_all(channel[1], much, MUCH);
	finish(reader);
}

/* Signals, a handler that a spinning thread waits for, sleeps, sockets and a child, as before. */
static void do_much(void)
{
	struct itimerval soon = {{0, 0}, {0, 20000}};
	pthread_t echoer, spinner, poller;
	int events = eventfd(0, 0);
	uint64_t one = 1;
	char byte = 'a';

	check(events >= 0);
	poller = start(wait_in_epoll, &events);
	echoer = start(echo, &pair[0]);
	spinner = start(spin_until_handled, NULL);
	check(setitimer(ITIMER_REAL, &soon, NULL) == 0);
	finish(spinner);
	say("  alarms handled: %d", handled);
	for (int i = 0; i < 100; i++)
		check(send(pair[1], &byte, 1, 0) == 1 && recv(pair[1], &byte, 1, 0) == 1);
	check(shutdown(pair[1], SHUT_WR) == 0);
	finish(echoer);
	check(write(events, &one, sizeof(one)) == sizeof(one));
	finish(poller);
	write_much();
	check(pthread_kill(pthread_self(), SIGUSR1) == 0);
	say("  handled with the thread's own: %d", handled);
	usleep(2000);
}

static void prepare(void)
{
	handled = 0;
	handle(SIGALRM, SA_RESTART);
	handle(SIGUSR1, SA_RESTART);
	unix_pair(SOCK_STREAM, pair);
	check(pipe(channel) == 0);
	become_threaded();
}

static void pass_much(void)
{
	prepare();
	allow_only(generous, SECCOMP_RET_KILL_PROCESS);
	do_much();
}

/* A filter upon a filter: what the first has taken stays taken. */
static void pass_less_and_less(void)
{
	static const int less[] = {SYS_read,
				   SYS_write,
				   SYS_close,
				   SYS_recvfrom,
				   SYS_sendto,
				   SYS_futex,
				   SYS_clone,
				   SYS_clone3,
				   SYS_mmap,
				   SYS_munmap,
				   SYS_mprotect,
				   SYS_madvise,
				   SYS_rseq,
				   SYS_set_robust_list,
				   SYS_rt_sigprocmask,
				   SYS_rt_sigreturn,
				   SYS_exit,
				   SYS_exit_group,
				   SYS_clock_nanosleep,
				   SYS_getpid,
				   SYS_gettid,
				   SYS_tgkill,
				   SYS_setitimer,
				   SYS_epoll_create1,
				   SYS_epoll_ctl,
				   SYS_epoll_wait,
				   SYS_eventfd2,
				   SYS_shutdown,
				   SYS_sched_getaffinity,
				   SYS_getrandom,
				   SYS_brk,
				   -1};

	prepare();
	allow_only(generous, SECCOMP_RET_ERRNO | EACCES);
	allow_only(less, SECCOMP_RET_ERRNO | EPERM);
	do_much();
	say("  socket: %s", socket(AF_INET, SOCK_STREAM, 0) < 0 ? strerrorname_np(errno) : "made");
	say("  getppid: %s", syscall(SYS_getppid) < 0 ? strerrorname_np(errno) : "told");
}

static void give_result(int signal, siginfo_t *info, void *arg)
{
	ucontext_t *context = arg;

	(void)signal;
	handled += info->si_syscall == SYS_getppid;
	context->uc_mcontext.gregs[REG_RAX] = TRAPPED_RESULT;
}

static void *ask_parent(void *arg)
{
	(void)arg;
	return (void *)(intptr_t)syscall(SYS_getppid);
}

/* What is trapped gets its result from a handler, and nothing else is ever trapped. */
static void trap(void)
{
	static const int most[] = {SYS_read,
				   SYS_write,
				   SYS_close,
				   SYS_futex,
				   SYS_clone,
				   SYS_clone3,
				   SYS_mmap,
				   SYS_munmap,
				   SYS_mprotect,
				   SYS_madvise,
				   SYS_rseq,
				   SYS_set_robust_list,
				   SYS_rt_sigprocmask,
				   SYS_rt_sigreturn,
				   SYS_exit,
				   SYS_exit_group,
				   SYS_clock_nanosleep,
				   SYS_getpid,
				   SYS_tgkill,
				   SYS_getrandom,
				   SYS_brk,
				   -1};
	struct sigaction action = {.sa_sigaction = give_result, .sa_flags = SA_SIGINFO};
	pthread_t reader, writer;

	prepare();
	check(sigaction(SIGSYS, &action, NULL) == 0);
	allow_only(most, SECCOMP_RET_TRAP);
	say("  here: %ld", (long)(intptr_t)ask_parent(NULL));
	say("  elsewhere: %ld", (long)(intptr_t)finish(start(ask_parent, NULL)));
	reader = start(read_byte, &pair[0]);
	writer = start(write_late, &pair[1]);
	finish(reader);
	finish(writer);
	say("  trapped: %d", handled);
}

/* With nothing but read, write and the end. */
static void be_strict(void)
{
	char word[8];

	prepare();
	write_all(pair[1], "secret", 6);
	check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0) == 0);
	if (read(pair[0], word, 6) != 6 || write(pair[0], word, 6) != 6)
		syscall(SYS_exit, 3);
	syscall(SYS_exit, 7);
}

static void be_strict_and_ask(void)
{
	prepare();
	check(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL) == 0);
	syscall(SYS_getppid);
	syscall(SYS_exit, 7);
}

/* Children of a locked process have threads as well. */
static void fork_locked(void)
{
	pid_t child;
	int status;

	prepare();
	allow_only(generous, SECCOMP_RET_KILL_PROCESS);
	child = fork();
	if (child == 0) {
		do_much();
		_exit(5);
	}
	check(waitpid(child, &status, 0) == child);
	say_status("  child", status);
}

#define RING 5
#define ROUNDS 50

static int ring[RING][2];
static pthread_mutex_t turn_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static int turns, begun;

static void *pass_token(void *arg)
{
	intptr_t me = (intptr_t)arg;
	char token;

	__atomic_add_fetch(&begun, 1, __ATOMIC_SEQ_CST);
	for (;;) {
		check(read(ring[me][0], &token, 1) == 1);
		pthread_mutex_lock(&turn_lock);
		turns++;
		pthread_cond_signal(&turned);
		pthread_mutex_unlock(&turn_lock);
		check(write(ring[(me + 1) % RING][1], &token, 1) == 1);
	}
}

/* Threads that are there, and wait, go on with hardly any call; there will be no others. */
static void pass_with(const int *allowed, uint32_t otherwise)
{
	prepare();
	for (intptr_t i = 0; i < RING; i++)
		check(pipe(ring[i]) == 0);
	for (intptr_t i = 0; i < RING; i++)
		start(pass_token, (void *)i);
	/* what libc does when a thread begins is not allowed any more */
	while (__atomic_load_n(&begun, __ATOMIC_SEQ_CST) < RING)
		usleep(1000);
	settle();
	allow_only(allowed, otherwise);
	write_all(ring[0][1], "t", 1);
	pthread_mutex_lock(&turn_lock);
	while (turns < RING * ROUNDS)
		pthread_cond_wait(&turned, &turn_lock);
	pthread_mutex_unlock(&turn_lock);
	say("  passed on");
}

static void pass_bare(void)
{
	static const int bare[] = {SYS_read, SYS_write, SYS_futex, SYS_exit_group, -1};

	pass_with(bare, SECCOMP_RET_KILL_PROCESS);
}

static void pass_without_threads(void)
{
	static const int few[] = {SYS_read,           SYS_write,    SYS_futex,
				  SYS_exit_group,     SYS_mprotect, SYS_mmap,
				  SYS_rt_sigprocmask, SYS_munmap,   -1};
	pthread_t thread;

	pass_with(few, SECCOMP_RET_ERRNO | EPERM);
	show_error(pthread_create(&thread, NULL, return_at_once, NULL));
}

static void hand_over(int to, int fd)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
	struct iovec byte = {"x", 1};
	struct msghdr message = {.msg_iov = &byte,
				 .msg_iovlen = 1,
				 .msg_control = control.room,
				 .msg_controllen = sizeof(control.room)};

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	check(sendmsg(to, &message, 0) == 1);
}

static int take_over(int from)
{
	char byte, room[CMSG_SPACE(sizeof(int))];
	struct iovec part = {&byte, 1};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = room,
				 .msg_controllen = sizeof(room)};
	int fd;

	check(recvmsg(from, &message, 0) == 1 && CMSG_FIRSTHDR(&message) != NULL);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

/* Give the result of two calls that another process makes. */
static void supervise(int from)
{
	int listener = take_over(from);

	for (int i = 0; i < 2; i++) {
		struct seccomp_notif notice;
		struct seccomp_notif_resp answer;

		memset(&notice, 0, sizeof(notice));
		memset(&answer, 0, sizeof(answer));
		check(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notice) == 0);
		check(notice.data.nr == SYS_getppid);
		answer.id = notice.id;
		answer.val = 77 + i;
		check(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) == 0);
	}
}

/* One call is another process's to answer; for all others nothing changes. */
static void be_supervised(void)
{
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {4, rules};
	int ends[2], listener, status;
	pid_t supervisor;

	prepare();
	unix_pair(SOCK_STREAM, ends);
	supervisor = fork();
	check(supervisor >= 0);
	if (supervisor == 0) {
		supervise(ends[0]);
		_exit(6);
	}
	check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
				SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	say("  listens: %d", listener >= 0);
	hand_over(ends[1], listener);
	say("  here: %ld", (long)(intptr_t)ask_parent(NULL));
	do_much();
	say("  again: %ld", (long)(intptr_t)ask_parent(NULL));
	check(waitpid(supervisor, &status, 0) == supervisor);
	say_status("  supervisor", status);
}

static void be_refused(void)
{
	struct sock_filter nothing = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
	struct sock_fprog endless = {1, &nothing}, none = {0, &nothing}, nowhere = {1, NULL};

	prepare();
	check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	show(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &endless));
	show(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &none));
	show(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &nowhere));
	show(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL));
	show(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0x10000, &endless));
	show(syscall(SYS_seccomp, 99, 0, NULL));
	show(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL));
	show(prctl(PR_SET_SECCOMP, 99, NULL));
	show(prctl(PR_GET_SECCOMP));
	do_much();
}

int main(void)
{
	say("begin");
	run_apart("much is allowed, else the end", pass_much);
	run_apart("one filter upon another", pass_less_and_less);
	run_apart("trapped", trap);
	run_apart("strict", be_strict);
	run_apart("strict, but asks", be_strict_and_ask);
	run_apart("with a child", fork_locked);
	run_apart("bare", pass_bare);
	run_apart("without new threads", pass_without_threads);
	run_apart("supervised", be_supervised);
	run_apart("refused", be_refused);
	return 0;
}
