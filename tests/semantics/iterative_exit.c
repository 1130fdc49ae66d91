/* exit(3) in a connection's service, or what follows the end of the loop there, ends the process once. */
#include "serve.h"

static int listener;

static void say_first(void)
{
	say("registered first, in process %s", getpid() == getppid() ? "?" : "of the server");
}

static void say_second(void)
{
	say("registered second, by service");
}

static void end_by(const char *how)
{
	if (strcmp(how, "exit") == 0)
		exit(3);
	if (strcmp(how, "_exit") == 0)
		_exit(4);
	if (strcmp(how, "abort") == 0)
		abort();
	if (strcmp(how, "quick_exit") == 0)
		quick_exit(5);
	if (strcmp(how, "kill") == 0)
		kill(getpid(), SIGKILL);
	if (strcmp(how, "trap") == 0)
		__builtin_trap();
}

/* False: the loop is to end. */
static bool serve(int fd)
{
	char line[64], frame[2000];

	memset(frame, fd, sizeof(frame));
	begin_service();
	while (read_line(fd, line, sizeof(line))) {
		if (strcmp(line, "register") == 0)
			check(atexit(say_second) == 0);
		if (strcmp(line, "break") == 0)
			return false;
		end_by(line);
	}
	end_service();
	return frame[77] == (char)fd;
}

static int serve_all(void)
{
	int fd;

	check(atexit(say_first) == 0);
	check(at_quick_exit(say_first) == 0);
	do
		fd = accept_one(listener);
	while (serve(fd) && close(fd) == 0);
	return 6;
}

/* Some that are served meanwhile, and one that ends it all. */
static void run_server(const char *how)
{
	int status, fds[10];
	pid_t pid;

	listener = tcp_listen(&server);
	pid = fork();
	check(pid >= 0);
	if (pid == 0)
		exit(serve_all());
	close(listener);
	for (int i = 0; i < 10; i++) {
		fds[i] = connect_and_say(i == 9 ? "register\n" : "nothing\n");
		check(shutdown(fds[i], SHUT_WR) == 0);
	}
	for (int i = 0; i < 10; i++) {
		check(read(fds[i], &status, 1) == 0);
		close(fds[i]);
	}
	fds[0] = connect_and_say(how);
	check(shutdown(fds[0], SHUT_WR) == 0);
	check(waitpid(pid, &status, 0) == pid);
	close(fds[0]);
	say_status(how, status);
}

int main(void)
{
	static const char *const ways[] = {"exit", "_exit", "abort", "quick_exit",
					   "kill", "trap",  "break"};

	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		run_server(ways[i]);
	return 0;
}
