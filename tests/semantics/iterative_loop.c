/* A server that polls its connections beside its listener: it is not iterative, and served as ever. */
#include "serve.h"

#include <sys/select.h>

#define CLIENTS 20
#define MOST 64

static int listener;

/* False: it is over. */
static bool echo(int fd)
{
	char bytes[200];
	ssize_t n = read(fd, bytes, sizeof(bytes));

	check(n >= 0);
	if (n == 4 && memcmp(bytes, "end\n", 4) == 0)
		exit(0);
	if (n > 0)
		write_all(fd, bytes, (size_t)n);
	else
		close(fd);
	return n > 0;
}

static _Noreturn void poll_all(void)
{
	struct pollfd fds[MOST] = {{listener, POLLIN, 0}};
	nfds_t n = 1;

	for (;;) {
		check(poll(fds, n, -1) > 0);
		for (nfds_t i = n - 1; i > 0; i--)
			if (fds[i].revents != 0 && !echo(fds[i].fd))
				fds[i] = fds[--n];
		if (fds[0].revents != 0)
			fds[n++] = (struct pollfd){accept_one(listener), POLLIN, 0};
	}
}

static _Noreturn void select_all(void)
{
	fd_set all, set;

	FD_ZERO(&all);
	FD_SET(listener, &all);
	for (;;) {
		set = all;
		check(select(FD_SETSIZE, &set, NULL, NULL, NULL) > 0);
		for (int fd = 0; fd < FD_SETSIZE; fd++)
			if (fd != listener && FD_ISSET(fd, &set) && !echo(fd))
				FD_CLR(fd, &all);
		if (FD_ISSET(listener, &set)) {
			int fd = accept_one(listener);

			FD_SET(fd, &all);
		}
	}
}

static void make(char *text, int i)
{
	sprintf(text, "word%d\n", i);
}

static void judge(const char *heard, int i)
{
	(void)i;
	printf("%s", heard);
}

static void drive(void)
{
	say_and_hear(CLIENTS, make, judge);
	say_and_hear(CLIENTS, make, judge);
	end_server();
}

static void run_server(const char *name, void (*serve_all)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	check(pid >= 0);
	if (pid == 0) {
		listener = begin_server(drive);
		serve_all();
	}
	check(waitpid(pid, &status, 0) == pid);
	say_status(name, status);
}

int main(void)
{
	run_server("poll", poll_all);
	run_server("select", select_all);
	return 0;
}
