/* A thread-per-connection TCP server and its clients in one program, connecting again and again. */
#include "guest.h"

#define CLIENTS 50
#define CONNECTIONS 10

static struct sockaddr_in address;

static void *serve(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char bytes[4096];
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		write_all(fd, bytes, (size_t)n);
	close(fd);
	return NULL;
}

static void *accept_forever(void *arg)
{
	for (;;) {
		int fd = accept(*(int *)arg, NULL, NULL);

		check(fd >= 0);
		pthread_detach(start(serve, (void *)(intptr_t)fd));
	}
	return NULL;
}

static void *be_client(void *arg)
{
	unsigned char bytes[3000], back[3000];
	uint64_t hash = HASH_START;

	for (uint64_t i = 0; i < CONNECTIONS; i++) {
		int fd = tcp_connect(&address);

		fill(bytes, sizeof(bytes), (uint64_t)(intptr_t)arg * 77 + i);
		for (size_t sent = 0; sent < sizeof(bytes); sent += 500) {
			write_all(fd, bytes + sent, 500);
			check(recv(fd, back + sent, 500, MSG_WAITALL) == 500);
		}
		shutdown(fd, SHUT_WR);
		check(read(fd, back, 1) == 0);
		back[0] = bytes[0];
		hash = hash_more(hash, back, sizeof(back));
		close(fd);
	}
	return (void *)(uintptr_t)hash;
}

int main(void)
{
	int listener = tcp_listen(&address);
	uint64_t hash = HASH_START;
	pthread_t clients[CLIENTS];

	start(accept_forever, &listener);
	for (intptr_t i = 0; i < CLIENTS; i++)
		clients[i] = start(be_client, (void *)i);
	for (int i = 0; i < CLIENTS; i++) {
		uint64_t one = (uint64_t)(uintptr_t)finish(clients[i]);

		hash = hash_more(hash, &one, sizeof(one));
	}
	say("hash over all that came back: %016lx", hash);
	return 0;
}
