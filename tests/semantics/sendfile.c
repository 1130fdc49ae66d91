/* sendfile to blocking sockets that another thread reads, of far more than fits: every byte. */
#include "guest.h"

#include <sys/mman.h>
#include <sys/sendfile.h>

#define BYTES (8L << 20)

static void *check_stream(void *arg)
{
	static char buf[65536];
	long bytes = 0, wrong = 0, n;

	while ((n = read(*(int *)arg, buf, sizeof(buf))) > 0) {
		wrong += !is_filled(buf, (size_t)n, (uint64_t)bytes);
		bytes += n;
	}
	say("  read %ld bytes, pieces that are wrong: %ld", bytes, wrong);
	return NULL;
}

static void send_through(const char *kind, int pair[2], int file)
{
	pthread_t reader = start(check_stream, &pair[1]);
	off_t offset = 0;
	long sent = 0, n;

	while (sent < BYTES && (n = sendfile(pair[0], file, &offset, (size_t)(BYTES - sent))) > 0)
		sent += n;
	close(pair[0]);
	finish(reader);
	say("%s: sent %ld, offset %ld", kind, sent, (long)offset);
	close(pair[1]);
}

int main(void)
{
	int file = memfd_create("bytes", 0), pair[2];
	char buf[4096];

	for (long at = 0; at < BYTES; at += (long)sizeof(buf)) {
		fill(buf, sizeof(buf), (uint64_t)at);
		write_all(file, buf, sizeof(buf));
	}
	become_threaded();
	unix_pair(SOCK_STREAM, pair);
	send_through("unix", pair, file);
	tcp_pair(pair);
	send_through("tcp", pair, file);
	check(pipe(pair) == 0);
	send_through("pipe", (int[2]){pair[1], pair[0]}, file);
	show(sendfile(-1, file, NULL, 1));
	show(sendfile(file, -1, NULL, 1));
	return 0;
}
