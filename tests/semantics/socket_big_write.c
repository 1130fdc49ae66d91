/* One write far larger than any buffer, to a slow reader: all is taken, and every byte arrives. */
#include "guest.h"

#include <sys/uio.h>

#define BIG_BYTES 6000000u

static unsigned char *big;

static void *read_slowly(void *arg)
{
	static __thread unsigned char bytes[30000];
	uint64_t position = 0;
	size_t n;

	while ((n = read_all(*(int *)arg, bytes, sizeof(bytes))) > 0) {
		check(is_filled(bytes, n, position % BIG_BYTES));
		position += n;
		if (position / sizeof(bytes) % 20 == 0)
			usleep(1000);
	}
	return (void *)(uintptr_t)position;
}

static void send_all_ways(const char *kind, int pair[2])
{
	struct iovec parts[3] = {{big, BIG_BYTES / 3},
				 {big + BIG_BYTES / 3, BIG_BYTES / 3},
				 {big + BIG_BYTES / 3 * 2, BIG_BYTES / 3}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 3};
	pthread_t reader = start(read_slowly, &pair[0]);
	int is_socket = strcmp(kind, "pipe") != 0;

	say("%s", kind);
	show(write(pair[1], big, BIG_BYTES));
	show(writev(pair[1], parts, 3));
	if (is_socket) {
		show(send(pair[1], big, BIG_BYTES, 0));
		show(sendmsg(pair[1], &message, 0));
	}
	close(pair[1]);
	say("received: %lu", (unsigned long)finish(reader));
	close(pair[0]);
}

int main(void)
{
	int pair[2];

	big = malloc(BIG_BYTES);
	check(big != NULL);
	fill(big, BIG_BYTES, 0);
	tcp_pair(pair);
	send_all_ways("tcp", pair);
	unix_pair(SOCK_STREAM, pair);
	send_all_ways("unix", pair);
	check(pipe(pair) == 0);
	send_all_ways("pipe", pair);
	return 0;
}
