/*
 * What poll says is there is there when the thread that asked takes it, and nobody else does: also
 * of connections that come while it accepts, beside threads that compute with those it has.
 */
#include "guest.h"

#include <sched.h>
#include <stdatomic.h>

#define CLIENTS 8
#define CONNECTIONS 400

static atomic_int vain, served;
static struct sockaddr_in at;

static void *connect_often(void *arg)
{
	char byte;

	for (int i = 0; i < CONNECTIONS; i++) {
		int number = socket(AF_INET, SOCK_STREAM, 0);

		check(connect(number, (struct sockaddr *)&at, sizeof(at)) == 0);
		check(write(number, "x", 1) == 1);
		check(read(number, &byte, 1) == 1);
		close(number);
	}
	return arg;
}

/* It polls before it reads, too. */
static void *serve(void *arg)
{
	struct pollfd one = {.fd = (int)(intptr_t)arg, .events = POLLIN};
	char byte;

	check(poll(&one, 1, -1) == 1);
	if (recv(one.fd, &byte, 1, MSG_DONTWAIT) != 1) {
		check(errno == EAGAIN);
		atomic_fetch_add(&vain, 1);
		check(recv(one.fd, &byte, 1, 0) == 1);
	}
	for (volatile int i = 0; i < 50000; i++)
		;
	check(write(one.fd, &byte, 1) == 1);
	close(one.fd);
	atomic_fetch_add(&served, 1);
	return NULL;
}

int main(void)
{
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct pollfd one = {.fd = listener, .events = POLLIN};
	pthread_t clients[CLIENTS], server;
	pthread_attr_t detached;
	socklen_t bytes = sizeof(at);

	check(pthread_attr_init(&detached) == 0);
	check(pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED) == 0);
	at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	check(bind(listener, (struct sockaddr *)&at, sizeof(at)) == 0);
	check(listen(listener, CLIENTS) == 0);
	check(getsockname(listener, (struct sockaddr *)&at, &bytes) == 0);
	for (int i = 0; i < CLIENTS; i++)
		clients[i] = start(connect_often, NULL);
	for (int accepted = 0; accepted < CLIENTS * CONNECTIONS;) {
		int number;

		check(poll(&one, 1, -1) == 1);
		number = accept(listener, NULL, NULL);
		if (number >= 0) {
			check(pthread_create(&server, &detached, serve, (void *)(intptr_t)number) ==
			      0);
			accepted++;
		} else {
			check(errno == EAGAIN);
			atomic_fetch_add(&vain, 1);
		}
	}
	for (int i = 0; i < CLIENTS; i++)
		finish(clients[i]);
	while (atomic_load(&served) < CLIENTS * CONNECTIONS)
		sched_yield();
	say("told of what was not there: %d", atomic_load(&vain));
	return 0;
}
