/* Connections of one thread, served one after the other or at once: each has its bytes, and its stack. */
#include "serve.h"

#define CLIENTS 100
#define ROUNDS 4
#define BYTES 3000

/* Everybody is as deep in the stack as the first byte says, with a frame of its own contents. */
static uint64_t echo_deep(int fd, int depth, uint64_t hash)
{
	unsigned char bytes[512], mine[300];
	ssize_t n;

	memset(mine, depth + fd, sizeof(mine));
	if (depth > 0)
		hash = echo_deep(fd, depth - 1, hash);
	else
		while ((n = read(fd, bytes, sizeof(bytes))) > 0) {
			hash = hash_more(hash, bytes, (size_t)n);
			write_all(fd, bytes, (size_t)n);
		}
	for (size_t i = 0; i < sizeof(mine); i++)
		check(mine[i] == (unsigned char)(depth + fd));
	return hash;
}

static void serve(int fd)
{
	unsigned char depth;
	uint64_t hash = HASH_START;

	begin_service();
	check(read(fd, &depth, 1) == 1);
	if (depth == 'e') {
		check_end();
		exit(0);
	}
	hash = echo_deep(fd, depth, hash);
	write_all(fd, &hash, sizeof(hash));
	end_service();
}

static void send_rounds(const int fds[CLIENTS])
{
	unsigned char bytes[BYTES];

	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < CLIENTS; i++) {
			fill(bytes, BYTES, (uint64_t)(i * ROUNDS + round) * BYTES);
			write_all(fds[i], bytes, BYTES);
		}
		settle();
	}
}

static void drive(void)
{
	static unsigned char back[ROUNDS * BYTES];
	uint64_t hash;
	int fds[CLIENTS], right = 0;

	for (int i = 0; i < CLIENTS; i++) {
		unsigned char depth = (unsigned char)(i % 40);

		fds[i] = tcp_connect(&server);
		write_all(fds[i], &depth, 1);
	}
	send_rounds(fds);
	for (int i = 0; i < CLIENTS; i++)
		check(shutdown(fds[i], SHUT_WR) == 0);
	for (int i = 0; i < CLIENTS; i++) {
		check(read_all(fds[i], back, sizeof(back)) == sizeof(back));
		check(read_all(fds[i], &hash, sizeof(hash)) == sizeof(hash));
		right += is_filled(back, sizeof(back), (uint64_t)i * ROUNDS * BYTES) &&
			 hash == hash_more(HASH_START, back, sizeof(back));
		close(fds[i]);
	}
	say("clients with their own bytes: %d of %d", right, CLIENTS);
	end_server();
}

int main(void)
{
	int listener = begin_server(drive);

	for (;;) {
		int fd = accept_one(listener);

		serve(fd);
		close(fd);
	}
}
