/* A connection's service makes processes: fork and exec, popen, system, and one that goes on serving. */
#include "serve.h"

#define CLIENTS 30

static int listener;

static void run_program_on(int fd)
{
	char *const argv[] = {"sh", "-c", "read word; echo \"child has $word\"; exit 3", NULL};
	int status;
	pid_t pid = fork();

	check(pid >= 0);
	if (pid == 0) {
		check(dup2(fd, 0) == 0 && dup2(fd, 1) == 1);
		close(fd);
		execv("/bin/sh", argv);
		_exit(127);
	}
	check(waitpid(pid, &status, 0) == pid);
	answer(fd, "status %d\n", WEXITSTATUS(status));
}

static void copy_command_to(int fd, const char *word)
{
	char command[100], line[100];
	FILE *pipe;

	snprintf(command, sizeof(command), "sleep 0.01; echo %s; exit 4", word);
	pipe = popen(command, "r");
	check(pipe != NULL);
	while (fgets(line, sizeof(line), pipe) != NULL)
		answer(fd, "command: %s", line);
	check(feof(pipe));
	answer(fd, "pclose %d\n", WEXITSTATUS(pclose(pipe)));
}

/* The child answers, and ends as the thread that it has, with all that was on the stack. */
static void answer_in_child(int fd, const char *word)
{
	char mine[1000];
	int status;
	pid_t pid;

	memset(mine, word[0], sizeof(mine));
	pid = fork();
	check(pid >= 0);
	if (pid == 0) {
		usleep(1000);
		check(mine[0] == word[0] && mine[sizeof(mine) - 1] == word[0]);
		answer(fd, "child says %s\n", word);
		exit(5);
	}
	usleep(1000);
	check(waitpid(pid, &status, 0) == pid);
	check(mine[0] == word[0] && mine[sizeof(mine) - 1] == word[0]);
	answer(fd, "status %d\n", WEXITSTATUS(status));
}

/* The child of a connection's service serves as well: it goes back to accept, at a listener of its own or
 * at this one.
 */
static void become_two(int fd, bool has_own_listener)
{
	struct sockaddr_in address;
	int status;
	pid_t pid = fork();

	check(pid >= 0);
	if (pid == 0) {
		at_once = most_at_once = 0;
		if (has_own_listener)
			listener = tcp_listen(&address);
		answer(fd, "%d\n", has_own_listener ? ntohs(address.sin_port) : getpid());
		return;
	}
	check(waitpid(pid, &status, 0) == pid);
	answer(fd, "status %d\n", status);
}

static void serve(int fd)
{
	char line[64], word[64] = "";

	begin_service();
	check(read_line(fd, line, sizeof(line)));
	if (strcmp(line, "end") == 0) {
		check_end();
		exit(0);
	}
	if (strcmp(line, "end child") == 0) {
		check(!is_iterative() || most_at_once > 1);
		_exit(6);
	}
	if (strcmp(line, "program") == 0) {
		run_program_on(fd);
	} else if (strncmp(line, "two", 3) == 0) {
		become_two(fd, strcmp(line, "two listeners") == 0);
	} else {
		check(read_line(fd, word, sizeof(word)));
		if (strcmp(line, "command") == 0)
			copy_command_to(fd, word);
		if (strcmp(line, "system") == 0)
			answer(fd, "system %d\n", WEXITSTATUS(system("sleep 0.01; exit 9")));
		if (strcmp(line, "child") == 0)
			answer_in_child(fd, word);
	}
	end_service();
}

static void make(char *text, int i)
{
	static const char *const whats[] = {"program", "command", "system", "child"};

	sprintf(text, "%s\nword%d\n", whats[i % 4], i);
}

static void judge(const char *heard, int i)
{
	say("client %d:\n%s", i, heard);
}

/* Say it, and read what the child says before the parent does. */
static int begin_two(const char *what, int *ret_fd)
{
	char line[64];

	*ret_fd = connect_and_say(what);
	check(read_line(*ret_fd, line, sizeof(line)));
	return atoi(line);
}

static void end_two(int fd)
{
	char rest[64];

	read_text(fd, rest, sizeof(rest));
	close(fd);
	say("%s", rest);
}

static void drive(void)
{
	in_port_t port = server.sin_port;
	pid_t pid;
	int fd;

	say_and_hear(CLIENTS, make, judge);
	server.sin_port = htons((in_port_t)begin_two("two listeners\n", &fd));
	say_and_hear(CLIENTS, make, judge);
	close(connect_and_say("end child\n"));
	end_two(fd);
	server.sin_port = port;
	pid = begin_two("two\n", &fd);
	say_and_hear(CLIENTS, make, judge);
	check(kill(pid, SIGTERM) == 0);
	end_two(fd);
	end_server();
}

static void serve_all(void)
{
	for (;;) {
		int fd = accept_one(listener);

		serve(fd);
		close(fd);
	}
}

int main(void)
{
	listener = begin_server(drive);
	serve_all();
}
