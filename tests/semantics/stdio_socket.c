/* fdopen, fgets, fprintf, getline on sockets, in many threads at once. */
#include "guest.h"

#define CLIENTS 100
#define LINES 20

static struct sockaddr_in address;

static FILE *open_stream(int fd)
{
	FILE *stream = fdopen(fd, "r+");

	check(stream != NULL);
	return stream;
}

static void *serve(void *arg)
{
	int fd = (int)(intptr_t)arg;
	FILE *in = open_stream(fd), *out = open_stream(dup(fd));
	char line[256];

	while (fgets(line, sizeof(line), in) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		check(fprintf(out, "%zu:%s\n", strlen(line), line) > 0);
		check(fflush(out) == 0);
	}
	check(feof(in));
	fclose(in);
	fclose(out);
	return NULL;
}

static void *accept_clients(void *arg)
{
	pthread_t servers[CLIENTS];

	for (int i = 0; i < CLIENTS; i++) {
		int fd = accept(*(int *)arg, NULL, NULL);

		check(fd >= 0);
		servers[i] = start(serve, (void *)(intptr_t)fd);
	}
	for (int i = 0; i < CLIENTS; i++)
		finish(servers[i]);
	return NULL;
}

static void *be_client(void *arg)
{
	int fd = tcp_connect(&address);
	FILE *in = open_stream(fd), *out = open_stream(dup(fd));
	char expected[256], sent[200], *line = NULL;
	long right = 0;
	size_t size = 0;

	for (int i = 0; i < LINES; i++) {
		snprintf(sent, sizeof(sent), "client %d line %d %0*d", (int)(intptr_t)arg, i,
			 i * 5 + 1, 0);
		snprintf(expected, sizeof(expected), "%zu:%s\n", strlen(sent), sent);
		check(fputs(sent, out) >= 0 && putc('\n', out) == '\n' && fflush(out) == 0);
		right += getline(&line, &size, in) > 0 && strcmp(line, expected) == 0;
	}
	free(line);
	shutdown(fd, SHUT_WR);
	check(getc(in) == EOF && feof(in));
	fclose(in);
	fclose(out);
	return (void *)right;
}

int main(void)
{
	int listener = tcp_listen(&address);
	pthread_t acceptor = start(accept_clients, &listener), clients[CLIENTS];
	long right = 0;

	for (intptr_t i = 0; i < CLIENTS; i++)
		clients[i] = start(be_client, (void *)i);
	for (int i = 0; i < CLIENTS; i++)
		right += (long)finish(clients[i]);
	finish(acceptor);
	say("lines that came back right: %ld", right);
	return 0;
}
