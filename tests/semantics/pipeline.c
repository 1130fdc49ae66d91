/* Bytes through a chain of threads over pipes, UNIX and TCP sockets: none lost, doubled, reordered. */
#include "guest.h"

#define STAGES 9
#define STREAM_BYTES 2000000u

static int links[STAGES][2];

/* Stage i reads from link i and writes, in pieces of its own size, to link i + 1. */
static void *pass_on(void *arg)
{
	intptr_t stage = (intptr_t)arg;
	size_t piece = 500 + (size_t)stage * 777, n;
	char bytes[8192];

	while ((n = (size_t)read(links[stage][0], bytes, piece)) > 0) {
		check(n <= piece);
		write_all(links[stage + 1][1], bytes, n);
	}
	close(links[stage][0]);
	close(links[stage + 1][1]);
	return NULL;
}

static void *feed(void *arg)
{
	unsigned char bytes[10000];

	for (uint64_t at = 0; at < STREAM_BYTES; at += sizeof(bytes)) {
		fill(bytes, sizeof(bytes), at);
		write_all(links[0][1], bytes, sizeof(bytes));
	}
	close(links[0][1]);
	return arg;
}

int main(void)
{
	pthread_t stages[STAGES], feeder;
	uint64_t hash = HASH_START, at = 0;
	unsigned char bytes[7777];
	size_t n;

	for (int i = 0; i < STAGES; i++) {
		if (i % 3 == 0)
			check(pipe(links[i]) == 0);
		else if (i % 3 == 1)
			unix_pair(SOCK_STREAM, links[i]);
		else
			tcp_pair(links[i]);
	}
	for (intptr_t i = 0; i < STAGES - 1; i++)
		stages[i] = start(pass_on, (void *)i);
	feeder = start(feed, NULL);
	while ((n = read_all(links[STAGES - 1][0], bytes, sizeof(bytes))) > 0) {
		check(is_filled(bytes, n, at));
		hash = hash_more(hash, bytes, n);
		at += n;
	}
	for (int i = 0; i < STAGES - 1; i++)
		finish(stages[i]);
	finish(feeder);
	say("%lu bytes, hash %016lx", at, hash);
	return 0;
}
