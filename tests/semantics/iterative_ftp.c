/* A connection's service listens, and accepts, at a listener of its own, as FTP has it. */
#include "serve.h"

#define CLIENTS 24

/* The number is sent on a connection that the client makes to where it is told. */
static void serve_data(int fd, int number)
{
	struct sockaddr_in address;
	int listener = tcp_listen(&address), data;

	answer(fd, "%d\n", ntohs(address.sin_port));
	data = accept_one(listener);
	close(listener);
	for (int i = 0; i < 10; i++) {
		answer(data, "%d ", number * 10 + i);
		usleep(1000);
	}
	close(data);
	answer(fd, "done %d\n", number);
}

static void serve(int fd)
{
	char line[64];

	begin_service();
	check(read_line(fd, line, sizeof(line)));
	if (strcmp(line, "end") == 0) {
		check_end();
		exit(0);
	}
	check(strncmp(line, "data ", 5) == 0);
	serve_data(fd, atoi(line + 5));
	end_service();
	close(fd);
}

static void fetch_all(void)
{
	char text[64], heard[200];
	int fds[CLIENTS], data;

	for (int i = 0; i < CLIENTS; i++) {
		snprintf(text, sizeof(text), "data %d\n", i);
		fds[i] = connect_and_say(text);
	}
	for (int i = 0; i < CLIENTS; i++) {
		struct sockaddr_in address = server;

		check(read_line(fds[i], text, sizeof(text)));
		address.sin_port = htons((in_port_t)atoi(text));
		data = tcp_connect(&address);
		read_text(data, heard, sizeof(heard));
		printf("%s", heard);
		read_text(fds[i], heard, sizeof(heard));
		printf("%s", heard);
		close(data);
		close(fds[i]);
	}
}

static void drive(void)
{
	fetch_all();
	end_server();
}

int main(void)
{
	int listener = begin_server(drive);

	for (;;)
		serve(accept_one(listener)); /* which closes it */
}
