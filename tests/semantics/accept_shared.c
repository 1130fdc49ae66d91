/* accept on a blocking listener that another process has too, as the kernel is and without io_uring. */
#include "guest.h"

#include <stddef.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>

static struct sockaddr_in address;
static int listener, ticks, is_over;
static volatile int is_interrupted;

static void *tick(void *arg)
{
	while (!__atomic_load_n(&is_over, __ATOMIC_SEQ_CST)) {
		usleep(1000);
		__atomic_add_fetch(&ticks, 1, __ATOMIC_SEQ_CST);
	}
	return arg;
}

static void *connect_late(void *arg)
{
	int before = __atomic_load_n(&ticks, __ATOMIC_SEQ_CST);

	while (__atomic_load_n(&ticks, __ATOMIC_SEQ_CST) < before + 20)
		usleep(1000);
	*(int *)arg = tcp_connect(&address);
	return NULL;
}

/* What is accepted is who has connected, and the flags are as asked for. */
static void accept_one(int flags)
{
	struct sockaddr_in peer, own;
	socklen_t peer_len = sizeof(peer), own_len = sizeof(own);
	int client = -1, number;
	pthread_t late = start(connect_late, &client);

	number = accept4(listener, (struct sockaddr *)&peer, &peer_len, flags);
	check(number >= 0);
	finish(late);
	check(getsockname(client, (struct sockaddr *)&own, &own_len) == 0);
	say("accepted: peer %d, nonblocking %d, closed on exec %d",
	    peer_len == own_len && peer.sin_port == own.sin_port,
	    (fcntl(number, F_GETFL) & O_NONBLOCK) != 0, (fcntl(number, F_GETFD) & FD_CLOEXEC) != 0);
	close(number);
	close(client);
}

static void accept_badly(void)
{
	socklen_t wrong = (socklen_t)-1;
	struct sockaddr_in peer;
	int client = tcp_connect(&address);

	show(accept(listener, (struct sockaddr *)&peer, &wrong));
	close(client);
	client = tcp_connect(&address);
	show(accept(listener, (struct sockaddr *)8, &wrong));
	close(client);
	show(accept4(listener, NULL, NULL, 1));
}

static void *accept_for_ever(void *arg)
{
	int number = accept(listener, NULL, NULL);

	if (arg == NULL)
		return NULL;
	show_result("interrupted accept", number);
	is_interrupted = 1;
	return NULL;
}

static void handle(int signal)
{
	(void)signal;
}

static void end_waits(void)
{
	struct sigaction action = {.sa_handler = handle};
	struct timeval time = {0, 30000};
	pthread_t waiting = start(accept_for_ever, NULL);
	void *result;

	settle();
	check(pthread_cancel(waiting) == 0 && pthread_join(waiting, &result) == 0);
	say("cancelled: %d", result == PTHREAD_CANCELED);
	check(sigaction(SIGUSR1, &action, NULL) == 0);
	is_interrupted = 0;
	waiting = start(accept_for_ever, &listener);
	interrupt_until(&is_interrupted, waiting, SIGUSR1);
	finish(waiting);
	check(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)) == 0);
	show(accept(listener, NULL, NULL));
	time.tv_usec = 0;
	check(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)) == 0);
}

/* Who comes second to a connection goes on waiting for the next. */
static void *accept_and_count(void *arg)
{
	int number = accept(listener, NULL, NULL);

	check(number >= 0);
	close(number);
	__atomic_add_fetch((int *)arg, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void accept_in_turn(void)
{
	pthread_t waiting[10];
	int clients[10], accepted = 0;

	for (int i = 0; i < 10; i++)
		waiting[i] = start(accept_and_count, &accepted);
	for (int i = 0; i < 10; i++)
		clients[i] = tcp_connect(&address);
	for (int i = 0; i < 10; i++) {
		finish(waiting[i]);
		close(clients[i]);
	}
	say("in turn: %d", accepted);
}

static void accept_all(const char *how)
{
	say("%s", how);
	accept_one(0);
	accept_one(SOCK_NONBLOCK | SOCK_CLOEXEC);
	accept_badly();
	end_waits();
	accept_in_turn();
	say("the listener is blocking: %d", (fcntl(listener, F_GETFL) & O_NONBLOCK) == 0);
}

static void deny_io_uring(void)
{
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, SYS_io_uring_setup, 0, 2),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, SYS_io_uring_register, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {sizeof(rules) / sizeof(*rules), rules};

	check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	check(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) ==
	      0);
}

int main(void)
{
	pthread_t ticker;
	pid_t child;

	become_threaded();
	listener = tcp_listen(&address);
	child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	ticker = start(tick, NULL);
	accept_all("as the kernel is");
	deny_io_uring();
	accept_all("without io_uring");
	__atomic_store_n(&is_over, 1, __ATOMIC_SEQ_CST);
	finish(ticker);
	kill(child, SIGKILL);
	check(waitpid(child, NULL, 0) == child);
	return 0;
}
