#include "transport.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

int transport_prepare(const char *ca_file)
{
	if (ca_file == NULL)
		return 0;
	fprintf(stderr, "load: no TLS here, that is load_tls\n");
	return -1;
}

int transport_open(struct transport *transport, int fd)
{
	*transport = (struct transport){.fd = fd};
	return 0;
}

void transport_close(struct transport *transport)
{
	if (transport->fd >= 0)
		close(transport->fd);
	transport->fd = -1;
}

ssize_t transport_send(struct transport *transport, const void *buf, size_t len)
{
	return send(transport->fd, buf, len, MSG_NOSIGNAL);
}

ssize_t transport_recv(struct transport *transport, void *buf, size_t len)
{
	return recv(transport->fd, buf, len, 0);
}

/* A shorter read has emptied the socket. */
bool transport_has_more(ssize_t got, size_t len)
{
	return got == (ssize_t)len;
}
