/* Several processes accept at one listener, each in one thread; and a server that becomes a daemon first. */
#include "serve.h"
#include "sandbox.h"

#include <sys/mman.h>

#define PROCESSES 3
#define CLIENTS 60

static int listener;
static int *shared_most; /* the most that were served at once in any of the processes */

static void serve(int fd)
{
	char line[64];
	struct sockaddr_in peer;
	socklen_t bytes = sizeof(peer);

	begin_service();
	if (most_at_once > *shared_most)
		*shared_most = most_at_once;
	check(read_line(fd, line, sizeof(line)));
	check(getpeername(fd, (struct sockaddr *)&peer, &bytes) == 0);
	if (strcmp(line, "end") == 0)
		exit(0);
	answer(fd, "answer to %s", line);
	end_service();
}

/* The address is where accept(2) writes it. */
static _Noreturn void serve_all(void)
{
	for (;;) {
		struct sockaddr_in peer = {.sin_family = AF_UNSPEC};
		socklen_t bytes = sizeof(peer);
		int fd = accept(listener, (struct sockaddr *)&peer, &bytes);

		check(fd >= 0 && bytes == sizeof(peer) && peer.sin_family == AF_INET);
		serve(fd);
		check(bytes == sizeof(peer) && peer.sin_family == AF_INET);
		close(fd);
	}
}

static void make(char *text, int i)
{
	sprintf(text, "word%d\n", i);
}

static void judge(const char *heard, int i)
{
	(void)i;
	say("%s", heard);
}

/* As an older kernel does: no way to try to accept there. */
static void refuse_rings(void)
{
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog program = {sizeof(rules) / sizeof(*rules), rules};

	check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void run_processes(void)
{
	pid_t pids[PROCESSES];
	int status;

	for (int i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		check(pids[i] >= 0);
		if (pids[i] == 0)
			serve_all();
	}
	say_and_hear(CLIENTS, make, judge);
	for (int i = 0; i < PROCESSES; i++) {
		check(kill(pids[i], SIGTERM) == 0);
		check(waitpid(pids[i], &status, 0) == pids[i]);
		say_status("process", status);
	}
}

/* Nobody waits for a daemon: its end is that of the connection by which it is told. */
static void run_daemon(void)
{
	int status, fd;
	pid_t pid = fork();

	check(pid >= 0);
	if (pid == 0) {
		check(daemon(1, 1) == 0);
		serve_all();
	}
	check(waitpid(pid, &status, 0) == pid);
	say_status("who became a daemon", status);
	close(listener);
	say_and_hear(CLIENTS, make, judge);
	fd = connect_and_say("end\n");
	check(read(fd, &status, 1) == 0);
}

int main(void)
{
	listener = tcp_listen(&server);
	shared_most = mmap(NULL, sizeof(*shared_most), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(shared_most != MAP_FAILED);
	run_processes();
	check(!is_iterative() || *shared_most > 1);
	*shared_most = 0;
	refuse_rings();
	run_processes();
	check(!is_iterative() || *shared_most > 1);
	*shared_most = 0;
	run_daemon();
	check(!is_iterative() || *shared_most > 1);
	return 0;
}
