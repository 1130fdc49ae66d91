/* Signals to a server of one thread: they end it, end its accept, or are handled and it goes on. */
#include "serve.h"

#include <sys/time.h>

static volatile sig_atomic_t is_over, handled;
static int listener;

static void note(int number)
{
	handled = number;
	if (number == SIGTERM || number == SIGINT)
		is_over = 1;
}

static void handle(int number, int flags)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = note;
	action.sa_flags = flags;
	check(sigaction(number, &action, NULL) == 0);
}

static void serve(int fd)
{
	char line[64];

	begin_service();
	while (read_line(fd, line, sizeof(line))) {
		handled = 0;
		if (strcmp(line, "raise") == 0)
			check(raise(SIGUSR1) == 0 && handled == SIGUSR1);
		if (strcmp(line, "raise blocked") == 0) {
			sigset_t set, old;

			sigemptyset(&set);
			sigaddset(&set, SIGUSR1);
			check(sigprocmask(SIG_BLOCK, &set, &old) == 0);
			check(raise(SIGUSR1) == 0 && handled == 0);
			usleep(2000); /* in which others may handle theirs */
			check(sigpending(&set) == 0 && sigismember(&set, SIGUSR1));
			handled = 0;
			check(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
			check(handled == SIGUSR1);
		}
		if (strcmp(line, "kill") == 0)
			check(kill(getpid(), SIGUSR2) == 0 && handled == SIGUSR2);
		answer(fd, "%s %s\n", line, handled == 0 ? "-" : sigabbrev_np(handled));
	}
	end_service();
}

static _Noreturn void serve_all(void)
{
	while (!is_over) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0) {
			check(errno == EINTR);
			continue;
		}
		serve(fd);
		close(fd);
	}
	exit(7);
}

static void talk(const char *text)
{
	char heard[300];
	int fds[8];

	for (int i = 0; i < 8; i++) {
		fds[i] = connect_and_say(text);
		check(shutdown(fds[i], SHUT_WR) == 0);
	}
	for (int i = 0; i < 8; i++) {
		read_text(fds[i], heard, sizeof(heard));
		close(fds[i]);
	}
	printf("%s", heard);
}

/* Sent again until it ends: one that comes between the test and accept(2) ends no wait, here or plain. */
static void end_by(const char *name, int number, pid_t pid, bool is_handled)
{
	int status;

	do {
		check(kill(pid, number) == 0);
		settle();
	} while (waitpid(pid, &status, is_handled ? WNOHANG : 0) == 0);
	say_status(name, status);
}

static void run_server(const char *name, int number, bool is_handled)
{
	pid_t pid;

	listener = tcp_listen(&server);
	fflush(stdout);
	pid = fork();
	check(pid >= 0);
	if (pid == 0) {
		handle(SIGUSR1, SA_RESTART);
		handle(SIGUSR2, SA_RESTART);
		if (is_handled)
			handle(number, 0);
		else
			check(number == SIGKILL || signal(number, SIG_DFL) != SIG_ERR);
		serve_all();
	}
	close(listener);
	talk("raise\nraise blocked\nkill\n");
	end_by(name, number, pid, is_handled);
}

/* An interval timer ends accept as often as it is asked to. */
static void tick_server(void)
{
	struct itimerval every = {{0, 20000}, {0, 20000}};
	int status, ticks = 0;
	pid_t pid;

	listener = tcp_listen(&server);
	fflush(stdout);
	pid = fork();
	check(pid >= 0);
	if (pid == 0) {
		handle(SIGALRM, 0);
		check(setitimer(ITIMER_REAL, &every, NULL) == 0);
		while (ticks < 5) {
			check(accept(listener, NULL, NULL) == -1 && errno == EINTR);
			check(handled == SIGALRM);
			ticks++;
		}
		exit(ticks);
	}
	check(waitpid(pid, &status, 0) == pid);
	close(listener);
	say_status("ticks", status);
}

int main(void)
{
	run_server("SIGTERM", SIGTERM, false);
	run_server("SIGINT", SIGINT, false);
	run_server("SIGTERM handled", SIGTERM, true);
	run_server("SIGINT handled", SIGINT, true);
	run_server("SIGHUP", SIGHUP, false);
	run_server("SIGKILL", SIGKILL, false);
	tick_server();
	return 0;
}
