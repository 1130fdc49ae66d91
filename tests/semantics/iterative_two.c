/* Two listeners that are polled, or selected from. */
#include "serve.h"

#include <sys/select.h>

#define CLIENTS 24

static int first, second;
static struct sockaddr_in first_address, second_address;

static void serve(int fd, const char *by)
{
	char line[64];

	begin_service();
	check(read_line(fd, line, sizeof(line)));
	if (strcmp(line, "end") == 0) {
		check_end();
		exit(0);
	}
	answer(fd, "%s: %s", by, line);
	end_service();
	close(fd);
}

static _Noreturn void poll_both(void)
{
	struct pollfd both[2] = {{first, POLLIN, 0}, {second, POLLIN, 0}};

	for (;;) {
		check(poll(both, 2, -1) > 0);
		if (both[0].revents != 0)
			serve(accept_one(first), "first");
		if (both[1].revents != 0)
			serve(accept_one(second), "second");
	}
}

static _Noreturn void select_from_both(void)
{
	fd_set set;

	for (;;) {
		FD_ZERO(&set);
		FD_SET(first, &set);
		FD_SET(second, &set);
		check(select((first > second ? first : second) + 1, &set, NULL, NULL, NULL) > 0);
		if (FD_ISSET(first, &set))
			serve(accept_one(first), "first");
		if (FD_ISSET(second, &set))
			serve(accept_one(second), "second");
	}
}

/* Those of one listener are all connected before the first is heard, and may be served in turn. */
static void ask_both(void)
{
	static char text[64], heard[64];
	int fds[CLIENTS];

	for (int i = 0; i < CLIENTS; i++) {
		snprintf(text, sizeof(text), "word%d\n", i);
		server = i % 2 == 0 ? first_address : second_address;
		fds[i] = connect_and_say(text);
	}
	for (int i = 0; i < CLIENTS; i++) {
		read_text(fds[i], heard, sizeof(heard));
		say("%s", heard);
		close(fds[i]);
	}
}

static void drive(void)
{
	ask_both();
	server = first_address;
	end_server();
}

static void run_server(const char *name, void (*serve_all)(void))
{
	int status;
	pid_t pid;

	first = tcp_listen(&first_address);
	second = tcp_listen(&second_address);
	fflush(stdout);
	pid = fork();
	check(pid >= 0);
	if (pid == 0) {
		have_clients(drive);
		serve_all();
	}
	close(first);
	close(second);
	check(waitpid(pid, &status, 0) == pid);
	say_status(name, status);
}

int main(void)
{
	run_server("poll", poll_both);
	run_server("select", select_from_both);
	return 0;
}
