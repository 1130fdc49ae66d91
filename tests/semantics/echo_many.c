/* A thousand threads, each an echo server on its own socket pair, all driven by another thousand. */
#include "guest.h"

#include <sys/resource.h>

#define PAIRS 1000
#define ROUNDS 20

static int pairs[PAIRS][2];

static void *echo(void *arg)
{
	int fd = pairs[(intptr_t)arg][1];
	char bytes[256];
	ssize_t n;

	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		write_all(fd, bytes, (size_t)n);
	close(fd);
	return NULL;
}

static void *drive(void *arg)
{
	int fd = pairs[(intptr_t)arg][0];
	unsigned char bytes[100], back[100];
	uint64_t hash = HASH_START;

	for (uint64_t i = 0; i < ROUNDS; i++) {
		fill(bytes, sizeof(bytes), (uint64_t)(intptr_t)arg * 10000 + i * 100);
		write_all(fd, bytes, sizeof(bytes));
		check(read_all(fd, back, sizeof(back)) == sizeof(back));
		hash = hash_more(hash, back, sizeof(back));
	}
	close(fd);
	return (void *)(uintptr_t)hash;
}

int main(void)
{
	static pthread_t echoes[PAIRS], drivers[PAIRS];
	struct rlimit limit = {4096, 4096};
	uint64_t hash = HASH_START;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < 4096) {
		limit.rlim_cur = 4096;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	for (intptr_t i = 0; i < PAIRS; i++) {
		unix_pair(SOCK_STREAM, pairs[i]);
		echoes[i] = start(echo, (void *)i);
	}
	for (intptr_t i = 0; i < PAIRS; i++)
		drivers[i] = start(drive, (void *)i);
	for (int i = 0; i < PAIRS; i++) {
		uint64_t one = (uint64_t)(uintptr_t)finish(drivers[i]);

		hash = hash_more(hash, &one, sizeof(one));
		finish(echoes[i]);
	}
	say("hash over all that came back: %016lx", hash);
	return 0;
}
