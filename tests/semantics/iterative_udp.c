/* Datagrams served one after the other in one thread: with an answer that takes a while, or many. */
#include "serve.h"

#define CLIENTS 40
#define BLOCKS 5

static int udp_bound(struct sockaddr_in *address)
{
	socklen_t len = sizeof(*address);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	memset(address, 0, sizeof(*address));
	address->sin_family = AF_INET;
	address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	check(fd >= 0);
	check(bind(fd, (struct sockaddr *)address, len) == 0);
	check(getsockname(fd, (struct sockaddr *)address, &len) == 0);
	return fd;
}

static ssize_t receive(int fd, bool by_message, char *text, size_t room, struct sockaddr_in *from)
{
	struct iovec part = {text, room - 1};
	struct msghdr message = {
		.msg_name = from, .msg_namelen = sizeof(*from), .msg_iov = &part, .msg_iovlen = 1};
	socklen_t len = sizeof(*from);
	ssize_t n = by_message ? recvmsg(fd, &message, 0)
			       : recvfrom(fd, text, room - 1, 0, (struct sockaddr *)from, &len);

	check(n >= 0);
	check((by_message ? message.msg_namelen : len) == sizeof(*from));
	text[n] = '\0';
	return n;
}

static void send_text(int fd, const char *text, const struct sockaddr_in *to)
{
	check(sendto(fd, text, strlen(text), 0, (const struct sockaddr *)to, sizeof(*to)) ==
	      (ssize_t)strlen(text));
}

/* At a port that was free a moment ago, and is asked for by its number, as a server does. */
static int udp_server(void)
{
	int fd;

	for (;;) {
		close(udp_bound(&server));
		fd = socket(AF_INET, SOCK_DGRAM, 0);
		if (bind(fd, (struct sockaddr *)&server, sizeof(server)) == 0)
			return fd;
		check(errno == EADDRINUSE);
		close(fd);
	}
}

/* From a socket of its own, a block for each of the other side's, as TFTP does. */
static void send_blocks(const char *name, const struct sockaddr_in *to)
{
	struct sockaddr_in own, from;
	int fd = udp_bound(&own);
	char block[200], word[100];

	check(connect(fd, (const struct sockaddr *)to, sizeof(*to)) == 0);
	for (int i = 0; i < BLOCKS; i++) {
		snprintf(block, sizeof(block), "%s block %d", name, i);
		check(send(fd, block, strlen(block), 0) == (ssize_t)strlen(block));
		receive(fd, i % 2 == 0, word, sizeof(word), &from);
		check(strcmp(word, "next") == 0 && from.sin_port == to->sin_port);
	}
	close(fd);
}

static void serve(int fd, const char *text, const struct sockaddr_in *from)
{
	char reply[200];

	if (strcmp(text, "end") == 0) {
		check_end();
		exit(0);
	}
	begin_service();
	if (strncmp(text, "get ", 4) == 0) {
		send_blocks(text + 4, from);
	} else {
		snprintf(reply, sizeof(reply), "answer to %s", text);
		send_text(fd, reply, from);
	}
	end_service();
}

static void ask_all(const char *what)
{
	struct sockaddr_in own, from;
	char text[100];
	int fds[CLIENTS];

	for (int i = 0; i < CLIENTS; i++) {
		fds[i] = udp_bound(&own);
		snprintf(text, sizeof(text), "%s %d", what, i);
		send_text(fds[i], text, &server);
	}
	for (int i = 0; i < CLIENTS; i++) {
		receive(fds[i], false, text, sizeof(text), &from);
		say("%s, from the server: %d", text, from.sin_port == server.sin_port);
		close(fds[i]);
	}
}

static void get_all(void)
{
	struct sockaddr_in own, from;
	char text[100], right[100];
	int fds[CLIENTS];

	for (int i = 0; i < CLIENTS; i++) {
		fds[i] = udp_bound(&own);
		snprintf(text, sizeof(text), "get file%d", i);
		send_text(fds[i], text, &server);
	}
	for (int i = 0; i < CLIENTS; i++) {
		for (int block = 0; block < BLOCKS; block++) {
			receive(fds[i], false, text, sizeof(text), &from);
			snprintf(right, sizeof(right), "file%d block %d", i, block);
			check(strcmp(text, right) == 0 && from.sin_port != server.sin_port);
			send_text(fds[i], "next", &from);
		}
		close(fds[i]);
	}
	say("files of %d clients", CLIENTS);
}

static void drive(void)
{
	struct sockaddr_in own;

	ask_all("question");
	get_all();
	send_text(udp_bound(&own), "end", &server);
}

/* The child answers; a loop of a client's asks, in a process that could be split. */
static void be_client(void)
{
	struct sockaddr_in from;
	char text[100];
	int at = udp_server(), fd = socket(AF_INET, SOCK_DGRAM, 0), answers = 0;
	pid_t pid = fork();

	check(fd >= 0 && pid >= 0);
	while (pid == 0) {
		receive(at, false, text, sizeof(text), &from);
		send_text(at, text, &from);
	}
	become_threaded();
	for (int i = 0; i < 10; i++) {
		snprintf(text, sizeof(text), "%d", i);
		send_text(fd, text, &server);
		receive(fd, i % 2 != 0, text, sizeof(text), &from);
		answers += atoi(text) == i;
	}
	say("answers: %d", answers);
	check(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
}

static void serve_all(int fd, bool by_message)
{
	struct sockaddr_in from;
	char text[100];

	have_clients(drive);
	for (;;) {
		receive(fd, by_message, text, sizeof(text), &from);
		serve(fd, text, &from);
	}
}

int main(void)
{
	int status, fd;

	for (int by_message = 0; by_message < 2; by_message++) {
		pid_t pid;

		fd = udp_server();
		fflush(stdout);
		pid = fork();
		check(pid >= 0);
		if (pid == 0)
			serve_all(fd, by_message != 0);
		check(waitpid(pid, &status, 0) == pid);
		say_status("server", status);
		close(fd);
	}
	be_client();
	return 0;
}
