/* See clients.h. */
#include "clients.h"

#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "descriptor.h"
#include "iterative.h"

#define FIRST_PORT_OF_CLIENTS 32768 /* net.ipv4.ip_local_port_range, at its default */

static bool limited;
static uint8_t ports[65536 / 8]; /* valid if limited */
static uint64_t bound[1024];     /* by number: the cookie of the datagram socket bound there */

/* A list of ports is judged by rules.c. */
void weft__clients_only_at(const char *list)
{
	limited = true;
	while (*list != '\0') {
		char *end;
		unsigned long port = strtoul(list, &end, 10);

		ports[port % 65536 / 8] |= (uint8_t)(1U << port % 8);
		list = *end == ',' ? end + 1 : end;
	}
}

/* 0: it has none. */
static unsigned int port_in(const void *name)
{
	sa_family_t family = ((const struct sockaddr *)name)->sa_family;

	if (family == AF_INET)
		return ntohs(((const struct sockaddr_in *)name)->sin_port);
	return family == AF_INET6 ? ntohs(((const struct sockaddr_in6 *)name)->sin6_port) : 0;
}

static unsigned int port_of(long number)
{
	struct sockaddr_storage name;
	socklen_t bytes = sizeof(name);

	return weft__failed(weft__raw(SYS_getsockname, number, &name, &bytes)) ? 0 : port_in(&name);
}

bool weft__clients_wanted(long number)
{
	unsigned int port;

	if (!limited)
		return true;
	port = port_of(number);
	return port != 0 && (ports[port / 8] >> port % 8 & 1) != 0;
}

/* What is one socket's alone, unlike its number; 0: there is none. */
static uint64_t cookie_of(long number)
{
	uint64_t cookie = 0;
	socklen_t bytes = sizeof(cookie);

	weft__raw(SYS_getsockopt, number, SOL_SOCKET, SO_COOKIE, &cookie, &bytes);
	return cookie;
}

/* Port 0 is any: that is where a client waits for its answers. */
void weft__clients_bound(int number, const struct sockaddr *address)
{
	if (address->sa_family != AF_UNIX && port_in(address) == 0)
		return;
	if (weft__iterative_wakes() && number >= 0 &&
	    (size_t)number < sizeof(bound) / sizeof(*bound) &&
	    weft__socket_option(number, SO_TYPE) == SOCK_DGRAM)
		bound[number] = cookie_of(number);
}

static bool is_bound(long number)
{
	uint64_t cookie = (size_t)number < sizeof(bound) / sizeof(*bound) ? bound[number] : 0;
	unsigned int port;

	if (cookie != 0 && cookie == cookie_of(number))
		return true;
	port = port_of(number);
	return port != 0 && port < FIRST_PORT_OF_CLIENTS;
}

static bool has_peer(long number)
{
	struct sockaddr_storage name;
	socklen_t bytes = sizeof(name);

	return !weft__failed(weft__raw(SYS_getpeername, number, &name, &bytes));
}

/* Whether those who send to it are clients: it is bound, not by its own first sendto(2), and to nobody. */
bool weft__clients_send_to(long number)
{
	return weft__iterative_wakes() && weft__socket_option((int)number, SO_TYPE) == SOCK_DGRAM &&
	       is_bound(number) && !has_peer(number);
}

bool weft__clients_come_to(long number)
{
	return weft__socket_option((int)number, SO_ACCEPTCONN) == 1 ||
	       weft__clients_send_to(number);
}
