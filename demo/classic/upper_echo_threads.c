/*
 * upper_echo with nothing but threads and blocking calls: a program that knows nothing of weft. By itself
 * it is a thousand kernel threads; under weft the same binary is a thousand tasks.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS 500
#define LINES 3
#define STACK_BYTES ((size_t)64 * 1024)

static struct sockaddr_in addr = {.sin_family = AF_INET};
static pthread_attr_t small;
static int right_answers;

static void *answer(void *fd_of_connection)
{
	int fd = (int)(intptr_t)fd_of_connection;
	char bytes[64];
	ssize_t n;

	while ((n = read(fd, bytes, sizeof(bytes))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			bytes[i] = (char)toupper(bytes[i]);
		if (write(fd, bytes, (size_t)n) != n)
			break;
	}
	close(fd);
	return NULL;
}

static void *serve(void *listener)
{
	for (int i = 0; i < CLIENTS; i++) {
		int fd = accept((int)(intptr_t)listener, NULL, NULL);
		pthread_t thread;

		if (fd < 0 || pthread_create(&thread, &small, answer, (void *)(intptr_t)fd) != 0)
			return NULL;
		pthread_detach(thread);
	}
	return NULL;
}

static bool read_all(int fd, char *bytes, size_t size)
{
	size_t have = 0;
	ssize_t n;

	while (have < size && (n = read(fd, bytes + have, size - have)) > 0)
		have += (size_t)n;
	return have == size;
}

static void *ask(void *number)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char line[64], want[64], got[64];

	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0)
		return NULL;
	for (int i = 0; i < LINES; i++) {
		int n = snprintf(line, sizeof(line), "client %ld, line %d\n", (long)number, i);

		snprintf(want, sizeof(want), "CLIENT %ld, LINE %d\n", (long)number, i);
		if (write(fd, line, (size_t)n) != n || !read_all(fd, got, (size_t)n))
			break;
		if (memcmp(got, want, (size_t)n) == 0)
			__atomic_add_fetch(&right_answers, 1, __ATOMIC_RELAXED);
	}
	close(fd);
	return NULL;
}

static int new_listener(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(addr);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, len) != 0 || listen(fd, CLIENTS) != 0 ||
	    getsockname(fd, (struct sockaddr *)&addr, &len) != 0)
		return -1;
	return fd;
}

int main(void)
{
	pthread_t server, clients[CLIENTS];
	struct rlimit limit;
	int listener;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	listener = new_listener();
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, STACK_BYTES);
	if (listener < 0 || pthread_create(&server, &small, serve, (void *)(intptr_t)listener) != 0)
		return 1;
	for (long i = 0; i < CLIENTS; i++)
		if (pthread_create(&clients[i], &small, ask, (void *)i) != 0)
			return 1;
	for (long i = 0; i < CLIENTS; i++)
		pthread_join(clients[i], NULL);
	pthread_join(server, NULL);
	printf("%d clients, %d answers in upper case\n", CLIENTS, right_answers);
	return 0;
}
