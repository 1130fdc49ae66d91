/* See weft/stream.h: making connections, and taking them. One task accepts for all addresses of a server. */
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "native.h"

#define MOST_LISTENERS 8

/* When there is no descriptor for the next connection, until which one may have been closed. */
#define SHORTAGE_NS (100 * WEFT_MS)

/* A connection being served. */
struct serving {
	struct weft__link link;
	weft_server *server;
	weft_stream *stream;
	weft_task *task; /* NULL: it has not begun */
};

struct weft_server {
	struct pollfd listener[MOST_LISTENERS];
	nfds_t listeners;
	int port;
	bool closed, accepting;
	weft_serve *serve;
	void *arg;
	struct weft__link accepts; /* the wait of who accepts */
	struct weft__link servings;
	struct weft__link waiters; /* weft_server_wait_closed() */
};

static int new_socket(const struct addrinfo *addr)
{
	return (int)weft__ask(SYS_socket, addr->ai_family,
			      addr->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, addr->ai_protocol);
}

static int connect_to(const struct addrinfo *addr, int64_t deadline_ns, int *ret_fd)
{
	int fd = new_socket(addr), err;

	if (fd < 0)
		return fd;
	err = weft_connect(fd, addr->ai_addr, addr->ai_addrlen, deadline_ns);
	if (err != 0)
		weft__ask(SYS_close, fd);
	else
		*ret_fd = fd;
	return err;
}

/* Whether the next address is worth a try: one that does not answer has its own -ETIMEDOUT. */
static bool goes_on(int err, int64_t deadline_ns)
{
	return err == -ECONNREFUSED || err == -EHOSTUNREACH || err == -ENETUNREACH ||
	       err == -EADDRNOTAVAIL || err == -EAFNOSUPPORT || err == -EACCES ||
	       (err == -ETIMEDOUT && weft_now() < deadline_ns);
}

int weft_open_connection(weft_stream **ret_stream, const char *host, const char *service,
			 int64_t deadline_ns)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
	int err, fd = -1;

	if (ret_stream == NULL || host == NULL || service == NULL)
		return -EINVAL;
	err = weft_getaddrinfo(host, service, &hints, deadline_ns, &list);
	if (err != 0)
		return err;
	for (struct addrinfo *addr = list; addr != NULL; addr = addr->ai_next) {
		err = connect_to(addr, deadline_ns, &fd);
		if (err == 0 || !goes_on(err, deadline_ns))
			break;
	}
	freeaddrinfo(list);
	if (err != 0)
		return err;
	err = weft_stream_new(ret_stream, fd);
	if (err != 0)
		weft__ask(SYS_close, fd);
	return err;
}

static void set_port(struct sockaddr *addr, int port)
{
	if (addr->sa_family == AF_INET)
		((struct sockaddr_in *)(void *)addr)->sin_port = htons((uint16_t)port);
	else if (addr->sa_family == AF_INET6)
		((struct sockaddr_in6 *)(void *)addr)->sin6_port = htons((uint16_t)port);
}

static int get_port(int fd)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);

	if (weft__ask(SYS_getsockname, fd, &addr, &len) != 0)
		return 0;
	if (addr.ss_family == AF_INET)
		return ntohs(((struct sockaddr_in *)&addr)->sin_port);
	return addr.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&addr)->sin6_port) : 0;
}

/* A listener at one address, or a negative errno. */
static int listen_at(const struct addrinfo *addr)
{
	int fd = new_socket(addr), one = 1;
	long err;

	if (fd < 0)
		return fd;
	weft__ask(SYS_setsockopt, fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (addr->ai_family == AF_INET6) /* that of IPv4 comes by itself */
		weft__ask(SYS_setsockopt, fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	err = weft__ask(SYS_bind, fd, addr->ai_addr, addr->ai_addrlen);
	if (err == 0)
		err = weft__ask(SYS_listen, fd, SOMAXCONN);
	if (err == 0)
		return fd;
	weft__ask(SYS_close, fd);
	return (int)err;
}

/* Listen at all that this machine has, one of them at least; where "any port" is asked for, at one. */
static int listen_at_all(weft_server *server, struct addrinfo *list)
{
	int err = -EADDRNOTAVAIL;

	for (struct addrinfo *addr = list; addr != NULL && server->listeners < MOST_LISTENERS;
	     addr = addr->ai_next) {
		int fd;

		if (server->port != 0)
			set_port(addr->ai_addr, server->port);
		fd = listen_at(addr);
		if (fd == -EADDRNOTAVAIL || fd == -EAFNOSUPPORT)
			continue;
		if (fd < 0)
			return fd;
		err = 0;
		server->listener[server->listeners++] = (struct pollfd){.fd = fd, .events = POLLIN};
		server->port = get_port(fd);
	}
	return err;
}

static void close_listeners(weft_server *server)
{
	for (nfds_t i = 0; i < server->listeners; i++)
		weft__ask(SYS_close, server->listener[i].fd);
	server->listeners = 0;
}

/* Entered. */
static bool is_over(const weft_server *server)
{
	return server->closed && !server->accepting && weft__list_empty(&server->servings);
}

/* Entered. */
static void tell_if_over(weft_server *server)
{
	while (is_over(server) && !weft__list_empty(&server->waiters))
		weft__wait_end(weft__wait_first(&server->waiters), 0);
}

static void end_serving(struct serving *serving)
{
	weft_server *server = serving->server;

	weft_stream_free(serving->stream);
	weft__enter();
	weft__list_remove(&serving->link);
	tell_if_over(server);
	weft__leave();
	free(serving);
}

static void *serve(void *arg)
{
	struct serving *serving = arg;
	weft_server *server = serving->server;

	weft__enter();
	serving->task = weft__me();
	weft__leave();
	server->serve(serving->stream, server->arg);
	weft_stream_close(serving->stream, WEFT_FOREVER);
	end_serving(serving);
	return NULL;
}

static void serve_next(weft_server *server, int fd)
{
	struct serving *serving = calloc(1, sizeof(*serving));

	if (serving == NULL || weft_stream_new(&serving->stream, fd) != 0) {
		weft__ask(SYS_close, fd);
		free(serving);
		return;
	}
	serving->server = server;
	weft__enter();
	weft__list_append(&server->servings, &serving->link);
	weft__leave();
	if (weft_spawn_raw(serve, serving) != 0)
		end_serving(serving);
}

static bool is_shortage(long err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOBUFS || err == -ENOMEM;
}

/* Take what has come; whether there was no room for it. */
static bool accept_all(weft_server *server)
{
	for (nfds_t i = 0; i < server->listeners; i++) {
		long fd = weft__ask(SYS_accept4, server->listener[i].fd, NULL, NULL,
				    SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0)
			serve_next(server, (int)fd);
		else if (is_shortage(fd))
			return true;
	}
	weft__spend_turn();
	return false;
}

static void *accept_next(void *arg)
{
	weft_server *server = arg;
	struct weft__wait wait;
	int err;

	weft__enter();
	while (!server->closed) {
		err = weft__poll_in(&server->accepts, &wait, server->listener, server->listeners,
				    WEFT_FOREVER);
		weft__leave();
		if (err > 0 && accept_all(server))
			err = -ENOMEM;
		weft__enter();
		if (is_shortage(err) && !server->closed)
			weft__wait_in(&server->accepts, &wait, weft_after(SHORTAGE_NS));
	}
	close_listeners(server);
	server->accepting = false;
	tell_if_over(server);
	weft__leave();
	return NULL;
}

int weft_server_new(weft_server **ret_server, const char *host, const char *service,
		    weft_serve *serve_one, void *arg, int64_t deadline_ns)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *list;
	weft_server *server;
	int err;

	if (ret_server == NULL || service == NULL || serve_one == NULL)
		return -EINVAL;
	err = weft_getaddrinfo(host, service, &hints, deadline_ns, &list);
	if (err != 0)
		return err;
	server = calloc(1, sizeof(*server));
	if (server == NULL) {
		freeaddrinfo(list);
		return -ENOMEM;
	}
	server->serve = serve_one;
	server->arg = arg;
	weft__list_init(&server->accepts);
	weft__list_init(&server->servings);
	weft__list_init(&server->waiters);
	err = listen_at_all(server, list);
	freeaddrinfo(list);
	server->accepting = true;
	if (err == 0)
		err = weft_spawn_raw(accept_next, server);
	if (err != 0) {
		close_listeners(server);
		free(server);
		return err;
	}
	*ret_server = server;
	return 0;
}

int weft_server_port(const weft_server *server)
{
	return server == NULL ? -EINVAL : server->port;
}

int weft_server_close(weft_server *server)
{
	int err;

	if (server == NULL)
		return -EINVAL;
	weft__enter();
	err = server->closed ? -EBADF : 0;
	server->closed = true;
	while (!weft__list_empty(&server->accepts))
		weft__wait_end(weft__wait_first(&server->accepts), -ECANCELED);
	weft__leave();
	return err;
}

/* Whether the caller serves one of its connections. Entered. */
static bool is_served_here(const weft_server *server)
{
	const weft_task *me = weft__me();

	for (struct weft__link *link = server->servings.next; link != &server->servings;
	     link = link->next)
		if (weft__container(link, struct serving, link)->task == me)
			return true;
	return false;
}

int weft_server_wait_closed(weft_server *server, int64_t deadline_ns)
{
	struct weft__wait wait;
	int err;

	if (server == NULL)
		return -EINVAL;
	err = weft__enter_wait(deadline_ns);
	if (err != 0)
		return err;
	if (is_served_here(server))
		err = -EDEADLK;
	else if (!is_over(server))
		err = weft__wait_in(&server->waiters, &wait, deadline_ns);
	weft__leave();
	return err;
}

int weft_server_free(weft_server *server)
{
	bool used;

	if (server == NULL)
		return 0;
	weft__enter();
	used = !is_over(server) || !weft__list_empty(&server->waiters);
	weft__leave();
	if (used)
		return -EBUSY;
	free(server);
	return 0;
}
