/*
 * The echo server of the selectors' documentation: one task watches the listener and all connections, and
 * calls what each of them is registered with. The clients are tasks beside it.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weft.h>

#define CLIENTS 10
#define AT_A_TIME 16

typedef void callback(weft_selector *selector, int fd);

static struct sockaddr_in addr = {.sin_family = AF_INET};
static int left = CLIENTS;
static int echoed;

static void echo(weft_selector *selector, int fd)
{
	char bytes[512];
	ssize_t n = weft_recv(fd, bytes, sizeof(bytes), 0, 0);

	if (n > 0) {
		weft_write_all(fd, bytes, (size_t)n, WEFT_FOREVER, NULL);
		return;
	}
	weft_selector_unregister(selector, fd);
	close(fd);
	left--;
}

static void accept_next(weft_selector *selector, int fd)
{
	int connection = weft_accept(fd, NULL, NULL, SOCK_CLOEXEC, 0);

	if (connection >= 0)
		weft_selector_register(selector, connection, WEFT_IN, echo);
}

static void *serve(void *listener)
{
	weft_selector *selector;
	weft_ready ready[AT_A_TIME];

	if (weft_selector_new(&selector) != 0)
		return NULL;
	weft_selector_register(selector, (int)(intptr_t)listener, WEFT_IN, accept_next);
	while (left > 0) {
		int n = weft_selector_select(selector, ready, AT_A_TIME, WEFT_FOREVER);

		for (int i = 0; i < n; i++)
			((callback *)ready[i].data)(selector, ready[i].fd);
	}
	printf("%s: %d registered in the end\n", weft_selector_mechanism(),
	       weft_selector_count(selector));
	weft_selector_free(selector);
	return NULL;
}

static void *ask(void *number)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char line[32], got[32];
	int n = snprintf(line, sizeof(line), "hello from %ld", (long)number);

	if (weft_connect(fd, (struct sockaddr *)&addr, sizeof(addr), WEFT_FOREVER) == 0 &&
	    weft_write_all(fd, line, (size_t)n, WEFT_FOREVER, NULL) == 0 &&
	    weft_read_all(fd, got, (size_t)n, WEFT_FOREVER, NULL) == 0 &&
	    memcmp(line, got, (size_t)n) == 0)
		__atomic_add_fetch(&echoed, 1, __ATOMIC_RELAXED);
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

static void *serve_and_ask(void *unused)
{
	int listener = new_listener();
	weft_task *server;

	if (listener < 0 || weft_spawn(&server, serve, (void *)(intptr_t)listener) != 0)
		return NULL;
	for (long i = 0; i < CLIENTS; i++)
		weft_spawn_raw(ask, (void *)i);
	weft_join(server, WEFT_FOREVER);
	weft_release(server);
	close(listener);
	return unused;
}

int main(void)
{
	if (weft_run(serve_and_ask, NULL, NULL) != 0)
		return 1;
	printf("%d clients, %d echoes\n", CLIENTS, echoed);
	return 0;
}
