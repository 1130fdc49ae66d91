#include "transport.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static SSL_CTX *context;

int transport_prepare(const char *ca_file)
{
	if (ca_file == NULL) {
		fprintf(stderr, "load: whose certificates are good? (-c CA_FILE)\n");
		return -1;
	}
	/* OpenSSL writes without MSG_NOSIGNAL. */
	signal(SIGPIPE, SIG_IGN);
	context = SSL_CTX_new(TLS_client_method());
	if (context == NULL || SSL_CTX_load_verify_locations(context, ca_file, NULL) != 1) {
		ERR_print_errors_fp(stderr);
		return -1;
	}
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	/* What is sent again after EAGAIN is the same bytes, made anew. */
	SSL_CTX_set_mode(context,
			 SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(context, 1);
	return 0;
}

int transport_open(struct transport *transport, int fd)
{
	SSL *tls = SSL_new(context);

	*transport = (struct transport){.fd = fd, .tls = tls};
	if (tls == NULL || SSL_set_fd(tls, fd) != 1 || SSL_set1_host(tls, "localhost") != 1)
		return -1;
	SSL_set_connect_state(tls);
	return 0;
}

void transport_close(struct transport *transport)
{
	SSL_free(transport->tls);
	if (transport->fd >= 0)
		close(transport->fd);
	*transport = (struct transport){.fd = -1};
}

/* What send(2) or recv(2) would say. */
static ssize_t result(SSL *tls, int n)
{
	int err = errno;

	if (n > 0)
		return n;
	switch (SSL_get_error(tls, n)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		errno = err != 0 ? err : ECONNRESET;
		return -1;
	default:
		ERR_print_errors_fp(stderr);
		errno = EPROTO;
		return -1;
	}
}

ssize_t transport_send(struct transport *transport, const void *buf, size_t len)
{
	ERR_clear_error();
	errno = 0;
	return result(transport->tls, SSL_write(transport->tls, buf, (int)len));
}

ssize_t transport_recv(struct transport *transport, void *buf, size_t len)
{
	ERR_clear_error();
	errno = 0;
	return result(transport->tls, SSL_read(transport->tls, buf, (int)len));
}

/* A read gives one record, and there may be others behind it. */
bool transport_has_more(ssize_t got, size_t len)
{
	(void)len;
	return got > 0;
}
