/*
 * How the load's bytes go over a connected, non-blocking socket: as they are
 * (transport_plain.c, in load) or inside TLS (transport_tls.c, in load_tls).
 */
#ifndef DEMO_TRANSPORT_H
#define DEMO_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct transport {
	int fd;    /* -1 when there is none */
	void *tls; /* NULL when bytes go as they are */
};

/**
 * Prepare, before the first connection.
 *
 * @param ca_file what vouches for the certificate of a server called "localhost";
 *                NULL when bytes go as they are
 * @return 0, or -1: what is wrong has been said on standard error
 */
int transport_prepare(const char *ca_file);

/**
 * Take over a socket, which need not be connected yet.
 *
 * @return 0, or -1 for lack of memory; the socket is in transport->fd all the same
 */
int transport_open(struct transport *transport, int fd);

/**
 * Close what is there; once closed, it is not there.
 */
void transport_close(struct transport *transport);

/**
 * As send(2) and recv(2) on a non-blocking socket, EAGAIN included. With TLS,
 * either may have to be tried again whatever the socket becomes ready for.
 */
ssize_t transport_send(struct transport *transport, const void *buf, size_t len);
ssize_t transport_recv(struct transport *transport, void *buf, size_t len);

/**
 * Whether to receive again, after got bytes into room for len, before waiting
 * for the socket to say that there is more (epoll(7), Q9).
 */
bool transport_has_more(ssize_t got, size_t len);

#endif
