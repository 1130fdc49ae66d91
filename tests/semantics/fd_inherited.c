/* A program that is started with its sockets open, as by socket activation (LISTEN_FDS): it starts
 * itself with a listener, a connected socket and a nonblocking pipe at the numbers from 3 on.
 */
#include "guest.h"

#include <spawn.h>

#define FIRST 3 /* SD_LISTEN_FDS_START */
#define CLIENTS 12
#define SERVERS 3

extern char **environ;

static int ticks, is_over;

static void *tick(void *arg)
{
	while (!__atomic_load_n(&is_over, __ATOMIC_SEQ_CST)) {
		usleep(1000);
		__atomic_add_fetch(&ticks, 1, __ATOMIC_SEQ_CST);
	}
	return arg;
}

static void *serve(void *arg)
{
	for (int i = 0; i < CLIENTS / SERVERS; i++) {
		int client = accept(FIRST, NULL, NULL);
		char bytes[8];

		check(client >= 0);
		check(read_all(client, bytes, 5) == 5);
		write_all(client, bytes, 5);
		close(client);
	}
	return arg;
}

static void *answer(void *arg)
{
	char bytes[8];

	check(read_all(FIRST + 1, bytes, 6) == 6);
	write_all(FIRST + 1, bytes, 6);
	return arg;
}

/* What is started: nothing but the environment says what it has. */
static int run_service(void)
{
	int fds = atoi(getenv("LISTEN_FDS"));
	pthread_t ticker = start(tick, NULL), answerer = start(answer, NULL), servers[SERVERS];
	char byte;

	check(fds == 3);
	check(read(FIRST + 2, &byte, 1) == -1 && errno == EAGAIN);
	for (int i = 0; i < SERVERS; i++)
		servers[i] = start(serve, NULL);
	/* they all wait; the first byte tells that this goes on beside them */
	while (__atomic_load_n(&ticks, __ATOMIC_SEQ_CST) < 20)
		usleep(1000);
	write_all(FIRST + 1, "ready", 5);
	for (int i = 0; i < SERVERS; i++)
		finish(servers[i]);
	finish(answerer);
	__atomic_store_n(&is_over, 1, __ATOMIC_SEQ_CST);
	finish(ticker);
	check(fcntl(FIRST + 2, F_GETFL) & O_NONBLOCK);
	return 0;
}

static void *be_client(void *address)
{
	int fd = tcp_connect(address);
	char bytes[8];

	write_all(fd, "hello", 5);
	check(read_all(fd, bytes, 5) == 5 && memcmp(bytes, "hello", 5) == 0);
	check(read(fd, bytes, 1) == 0);
	close(fd);
	return NULL;
}

static pid_t start_service(char *self, int listener, int connected, int nonblocking)
{
	char *args[] = {self, "service", NULL};
	posix_spawn_file_actions_t actions;
	pid_t pid;

	check(setenv("LISTEN_FDS", "3", 1) == 0);
	check(posix_spawn_file_actions_init(&actions) == 0);
	check(posix_spawn_file_actions_adddup2(&actions, listener, FIRST) == 0);
	check(posix_spawn_file_actions_adddup2(&actions, connected, FIRST + 1) == 0);
	check(posix_spawn_file_actions_adddup2(&actions, nonblocking, FIRST + 2) == 0);
	check(posix_spawn(&pid, "/proc/self/exe", &actions, NULL, args, environ) == 0);
	check(posix_spawn_file_actions_destroy(&actions) == 0);
	return pid;
}

/* High enough that no dup2 of the start meets another's number. */
static int move_up(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, 100);

	check(high >= 100 && close(fd) == 0);
	return high;
}

int main(int argc, char *argv[])
{
	int pair[2], ends[2], listener, status;
	struct sockaddr_in address;
	pthread_t clients[CLIENTS];
	char bytes[8];
	pid_t service;

	if (argc > 1)
		return run_service();
	become_threaded();
	listener = move_up(tcp_listen(&address));
	unix_pair(SOCK_STREAM, pair);
	check(pipe2(ends, O_NONBLOCK) == 0);
	service = start_service(argv[0], listener, pair[1] = move_up(pair[1]),
				ends[0] = move_up(ends[0]));
	close(listener);
	close(pair[1]);
	check(read_all(pair[0], bytes, 5) == 5);
	say("the service says %.5s", bytes);
	for (int i = 0; i < CLIENTS; i++)
		clients[i] = start(be_client, &address);
	for (int i = 0; i < CLIENTS; i++)
		finish(clients[i]);
	write_all(pair[0], "go on?", 6);
	check(read_all(pair[0], bytes, 6) == 6);
	say("and then %.6s", bytes);
	check(waitpid(service, &status, 0) == service);
	say_status("the service", status);
	return 0;
}
